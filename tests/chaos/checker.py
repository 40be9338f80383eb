"""The judge: reads what subscribers and restarting workers read, and counts. No code of the product.

Feed it every record of the topics (`add`), each partition in order, then `report`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tests.chaos import rows
from tests.chaos.expected import INPUTS, Customer, Expected, Message
from tests.chaos.subscriber import Subscriber

EXAMPLES = 5
"""Faults of one kind that are shown."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the verdict; without a bound it is for information."""

    name: str
    found: object
    bound: object = None
    examples: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Return whether it is as it has to be."""
        return self.bound is None or self.found == self.bound


DEFINITIONS = b"definitions"
"""Key of the records that say what the audiences are."""


class Checker:
    """Takes in the records of all topics and compares state, letters, changes and models with the inputs."""

    def __init__(self) -> None:
        self.expected = Expected()
        self.subscriber = Subscriber()
        self.state: dict[int, dict[bytes, bytes | None]] = {}
        """Latest value of each key of the changelog, by partition."""
        self.letters: Counter[tuple[str, int, int]] = Counter()
        self.letter_faults: list[str] = []
        self.segments: dict[str, bytes | None] = {}
        self.models: list[dict[str, Any]] = []
        self.slots: dict[int, str] = {}
        """Audience by its bit in the state."""
        self.deltas: dict[int, int] = {}
        """Offset of each delta to its rows."""
        self.records: Counter[str] = Counter()
        self._add: dict[str, Callable[[Message], None]] = {
            **dict.fromkeys(INPUTS, self.expected.add),
            "profiles-changelog": self._row,
            "segment-changes": self.subscriber.add,
            "segments": self._membership,
            "dead-letters": self._letter,
            "models": self._model,
            "model-deltas": self._delta,
        }

    @property
    def topics(self) -> tuple[str, ...]:
        """Return the topics to read."""
        return tuple(self._add)

    def add(self, message: Message) -> None:
        """Take in a record."""
        self.records[message.topic] += 1
        self._add[message.topic](message)

    def _row(self, message: Message) -> None:
        self.state.setdefault(message.partition, {})[message.key or b""] = message.value

    def _membership(self, message: Message) -> None:
        self.segments[(message.key or b"").decode()] = message.value

    def _letter(self, message: Message) -> None:
        letter = orjson.loads(message.value or b"{}")
        place = letter["topic"], letter["partition"], letter["offset"]
        self.letters[place] += 1
        if letter["raw_sha256"] != self.expected.dead.get(place, letter["raw_sha256"]):
            self.letter_faults.append(f"{place}: other bytes than the record's")
        if message.partition != letter["partition"]:
            self.letter_faults.append(f"{place}: on partition {message.partition}")

    def _delta(self, message: Message) -> None:
        if message.key != DEFINITIONS:
            self.deltas[message.offset] = rows.frame_header(message.value or b"")["rows"]

    def _model(self, message: Message) -> None:
        if message.key == DEFINITIONS:
            audiences = orjson.loads(message.value or b"{}")["audiences"]
            self.slots |= {audience["slot"]: audience["id"] for audience in audiences}
        else:
            self.models.append(rows.frame_header(message.value or b""))

    # ---- the verdict ----------------------------------------------------------------------------
    def report(self, sent: Mapping[str, Any] | None = None) -> list[Finding]:
        """Return the verdict, after everything was added; `sent` is the load's own account."""
        self.subscriber.finish()
        return [
            *(self._load(sent) if sent is not None else ()),
            *self._state(),
            *self._accounts(),
            *self._dead_letters(),
            *self._changes(),
            *self._log_of_models(),
        ]

    def _load(self, sent: Mapping[str, Any]) -> Iterable[Finding]:
        """Compare what the load says it stored with what is there."""
        twice = self.expected.twice
        stored = {f"{t}/{n}": count - twice[t, n] for (t, n), count in self.expected.stored.items()}
        customers = {name: dict(counts) for name, counts in self.expected.by_topic.items()}
        yield Finding("inputs stored", sum(self.expected.stored.values()))
        yield Finding("of them a second time by the load's producer", sum(twice.values()))
        yield Finding("inputs sent, as the load says", sum(sent["stored"].values()), sum(stored.values()))
        yield Finding("topic partitions with another count", _differences(stored, sent["stored"]), 0)
        yield Finding("customers with other inputs", _differences(customers, sent["customers"]), 0)
        yield Finding("inputs unsent or refused", sent["unsent"] + len(sent["refused"]), 0)

    def _state(self) -> Iterable[Finding]:
        """Compare each customer's row with the inputs."""
        totals = {"events lost": 0, "events double counted": 0}
        wrong: list[str] = []
        unerased: list[str] = []
        for name, customer in self.expected.customers.items():
            found = self._row_of(name, customer)
            if customer.erased:
                unerased += self._erasure_faults(name, customer, found)
                continue
            for field in ("views", "clicks", "orders", "refunds"):
                difference = getattr(customer, field) - found.get(field, 0)
                totals["events lost"] += max(difference, 0)
                totals["events double counted"] += max(-difference, 0)
            faults = [k for k, v in found.items() if v != getattr(customer, k, v)]
            if not found or faults:
                wrong.append(
                    f"{name}: {', '.join(f'{k} {found[k]} not {getattr(customer, k)}' for k in faults)}"
                )
        yield Finding("customers", len(self.expected.customers))
        for label, count in totals.items():
            yield Finding(label, count, 0)
        yield _faults("customers whose state is not what was sent", wrong)
        yield _faults("customers in the state whom nobody sent", self._strangers())
        yield Finding("customers erased", sum(c.erased for c in self.expected.customers.values()))
        yield _faults("erasures not carried out", unerased)

    def _row_of(self, name: str, customer: Customer) -> dict[str, int]:
        """Return what the state says of a customer; empty when it has no row."""
        state, key = self.state.get(customer.partition, {}), name.encode()
        hot, cold = state.get(b"h" + key), state.get(b"c" + key)
        if hot is None:
            return {}
        blank = dict.fromkeys((*rows.COLD, *rows.COLD_MONEY), 0)
        return rows.hot(hot) | (blank if cold is None else rows.cold(cold))

    def _erasure_faults(self, name: str, customer: Customer, found: dict[str, int]) -> Iterable[str]:
        mark = self.state.get(customer.partition, {}).get(rows.erased_key(name))
        follower = self.subscriber.customers.get(name)
        if found or self.segments.get(name) is not None:
            yield f"{name}: still there"
        if mark is None:
            yield f"{name}: no marker"
        elif rows.erased_sequence(mark) != (follower.sequence if follower else 0):
            yield f"{name}: the marker's sequence is {rows.erased_sequence(mark)}"
        held = follower and (follower.segment, follower.audiences)
        if follower is not None and (held != (None, set()) or not follower.erased):
            yield f"{name}: in {held} for subscribers"

    def _strangers(self) -> list[str]:
        return [
            f"{number}: {key!r}"
            for number, state in self.state.items()
            for key, value in state.items()
            if key[:1] in {b"h", b"c"}
            and value is not None
            and ((c := self.expected.customers.get(key[1:].decode())) is None or c.partition != number)
        ]

    def _accounts(self) -> Iterable[Finding]:
        """Compare each partition's meta row with its inputs."""
        positions: list[str] = []
        sums: list[str] = []
        expected = self.expected
        for number in sorted({number for _, number in expected.stored}):
            value = self.state.get(number, {}).get(b"m")
            meta = orjson.loads(value) if value is not None else {"positions": {}}
            for topic in INPUTS:
                end, position = expected.ends.get((topic, number), 0), meta["positions"].get(topic, 0)
                if end != position:
                    positions.append(f"{topic}[{number}]: at {position}, the end is {end}")
            dead = sum(1 for _, partition, _ in expected.dead if partition == number)
            for label, wanted, got in (
                ("counted + erased", expected.usable[number], meta.get("counted", 0) + meta.get("erased", 0)),
                ("dead", dead, meta.get("dead", 0)),
                ("duplicates", expected.duplicates[number], meta.get("duplicates", 0)),
            ):
                if wanted != got:
                    sums.append(f"partition {number}: {label} {got}, not {wanted}")
            sums += self._unbalanced(number, meta.get("inputs") or {})
        yield _faults("positions that are not the inputs' ends", positions)
        yield Finding("duplicates", sum(expected.duplicates.values()))
        yield _faults("partitions whose counts do not add up", sums)

    def _unbalanced(self, number: int, inputs: Mapping[str, list[int]]) -> Iterable[str]:
        """Yield the topics whose delivered records are not what is stored, or not all accounted for."""
        for topic, (delivered, *outcomes) in inputs.items():
            stored = self.expected.stored[topic, number]
            if delivered != stored or sum(outcomes) != delivered:
                counted = sum(outcomes)
                yield f"{topic}[{number}]: {delivered} delivered, {counted} accounted for, {stored} stored"

    def _dead_letters(self) -> Iterable[Finding]:
        wanted = self.expected.dead
        yield Finding("unusable records sent", len(wanted))
        yield _faults("dead letters missing", [str(place) for place in wanted if place not in self.letters])
        yield _faults("dead letters repeated", [str(at) for at, count in self.letters.items() if count > 1])
        yield _faults("dead letters of usable records", [str(p) for p in self.letters if p not in wanted])
        yield _faults("dead letters of another content", self.letter_faults)

    def _changes(self) -> Iterable[Finding]:
        subscriber = self.subscriber
        yield Finding("changes", subscriber.records)
        yield Finding("customers with changes", len(subscriber.customers))
        yield _faults("sequence gaps", subscriber.missing)
        yield _faults("sequence repeats", subscriber.repeated)
        yield _faults("changes out of order", subscriber.disorder)
        yield _faults("message ids repeated", subscriber.same_ids)
        yield _faults("moves that do not fit together", subscriber.broken)
        yield _faults("last changes that differ from the state", list(self._unlike_state()))
        yield _faults("last changes that differ from `segments`", list(self._unlike_segments()))

    def _unlike_state(self) -> Iterable[str]:
        for name, customer in self.expected.customers.items():
            follower = self.subscriber.customers.get(name)
            row = self._row_of(name, customer)
            if customer.erased or not row:
                continue
            told = (follower.sequence, follower.segment, follower.audiences) if follower else (0, None, set())
            bits = row["audience_bits"]
            inside = {name for slot, name in self.slots.items() if bits >> slot & 1}
            kept = row["sequence"], f"b-{row['behaviour']}" if row["behaviour"] else None, inside
            if told != kept:
                yield f"{name}: subscribers were told {told}, the state has {kept}"
        for name in self.subscriber.customers.keys() - self.expected.customers.keys():
            yield f"{name}: nobody sent such a customer"

    def _unlike_segments(self) -> Iterable[str]:
        for name in self.subscriber.customers.keys() | self.segments.keys():
            follower, value = self.subscriber.customers.get(name), self.segments.get(name)
            told = None
            if follower is not None and not follower.erased:
                told = follower.sequence, follower.segment, follower.audiences
            record = orjson.loads(value) if value is not None else None
            behaviour = record and record["behaviour"] and record["behaviour"]["segment_id"]
            kept = None
            if record is not None:
                inside = {audience["segment_id"] for audience in record["audiences"]}
                kept = record["sequence"], behaviour, inside
            if told != kept:
                yield f"{name}: subscribers were told {told}, `segments` has {kept}"

    def _log_of_models(self) -> Iterable[Finding]:
        """Check that versions grow by one, and that each has learned each delta before it once."""
        versions = [model["version"] for model in self.models]
        unlike = []
        for model in self.models:
            upto = max((offset for _, offset in model["positions"]), default=-1)
            wanted = sum(count for offset, count in self.deltas.items() if offset <= upto)
            if model["rows"] != wanted:
                unlike.append(f"version {model['version']}: {model['rows']} rows, its deltas have {wanted}")
        yield Finding("models", len(versions))
        yield Finding("deltas", len(self.deltas))
        yield Finding("model versions", versions, list(range(1, len(versions) + 1)))
        yield _faults("models with other rows than their deltas", unlike)


def _faults(name: str, faults: list[str]) -> Finding:
    return Finding(name, len(faults), 0, tuple(faults[:EXAMPLES]))


def _differences(a: Mapping[str, object], b: Mapping[str, object]) -> int:
    """Return how many keys have different values."""
    return sum(a.get(key) != b.get(key) for key in a.keys() | b.keys())
