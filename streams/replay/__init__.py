"""Replay: recorded events through the same engine, without Kafka.

A replay's clock is the event time of its input, so the same history gives the same bytes, for any chunk size.
"""

from streams.replay.run import Replay, Report
from streams.replay.sinks import FileSink, NullSink, Sink

__all__ = ["FileSink", "NullSink", "Replay", "Report", "Sink"]
