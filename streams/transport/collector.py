"""From fetched records to chunks: when to fetch what, how long to wait, what goes into the next chunk."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.errors import InterlockError
from streams.transport import alignment, fetch
from streams.transport.chunk import Chunk, Piece, message
from streams.transport.fetched import Fetched
from streams.transport.ownership import Ownership
from streams.transport.pace import Pace
from streams.transport.part import OutOfStepError, Part, State

if TYPE_CHECKING:  # a cycle: the merger's part is built on this package
    from streams.merge_part import MergePart

log = logging.getLogger(__name__)

PAUSE_S = 0.01
"""After a small chunk the loop is left to others for at least so long."""
LONGEST_PAUSE_S = 0.05
"""And for at most so long, though there is little to do: more may come."""
ARRIVING_S = 1.0
"""Records that came so lately are being followed by others: the broker gathers them."""
LEAST_BYTES = 1 << 16
"""... up to so many."""
QUIET = fetch.Patience(wait_ms=500, least_bytes=1)
"""While none arrive: the broker tells of the first at once."""
OPENING = fetch.Patience(wait_ms=100, least_bytes=1)
"""While a partition is not active yet: its first fetch waits for the one under way."""
LOOK_S = 0.1
"""How often it is looked whether records that are buffered may leave; those that arrive wake at once."""
IDLE_S = 1.0
"""The same while none are."""
FIRST_CHUNK = 500
"""Until a partition has committed for the first time chunks are small: each step of its transaction waits for
the chunk that is being processed, and subscribers have waited for it since its former owner went."""
BUFFER_LEAST = 1_000
"""A topic of a partition buffers at least this many records before it is paused."""
FRESH_MS = 5_000
"""The end of a topic is known if the broker answered within this time."""
LONGEST_WAIT_MS = FRESH_MS // 2
"""So the broker holds no fetch for longer, however long the commit interval is."""


class Sink(Protocol):
    """What takes in the fetched records of a topic partition: a part, or the merger."""

    @property
    def epoch(self) -> int:
        """Grows at each activation."""
        ...

    def accepts(self, epoch: int) -> bool:
        """Return whether what was fetched in that epoch may be taken in."""
        ...

    def fetched_to(self, topic: int) -> int:
        """Return the position that the topic's next piece must start at."""
        ...

    def skip(self, topic: int, position: int) -> None:
        """Continue a topic at a later position."""
        ...

    def add(self, topic: int, got: Fetched, now_s: float) -> None:
        """Take in a piece."""
        ...


