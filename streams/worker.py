"""The worker process: waits for Kafka, refuses what cannot work, runs until it is told to stop.

Run as `python -m streams.worker` it is the supervised child: settings as JSON in the first line on
stdin, which stays open as long as the supervisor lives.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from streams.admin import Admin, Metadata
from streams.app import Parts, create_app
from streams.clock import Clock, SystemClock
from streams.errors import BrokerUnreachableError, ExitCode, InterlockError, LiveSegmentsError, UsageError
from streams.logs import configure_logs
from streams.records import INPUT_TOPICS
from streams.settings import Settings
from streams.telemetry import EngineMetrics, Telemetry
from streams.topics import TOPICS, topic_name
from streams.transport.failstop import exit_code, fail_stop, one_line

log = logging.getLogger("streams.worker")  # also when it runs as __main__

STOP_TIMEOUT_S = 30.0
"""A worker that takes longer to stop ends without good-bye; what it has committed stands."""
GARBAGE_AFTER = 50_000
"""New objects after which Python looks for cycles: a commit makes ten thousands that are none, and Python's
own 700 cost a tenth of the worker's CPU. A look takes two milliseconds."""
_BACKOFF_S = (1.0, 2.0, 4.0, 8.0, 15.0)

MakeParts = Callable[[Settings, bool], Parts]
"""Gives the worker's insides; the flag says whether the broker has transactions."""


def run_worker(settings: Settings, *, supervise: bool = True, make_parts: MakeParts | None = None) -> int:
    """Run a worker until SIGTERM or SIGINT and return the exit code.

    Args:
        settings: the deployment.
        supervise: run the worker in a child process that is restarted with back-off when it fails.
        make_parts: the worker's insides, for tests (not with supervise); default: the product's.
    """
    _configure_logs(settings)
    if supervise:
        from streams.supervisor import Supervisor  # noqa: PLC0415 - the child does not need it

        return Supervisor(settings).run()
    try:
        return asyncio.run(serve(settings, SystemClock(), make_parts or product_parts))
    except LiveSegmentsError as error:
        log.critical("%s", error)
        return int(error.exit_code)
    except Exception as error:  # noqa: BLE001 - an operator gets one line, whatever it is
        log.critical("%s", one_line(error))
        return exit_code(error)


def _configure_logs(settings: Settings) -> None:
    configure_logs(settings.log_format, settings.log_level)
    if settings.log_level != "debug":
        # a broker that is away costs 20 lines a second; the watchdog says it once, and errors are raised
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def product_parts(settings: Settings, transactions: bool) -> Parts:
    """Return the product's insides: the engine, the merger, metrics and pages."""
    from streams import web  # noqa: PLC0415 - a test's worker needs neither this nor the core
    from streams.advising import tell  # noqa: PLC0415 - as above
    from streams.status import WorkerStatus  # noqa: PLC0415 - as above
    from streams.wiring import make_engine, make_merging  # noqa: PLC0415 - as above

    telemetry = Telemetry()
    counters = EngineMetrics(telemetry.metrics)
    engine = make_engine(settings, SystemClock(), observer=counters, exactly_once=transactions)
    counters.watch(engine)
    kind = "Kafka at" if transactions else "embedded (at least once) at"
    status = WorkerStatus(engine, counters, f"{kind} {settings.kafka_bootstrap}")
    return Parts(
        engine=engine,
        merger=make_merging(
            settings,
            telemetry.metrics.definitions_refused_total.inc,
            partial(tell, clearest=telemetry.metrics.advised_clusters.set),
        ),
        telemetry=telemetry,
        transactions=transactions,
        web=lambda app: web.register(app, telemetry.metrics, telemetry.health, status),
    )


async def serve(settings: Settings, clock: Clock, make_parts: MakeParts, stdin: Any = None) -> int:
    """Wait for the broker, check the topics, run the app until a signal (or the end of stdin).

    Raises:
        LiveSegmentsError: the worker must not run like this; nothing was started.
    """
    stop, hurry = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def told_to_stop() -> None:
        (hurry if stop.is_set() else stop).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop)
    if stdin is not None:
        loop.add_reader(stdin, _stop_at_end, loop, stdin, stop, hurry)
    found = await wait_for_broker(settings, stop)
    if found is None:
        return int(ExitCode.DONE)
    check_topics(settings, found)
    if found.embedded:
        log.warning("the embedded broker has no transactions: at least once, changes may be sent twice")
    settings = msgspec.structs.replace(settings, web_port=free_port(settings))
    log.info("page: http://%s:%d", settings.web_bind, settings.web_port)
    app = create_app(settings, clock, make_parts(settings, not found.embedded))
    await _run(app, stop, hurry, settings.handover_timeout_ms / 1000)
    return int(ExitCode.DONE)


