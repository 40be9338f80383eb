"""Limits on unusable input: beyond them the worker stops and says why."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence

import numpy as np

from models.events import I64
from streams.codec.dead_letters import DeadLetter
from streams.codec.hashing import PARTITIONERS, partitions_for
from streams.codec.reason_codes import ReasonCode
from streams.errors import InterlockError
from streams.records import INPUT_TOPICS, RawBatch

WINDOW = 1000
"""Records of a topic partition, and keys of a topic, that a judgement is made on."""


class TooManyUnusableError(InterlockError):
    """More of a topic partition's last records are unusable than the settings allow."""


class WrongPartitionerError(InterlockError):
    """Most keys of a topic lie where another partitioner puts them."""


class UnusableShare:
    """Watches the share of unusable records among the last 1,000 of each topic partition.

    It judges when a chunk ends, once 1,000 records of the topic partition were seen.
    """

    def __init__(self, max_share: float) -> None:
        self._max_share = max_share
        self._seen = np.zeros(0, np.int64)
        self._bad: dict[int, deque[tuple[int, ReasonCode]]] = {}
        self._latest: dict[tuple[int, ReasonCode], str] = {}
        """What was wrong with the last record of a topic partition that is unusable for a reason."""

    def observe(self, raw: RawBatch, dead: Sequence[DeadLetter]) -> None:
        """Count a chunk and its dead letters.

        Raises:
            TooManyUnusableError: with the commonest reason and the setting that lets the worker go on.
        """
        if len(raw) == 0 or self._max_share >= 1:
            return
        place = _places(raw)
        counts = np.bincount(place, minlength=len(self._seen))
        before = np.zeros_like(counts)
        before[: len(self._seen)] = self._seen
        self._seen = before + counts
        if dead:
            rank = _ranks(place) + before[place]
            for letter in dead:
                i = letter.index
                self._bad.setdefault(int(place[i]), deque()).append((int(rank[i]), letter.reason))
                self._latest[int(place[i]), letter.reason] = letter.detail
        for where, bad in self._bad.items():
            seen = int(self._seen[where])
            while bad and bad[0][0] < seen - WINDOW:
                bad.popleft()
            if seen >= WINDOW and len(bad) > self._max_share * WINDOW:
                reason, count = Counter(code for _, code in bad).most_common(1)[0]
                share = f"{count} of them {reason} ({self._said(where, reason)})"
                raise _too_many(where, len(bad), share, self._max_share)

    def _said(self, where: int, reason: ReasonCode) -> str:
        """Return what a reason means, with the last record's own words."""
        detail, meaning = self._latest.get((where, reason)), reason.meaning.rstrip(".")
        return f"{meaning}; the last one: {detail}" if detail else meaning

    def forget(self, partition: int) -> None:
        """Start afresh with a partition number that went to another worker."""
        for topic in range(len(INPUT_TOPICS)):
            where = partition * len(INPUT_TOPICS) + topic
            self._bad.pop(where, None)
            if where < len(self._seen):
                self._seen[where] = 0


class PartitionerCheck:
    """Compares the places of a topic's first 1,000 keys with the partitioner's."""

    def __init__(self, partitions: int, partitioner: str) -> None:
        self._partitions = partitions
        self._partitioner = partitioner
        self._total = dict.fromkeys(range(len(INPUT_TOPICS)), 0)
        self._fits = {topic: Counter[str]() for topic in self._total}

    @property
    def done(self) -> bool:
        """Whether every topic has been judged; `observe` does nothing then."""
        return not self._total

    def observe(self, raw: RawBatch) -> None:
        """Look at the keys of a chunk.

        Raises:
            WrongPartitionerError: with the partitioner that fits, if one does.
        """
        for topic in list(self._total):
            room = WINDOW - self._total[topic]
            at = np.flatnonzero((raw.topic == topic) & (raw.key.sizes() > 0))[:room]
            if not len(at):
                continue
            keys, partition = raw.key.take(at).filled(), raw.partition[at]
            for name in PARTITIONERS:
                fitting = partitions_for(keys, self._partitions, name) == partition
                self._fits[topic][name] += int(np.count_nonzero(fitting))
            self._total[topic] += len(at)
            if self._total[topic] >= WINDOW:
                self._judge(topic)
                del self._total[topic]

    def _judge(self, topic: int) -> None:
        """Raise if most keys are misplaced."""
        fits = self._fits[topic]
        if 2 * fits[self._partitioner] >= WINDOW:
            return
        best, right = fits.most_common(1)[0]
        advice = (
            f"{best} fits {right} of them: set LIVE_SEGMENTS_PARTITIONER={best}"
            if 2 * right > WINDOW
            else f"neither of {', '.join(PARTITIONERS)} fits: key the topic by customer_id with one of them, "
            f"over {self._partitions} partitions"
        )
        raise WrongPartitionerError(
            f"topic {INPUT_TOPICS[topic]}: {WINDOW - fits[self._partitioner]} of its first {WINDOW} keys are "
            f"not on the partition that {self._partitioner} names; {advice}"
        )


def _places(raw: RawBatch) -> I64:
    """Return a number for the topic partition of each record."""
    return raw.partition * len(INPUT_TOPICS) + raw.topic


def _ranks(groups: I64) -> I64:
    """Return how many earlier entries have the same number."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    lengths = np.diff(np.concatenate([starts, [len(groups)]]))
    ranks = np.empty_like(groups)
    ranks[order] = np.arange(len(groups)) - np.repeat(starts, lengths)
    return ranks


def _too_many(where: int, bad: int, commonest: str, max_share: float) -> TooManyUnusableError:
    """Return the error for a topic partition."""
    partition, topic = divmod(where, len(INPUT_TOPICS))
    return TooManyUnusableError(
        f"{INPUT_TOPICS[topic]}[{partition}]: {bad} of the last {WINDOW} records are unusable, "
        f"{commonest}; correct the producer, or set "
        f"LIVE_SEGMENTS_MAX_UNUSABLE_SHARE above {max_share:g} (1 = never stop)"
    )
