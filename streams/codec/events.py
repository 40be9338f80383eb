"""The input contract: raw records of the four input topics to columns of events and dead letters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.events import I64, Bool, Events
from streams.codec.columns import Accepted, merged, to_events
from streams.codec.dead_letters import DeadLetter
from streams.codec.hashing import PARTITIONERS, SessionHashes, partitions_for
from streams.codec.money import exact_rate
from streams.codec.orders import Orders, total_orders
from streams.codec.ordinary import Reader
from streams.codec.parse import Parsed, Refusal, count_unknown_fields, parse_values
from streams.codec.reason_codes import ReasonCode
from streams.codec.schemas import Customer, Event
from streams.codec.times import INVALID, parse_times
from streams.records import INPUT_TOPICS, RawBatch

__all__ = ["DeadLetter", "Decoded", "Decoder", "InputRules"]

MAX_KEY_BYTES = 256
MIN_TIME_MS = 631_152_000_000
"""1990-01-01T00:00:00Z: no shop was on the web before; epoch seconds read as milliseconds end up below it."""
LAST_TIME_MS = 5_648_745_600_000
"""2149-01-01T00:00:00Z: rows count days in 16 bits; only what nobody checks against a clock gets here."""
FUTURE_MS = 5 * 60 * 1000
"""How far a producer's clock may be ahead of the broker's and of ours."""


@dataclass(frozen=True)
class InputRules:
    """What a deployment says about its input."""

    partitions: int
    """Number of partitions of each input topic."""
    partitioner: str
    """One of `streams.codec.hashing.PARTITIONERS`."""
    currency: str
    """The reporting currency."""
    rates: dict[str, float]
    """What one unit of another currency is worth in the reporting one."""
    check_future: bool
    """False for recorded files, whose records have no time of arrival."""


@dataclass(slots=True)
class Decoded:
    """What n raw records came to: len(events) + len(dead) == n."""

    events: Events
    dead: list[DeadLetter]
    """By ascending index."""
    unknown_fields: int
    """Fields that no schema knows; exact for up to 127 records, an estimate for larger chunks."""


class Decoder:
    """Decodes a chunk of records at a time; a record's outcome does not depend on the others of its chunk.

    What is decided here, beyond the types and bounds of `streams.codec.schemas`:

    - The record's key is the customer: UTF-8, 1-256 bytes, equal to customer_id, on the partition that the
      partitioner names.
    - A null value of `customers` is an erasure of its key at the record's timestamp. If that is before 1990
      or in the future it is an erasure now: an erasure is never refused for its time. On event topics null is
      a dead letter. `erase: true` is an erasure at occurred_at.
    - occurred_at before 1990 is refused, and so is one that is more than 5 min after both the record's
      timestamp and now_ms, unless the rules say that the future is not checked.
    - A purchase's money: see `streams.codec.orders.total_orders`.
    - A click without an action, or with an unknown one, is a link.
    """

    def __init__(self, rules: InputRules) -> None:
        if rules.partitioner not in PARTITIONERS:
            raise ValueError(f"partitioner {rules.partitioner!r}: allowed are {', '.join(PARTITIONERS)}")
        self._rules = rules
        self._rates = {currency: exact_rate(rate) for currency, rate in rules.rates.items()}
        self._sessions = SessionHashes()
        self._reader = Reader(rules.partitions, rules.partitioner, rules.currency)

    def decode(self, raw: RawBatch, now_ms: int) -> Decoded:
        """Return the accepted events in the order of raw, and a dead letter for each other; never raises.

        Args:
            raw: records of any topics and partitions.
            now_ms: wall clock in epoch milliseconds.
        """
        read = self._reader.read(raw, MIN_TIME_MS, self._latest(now_ms)) if len(raw) else None
        if read is None:
            return self.parse(raw, now_ms)
        if len(read.events) == len(raw):
            return Decoded(read.events, [], count_unknown_fields(raw, read.extended))
        others = np.flatnonzero(~read.ordinary)
        rest, refused, looked_at = self._parse(raw.take(others), now_ms)
        rest.source = others[rest.source]
        read.extended[others] = looked_at
        dead = [DeadLetter(int(others[i]), *refused[i]) for i in sorted(refused)]
        return Decoded(merged(read.events, rest), dead, count_unknown_fields(raw, read.extended))

    def parse(self, raw: RawBatch, now_ms: int) -> Decoded:
        """Return what `decode` does, by way of the parser for all records: slower, and the same."""
        events, refused, looked_at = self._parse(raw, now_ms)
        dead = [DeadLetter(i, *refused[i]) for i in sorted(refused)]
        return Decoded(events, dead, count_unknown_fields(raw, looked_at))

    def _latest(self, now_ms: int) -> int:
        """Return the latest time that no record is refused for."""
        return min(LAST_TIME_MS - 1, now_ms + FUTURE_MS) if self._rules.check_future else LAST_TIME_MS - 1

    def _parse(self, raw: RawBatch, now_ms: int) -> tuple[Events, dict[int, Refusal], Bool]:
        """Return the accepted events, why the others are refused, and (n,) which values could be parsed."""
        parsed = parse_values(raw)
        readable = np.fromiter([event is not None for event in parsed.events], np.bool_, len(raw))
        self._accept_erasures(raw, parsed, now_ms)
        accepted = self._checked(raw, parsed, now_ms)
        accepted, orders = self._priced(accepted, parsed.refused)
        return to_events(accepted, orders, self._sessions), parsed.refused, readable

    def _accept_erasures(self, raw: RawBatch, parsed: Parsed, now_ms: int) -> None:
        """Put a record of erasure in the place of each null value of `customers`."""
        for i in parsed.erased:
            key = raw.key[i]
            fault = _key_fault(key)
            if key is None or fault is not None:
                parsed.refused[i] = fault or _NO_KEY
                continue
            time = int(raw.timestamp[i])
            late = time >= LAST_TIME_MS or (self._rules.check_future and time > now_ms + FUTURE_MS)
            if time < MIN_TIME_MS or late:
                time = now_ms
            place = f"{INPUT_TOPICS[raw.topic[i]]}/{raw.partition[i]}/{raw.offset[i]}"
            parsed.events[i] = Customer(
                event_id=place, customer_id=key.decode(), occurred_at=time, erase=True
            )

    def _checked(self, raw: RawBatch, parsed: Parsed, now_ms: int) -> Accepted:
        """Return the parsed records whose key, partition and time are right; the others are refused."""
        events = [event for event in parsed.events if event is not None]
        n = len(raw)
        source = np.arange(n)
        if len(events) < n:
            source = source[np.fromiter([event is not None for event in parsed.events], np.bool_, n)]
        keys, wrong_keys = _keys(raw, events, source)
        partition = raw.partition[source].astype(np.int32)
        accepted = Accepted(
            events,
            raw.topic[source],
            source,
            partition,
            keys,
            parse_times([event.occurred_at for event in events]),
        )
        keep = np.ones(len(events), np.bool_)

        def refuse(wrong: Bool, refusal: Callable[[int], Refusal]) -> None:
            for i in np.flatnonzero(wrong & keep).tolist():
                parsed.refused[int(source[i])] = refusal(i)
            keep[wrong] = False

        if wrong_keys:
            wrong = np.zeros(len(events), np.bool_)
            wrong[list(wrong_keys)] = True
            refuse(wrong, wrong_keys.__getitem__)
        rules = self._rules
        right = partitions_for(keys, rules.partitions, rules.partitioner)
        refuse(
            right != partition,
            lambda i: (
                ReasonCode.WRONG_PARTITION,
                None,
                f"by {rules.partitioner} the key belongs to partition {right[i]}",
            ),
        )
        self._refuse_times(raw, accepted, refuse, now_ms)
        return accepted if keep.all() else accepted.select(keep)

    def _refuse_times(
        self,
        raw: RawBatch,
        accepted: Accepted,
        refuse: Callable[[Bool, Callable[[int], Refusal]], None],
        now_ms: int,
    ) -> None:
        """Refuse times that are no times, too old, or in the future."""
        time = accepted.time
        refuse(time == INVALID, lambda _: (ReasonCode.BAD_TIME, "occurred_at", "not RFC 3339 with an offset"))
        refuse(
            time < MIN_TIME_MS,
            lambda i: (ReasonCode.TOO_OLD, "occurred_at", f"{time[i]} ms is before 1990-01-01"),
        )
        refuse(
            time >= LAST_TIME_MS,
            lambda _: (ReasonCode.OUT_OF_RANGE, "occurred_at", "2149 or later"),
        )
        if self._rules.check_future and len(time) and int(time.max()) > now_ms + FUTURE_MS:
            arrived: I64 = raw.timestamp[accepted.source]
            latest = np.clip(arrived, now_ms, max(now_ms, LAST_TIME_MS)) + FUTURE_MS
            refuse(
                time > latest,
                lambda i: (
                    ReasonCode.IN_FUTURE,
                    "occurred_at",
                    f"{int(time[i] - latest[i] + FUTURE_MS) // 1000} s ahead",
                ),
            )

    def _priced(self, accepted: Accepted, refused: dict[int, Refusal]) -> tuple[Accepted, Orders]:
        """Return the records without the purchases that cannot be priced, and the amounts of the others."""
        at, purchases = accepted.purchases()
        orders, faults = total_orders(purchases, self._rules.currency, self._rates)
        if not faults:
            return accepted, orders
        keep = np.ones(len(accepted.events), np.bool_)
        for i, fault in faults.items():
            refused[int(accepted.source[at[i]])] = fault
            keep[at[i]] = False
        accepted = accepted.select(keep)
        orders, _ = total_orders(accepted.purchases()[1], self._rules.currency, self._rates)
        return accepted, orders


_NO_KEY: Refusal = (ReasonCode.BAD_KEY, None, "the record has no key")


def _key_fault(key: bytes | None) -> Refusal | None:
    """Return what is wrong with a key by itself."""
    if key is None:
        return _NO_KEY
    if not key:
        return ReasonCode.BAD_KEY, None, "the key is empty"
    if len(key) > MAX_KEY_BYTES:
        return ReasonCode.BAD_KEY, None, f"the key has {len(key)} bytes, at most {MAX_KEY_BYTES}"
    try:
        key.decode()
    except UnicodeDecodeError:
        return ReasonCode.BAD_KEY, None, "the key is not UTF-8"
    return None


def _keys(raw: RawBatch, events: list[Event], source: I64) -> tuple[list[bytes], dict[int, Refusal]]:
    """Return the customer of each event as bytes, and what is wrong with some keys, by index."""
    keys = [event.customer_id.encode() for event in events]
    given = raw.key.take(source).tolist()
    if keys == given and max(map(len, keys), default=0) <= MAX_KEY_BYTES:
        return keys, {}
    wrong: dict[int, Refusal] = {}
    for i, (key, customer) in enumerate(zip(given, keys, strict=True)):
        fault = _key_fault(key)
        if fault is not None:
            wrong[i] = fault
        elif key != customer:
            wrong[i] = (ReasonCode.KEY_MISMATCH, "customer_id", "customer_id is not the record's key")
    return keys, wrong