async def _run(app: Any, stop: asyncio.Event, hurry: asyncio.Event, handover_s: float) -> None:
    """Start the app and stop it in good order; a crash of the app ends the process.

    Args:
        app: not started.
        stop: ends it, when others have taken over.
        hurry: ends it without waiting for them.
        handover_s: how long it waits for them at most.
    """
    gc.freeze()  # nothing loaded so far is garbage: it need not be looked at again
    gc.set_threshold(GARBAGE_AFTER)
    starting = asyncio.ensure_future(app.start())
    ends = [asyncio.ensure_future(wait()) for wait in (stop.wait, app._crashed.wait)]  # noqa: SLF001 - no public way
    done, _ = await asyncio.wait([starting, *ends], return_when=asyncio.FIRST_COMPLETED)
    if starting in done and starting.exception() is None:
        log.info("worker started")
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if not ends[1].done():
            relieved = asyncio.ensure_future(app.ownership.hand_over(handover_s))
            ends += [relieved, asyncio.ensure_future(hurry.wait())]
            await asyncio.wait(ends[1:], return_when=asyncio.FIRST_COMPLETED)
    for end in ends:
        end.cancel()
    error = app.crash_reason or (starting.exception() if starting.done() else None)
    if error is not None:
        fail_stop(error)
    starting.cancel()
    log.info("stopping: committing what is processed")
    try:
        await asyncio.wait_for(app.stop(), STOP_TIMEOUT_S)
    except TimeoutError:
        fail_stop(LiveSegmentsError(f"the worker did not stop within {STOP_TIMEOUT_S:g} s"))
    log.info("stopped")


def _stop_at_end(
    loop: asyncio.AbstractEventLoop, stdin: Any, stop: asyncio.Event, hurry: asyncio.Event
) -> None:
    """Stop soon when the supervisor is gone, as its successor may wait: its end of the pipe is closed."""
    if not stdin.read(1024):
        loop.remove_reader(stdin)
        stop.set()
        hurry.set()


async def wait_for_broker(settings: Settings, stop: asyncio.Event) -> Metadata | None:
    """Return what the cluster has, as soon as a broker answers; None when told to stop before.

    Raises:
        LiveSegmentsError: the broker answers and refuses.
    """
    tries = 0
    while not stop.is_set():
        try:
            return await asyncio.to_thread(Admin(settings, 3.0).metadata)
        except BrokerUnreachableError as error:
            pause_s = _BACKOFF_S[min(tries, len(_BACKOFF_S) - 1)]
            tries += 1
            log.warning("waiting for Kafka, next try in %g s: %s", pause_s, error)
        try:
            await asyncio.wait_for(stop.wait(), pause_s)
        except TimeoutError:
            continue
    return None


def check_topics(settings: Settings, found: Metadata) -> None:
    """Refuse to run on topics that are missing or do not belong together.

    Faust would split topics with different partition counts over workers without a word.

    Raises:
        UsageError: topics are missing.
        InterlockError: partition counts differ from the settings.
    """
    names = {
        topic_name(settings, topic.name): topic
        for topic in TOPICS
        if topic.name != "segment-changes-backfill"
    }
    missing = [name for name in names if name not in found.copies]
    if missing:
        raise UsageError(f"topics are missing: {', '.join(missing)}; run `live-segments topics create`")
    wrong = [
        f"{name} has {len(found.copies[name])}, not {topic.partition_count(settings)}"
        for name, topic in names.items()
        if len(found.copies[name]) != topic.partition_count(settings)
    ]
    if wrong:
        raise InterlockError(
            f"partition counts: {'; '.join(wrong)} (LIVE_SEGMENTS_PARTITIONS={settings.partitions}); all of "
            f"{', '.join(INPUT_TOPICS)} and what is written per customer need the same: a count cannot be "
            "changed in place, make new topics under another LIVE_SEGMENTS_TOPIC_PREFIX and produce into them"
        )


def free_port(settings: Settings) -> int:
    """Return the port for the worker's page: the chosen one if it is free, any free one for 0.

    Raises:
        UsageError: the port is taken.
    """
    family = socket.AF_INET6 if ":" in settings.web_bind else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.web_bind, settings.web_port))
        except OSError as error:
            raise UsageError(
                f"LIVE_SEGMENTS_WEB_PORT={settings.web_port}: {settings.web_bind} cannot listen there "
                f"({error.strerror}); choose another port, or 0 for any free one"
            ) from error
        return int(probe.getsockname()[1])


def main() -> int:
    """Run the supervised child."""
    stdin = sys.stdin.buffer
    settings = msgspec.json.decode(stdin.readline(), type=Settings)
    _configure_logs(settings)
    try:
        return asyncio.run(serve(settings, SystemClock(), product_parts, stdin))
    except Exception as error:  # noqa: BLE001 - an operator gets one line, whatever it is
        log.critical("%s", one_line(error))
        return exit_code(error)


if __name__ == "__main__":
    sys.exit(main())
