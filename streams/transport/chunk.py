"""The unit of delivery: one Faust message with slices of all partitions that were waiting."""

from __future__ import annotations

from typing import Any

import faust
from faust.types.tuples import TP, ConsumerMessage

from streams.records import RawBatch
from streams.transport.alignment import Slice
from streams.transport.part import Part

Piece = tuple[Part, int, Slice]
"""A slice, the part it was cut from, and the part's epoch at that time."""


class Chunk:
    """Slices of several partition numbers, each in delivery order."""

    __slots__ = ("pieces",)

    def __init__(self, pieces: list[Piece]) -> None:
        self.pieces = pieces

    def fresh(self) -> list[Piece]:
        """Return the pieces that may still be processed: no rebalance came between."""
        return [piece for piece in self.pieces if piece[0].accepts(piece[1])]

    @staticmethod
    def raw(pieces: list[Piece]) -> RawBatch:
        """Return the records of the pieces as one batch."""
        return RawBatch.joined([piece.raw for _, _, piece in pieces])


class ChunkSchema(faust.Schema):
    """Hand the message's value to the agent as it is."""

    def loads_key(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> None:
        """Return no key: a chunk has many."""

    def loads_value(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Any:  # noqa: ARG002 - Faust's signature
        """Return the chunk."""
        return message.value


def message(value: Any, topic: str, partition: int, generation: int, now_s: float) -> ConsumerMessage:
    """Return a Faust message that is routed by topic and partition; offsets and acks are not used."""
    tp = TP(topic, partition)
    return ConsumerMessage(
        topic, partition, 0, now_s, 0, None, None, value, None, 0, 0, tp, generation_id=generation
    )