class Collector:
    """Fills the partitions' buffers and cuts chunks off them."""

    def __init__(self, ownership: Ownership, merge_part: MergePart | None) -> None:
        fetch.prepare()
        alignment.prepare()
        self._ownership = ownership
        self._merge_part = merge_part
        self._stages = ownership.stages
        self._size = ownership.chunk_size
        self._pace = Pace(ownership.settings.commit_interval_ms / 1000)
        self._arrived_at_s = 0.0
        self._last = 0
        self._numbers = {
            ownership.topic_partition(topic, 0).topic: topic for topic in range(len(ownership.topics))
        }

    async def collect(self, client: AIOKafkaConsumer) -> None:
        """Take in what is fetched; when nothing is, wait for a fetch.

        Raises:
            KafkaError: the broker refuses to be read.
            OutOfStepError: records are missing or come twice.
        """
        self._stages.begin()
        self._steer(client)
        drained = fetch.drain(client, self._wanted)
        self._stages.lap("fetch")
        if not drained and (wait_s := self._wait_s(time.monotonic())):
            fetch.check_group(client)
            await fetch.wait_for_records(client, wait_s)
            self._stages.begin()
            drained = fetch.drain(client, self._wanted)
            self._stages.lap("fetch")
        now_s = time.monotonic()
        if any(len(got) for got in drained.values()):
            self._arrived_at_s = now_s
        fetch.be_patient(client, self._patience(now_s))
        await self.take_in(client, drained, now_s)
        self._steer(client)  # before the fetcher's next turn, so that it asks for no more of what is full
        self._learn_ends(client, now_s)

    def _patience(self, now_s: float) -> fetch.Patience:
        if any(part.state is not State.ACTIVE for part in self._ownership.parts.values()):
            return OPENING
        if now_s - self._arrived_at_s > ARRIVING_S:
            return QUIET
        return fetch.Patience(min(round(self._pace.gap_s * 1000), LONGEST_WAIT_MS), LEAST_BYTES)

    async def take_in(
        self, client: AIOKafkaConsumer, drained: Mapping[TopicPartition, Fetched], now_s: float
    ) -> None:
        """Hand on what was drained just now; what a rebalance makes stale meanwhile is fetched again.

        Raises:
            InterlockError: a topic was deleted and made anew.
            OutOfStepError: records are missing.
        """
        taken = [(tp, got, sink := self._sink(tp), sink.epoch) for tp, got in drained.items()]
        for tp, got, sink, epoch in taken:
            await self._add(client, tp, got, now_s, sink, epoch)

    def _sink(self, tp: TopicPartition) -> Sink:
        """Return who gets what was fetched; there is somebody, as it was wanted just now."""
        if self._merge_part is not None and tp == self._merge_part.source and self._merge_part.life:
            return self._merge_part.life
        return self._ownership.parts[tp.partition]

    def _wanted(self, tp: TopicPartition) -> bool:
        """Return whether the partition may be drained, asked at the very moment it would be."""
        if self._merge_part is not None and tp == self._merge_part.source:
            return self._merge_part.wants_more()
        part = self._ownership.parts.get(tp.partition)
        return (
            part is not None and part.state is State.ACTIVE and self._has_room(part, self._numbers[tp.topic])
        )

    def _has_room(self, part: Part, topic: int) -> bool:
        return part.aligner.waiting(topic) < self._bound()

    def _bound(self) -> int:
        return max(BUFFER_LEAST, 2 * self._size.most // max(1, len(self._ownership.parts)))

    def _steer(self, client: AIOKafkaConsumer) -> None:
        """Pause topics whose buffer is full: unread answers would hold up the fetches of all others."""
        paused = client._subscription.paused_partitions()  # noqa: SLF001 - the public one copies a set
        for part in self._ownership.active():
            for topic in range(part.topics):
                tp = self._ownership.topic_partition(topic, part.number)
                if self._has_room(part, topic) == (tp in paused):
                    (client.resume if tp in paused else client.pause)(tp)

    async def _add(
        self,
        client: AIOKafkaConsumer,
        tp: TopicPartition,
        got: Fetched,
        now_s: float,
        sink: Sink,
        epoch: int,
    ) -> None:
        """Buffer what was fetched, unless the part was lost or opened anew since: it is fetched again.

        A rebalance may come between whenever a gap, of this piece or of one before it, is being explained.
        """
        topic = self._numbers.get(tp.topic, 0)
        if not sink.accepts(epoch):
            return
        if got.start != sink.fetched_to(topic):
            await self._explain_gap(client, tp, sink.fetched_to(topic), got.start)
            if not sink.accepts(epoch):
                return
            sink.skip(topic, got.start)
        sink.add(topic, got, now_s)

    async def _explain_gap(
        self, client: AIOKafkaConsumer, tp: TopicPartition, expected: int, start: int
    ) -> None:
        """Accept a gap that retention has made.

        Raises:
            InterlockError: the topic was deleted and made anew.
            OutOfStepError: records got lost on the way, by us.
        """
        if start < expected:
            raise InterlockError(
                f"{tp.topic} partition {tp.partition} ends before offset {expected}, where we were: it was "
                "deleted and made anew, or lost data; restore it, or use a new LIVE_SEGMENTS_APP_ID"
            )
        begin = (await client.beginning_offsets([tp]))[tp]
        if start > begin:
            raise OutOfStepError(
                f"{tp} went from {expected} to {start}, though the broker has it from {begin}"
            )
        log.warning("%s: offsets %d to %d were deleted before they were read", tp, expected, start - 1)

    def _learn_ends(self, client: AIOKafkaConsumer, now_s: float) -> None:
        oldest_ms = self._ownership.clock.now_ms() - FRESH_MS
        for part in self._ownership.active():
            for topic in range(part.topics):
                tp = self._ownership.topic_partition(topic, part.number)
                known = fetch.answered_at_ms(client, tp) >= oldest_ms
                part.aligner.heard(topic, fetch.end_offset(client, tp) if known else None, now_s)

    def _wait_s(self, now_s: float) -> float:
        """Return how long to wait for a fetch, 0 when there is something to deliver."""
        if self._merge_part is not None and self._merge_part.has_deltas():
            return 0.0
        ready = sum(part.aligner.releasable(now_s) for part in self._ownership.hungry())
        if ready:
            return 0.0 if ready >= self._size.now // 2 else min(self._pace.remaining_s(now_s), IDLE_S)
        buffers = any(part.aligner.buffers() for part in self._ownership.active())
        return LOOK_S if buffers else IDLE_S

    def next_message(self, generation: int) -> Any:
        """Return the next chunk as a Faust message, None when it is better to wait."""
        if self._merge_part is not None and (deltas := self._merge_part.next_deltas()) is not None:
            source = self._merge_part.source
            return message(deltas, source.topic, source.partition, generation, time.monotonic())
        now_s = time.monotonic()
        ready = [(part, part.aligner.releasable(now_s)) for part in self._ownership.hungry()]
        total = sum(count for _, count in ready)
        if not total:
            self._last = 0
            return None
        if total < self._size.now // 2 and self._pace.remaining_s(now_s):
            self._last = 0
            return None
        self._stages.begin()
        pieces = self._cut([(part, count) for part, count in ready if count], total, now_s)
        self._stages.lap("fetch")
        self._last = sum(len(piece.raw) for _, _, piece in pieces)
        self._pace.delivered(self._last, now_s)
        first, _, piece = pieces[0]
        topic = self._ownership.topic_partition(int(piece.raw.topic[0]), first.number)
        return message(Chunk(pieces), topic.topic, topic.partition, generation, now_s)

    def _cut(self, ready: list[tuple[Part, int]], total: int, now_s: float) -> list[Piece]:
        """Share the chunk out to the partitions in proportion to what they have."""
        settled = all(part.has_committed for part, _ in ready)
        share = min(1.0, (self._size.now if settled else min(FIRST_CHUNK, self._size.now)) / total)
        pieces = []
        for part, count in ready:
            piece = part.aligner.release(part.number, max(1, round(count * share)), now_s)
            if piece is not None:
                part.unprocessed += len(piece.raw)
                pieces.append((part, part.epoch, piece))
        return pieces

    def pause_s(self) -> float:
        """Return how long to leave the loop to others before the next fetch."""
        if self._last >= self._size.now // 2:
            return 0
        return min(max(self._pace.remaining_s(time.monotonic()), PAUSE_S), LONGEST_PAUSE_S)
