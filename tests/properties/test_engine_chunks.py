"""The result does not depend on how the stream is cut, nor on where a worker stops and another goes on."""

from __future__ import annotations

from unittest.mock import patch

import msgspec
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from streams.codec.profile_rows import META_KEY, NAME_PREFIX
from streams.outbox import CHANGELOG
from streams.records import Record
from streams.shop.record import ShopRecord
from tests.engine_runs import AUDIENCES, Driver, definitions, driven, in_chunks, names_of, replayed, rows_of
from tests.oracle.synthetic import stream
from tests.strategies import cut, streams


class Properties(msgspec.Struct, kw_only=True):
    """What the test reads of a change record."""

    audience_key: str
    segment_set: str
    change: str
    cause: str
    previous_segment: str | None = None
    next_segment: str | None = None
    move_id: str | None = None


class Change(msgspec.Struct):
    """A change record."""

    properties: Properties


FEW = settings(deadline=None, max_examples=25, derandomize=True, phases=(Phase.explicit, Phase.generate))


def state(driver: Driver) -> tuple[object, ...]:
    """Return all that must be the same: rows, names, changes, and what is known of erased customers."""
    parts = driver.engine.parts.values()
    return (
        driver.rows(),
        names_of(driver.engine),
        driver.changes(),
        [(p.erased, p.counted, p.duplicates, p.ignored, p.stream_ms, p.tick_ms) for p in parts],
        [(p.standing.to_bytes(), sorted(p.flows.items())) for p in parts],
    )


def without_chunks(records: list[Record]) -> tuple[list[Record], list[tuple[bytes | None, ...]]]:
    """Return what is written, in order, but for the wall clock's anchor, and the names in any order."""
    kept, names = [], []
    for record in records:
        if record.topic == CHANGELOG and (record.key or b"").startswith(NAME_PREFIX):
            names.append((str(record.partition).encode(), record.key, record.value))
        elif record.topic == CHANGELOG and record.key == META_KEY:
            meta = msgspec.json.decode(record.value or b"{}")
            del meta["anchor_ms"]
            kept.append(Record(record.topic, record.partition, record.key, msgspec.json.encode(meta)))
        else:
            kept.append(record)
    return kept, sorted(names)


def test_replays_in_chunks_of_1_7_1000() -> None:
    """Every record that a replay writes is the same, byte by byte, with models that come and go meanwhile."""
    records = stream(3, customers=16, days=60)
    one, written = replayed(records, 1)
    assert one.report.changes["left"] > 10
    assert set(one.report.causes) == {"event", "time", "model", "definition", "erasure"}
    for chunk in (7, 1000):
        other, also = replayed(records, chunk)

        assert rows_of(other.engine) == rows_of(one.engine)
        assert names_of(other.engine) == names_of(one.engine)
        assert without_chunks(also.records) == without_chunks(written.records)
        assert other.report.to_json() == one.report.to_json()


@FEW
@given(st.data())
def test_any_cuts(data: st.DataObject) -> None:
    """One chunk, single events and random cuts leave the same rows, names and change records."""
    records = data.draw(streams())
    whole = state(driven([records]))

    assert state(driven(in_chunks(records, 1))) == whole
    assert state(driven(data.draw(cut(records)))) == whole


@FEW
@given(st.data())
def test_commits_change_nothing(data: st.DataObject) -> None:
    """With a commit after every chunk, rows, names and change records are the same as with one at the end."""
    records = data.draw(streams())

    assert state(driven(data.draw(cut(records)), Driver.commit)) == state(driven([records]))


@FEW
@given(st.data())
def test_restore_and_continue(data: st.DataObject) -> None:
    """A worker that starts from the changelog at any commit goes on as if there had been no stop."""
    records = data.draw(streams())
    driver = Driver()
    for chunk in data.draw(cut(records)):
        driver = driver.feed(chunk).commit().successor()

    assert state(driver) == state(driven([records]))


class Sliced(Driver):
    """Sweeps by and by, and events come in between."""

    sliced = True
    slices = 1


def by_customer(driver: Driver) -> dict[bytes | None, list[bytes | None]]:
    """Return the change records of each customer, in order."""
    found: dict[bytes | None, list[bytes | None]] = {}
    for key, value in driver.changes():
        found.setdefault(key, []).append(value)
    return found


@FEW
@given(st.data())
def test_a_sweep_in_slices_between_chunks_and_restarts_decides_as_one_at_once(data: st.DataObject) -> None:
    """Newer definitions come in between, and each slice is one customer."""
    records = data.draw(streams())
    chunks = data.draw(cut(records))
    half = len(chunks) // 2
    newer = definitions(AUDIENCES.replace("days_since_seen > 2", "days_since_seen > 1"), definitions())

    whole: Driver = Driver()
    sliced: Driver = Sliced()
    with patch("streams.sweeper.SLICE", 1):
        for i, chunk in enumerate(chunks):
            if i == half:
                whole.offer(newer)
                sliced.offer(newer)
            whole.feed(chunk)
            sliced = sliced.feed(chunk).commit()
            if data.draw(st.booleans()):
                sliced = sliced.successor()
        sliced.finish().commit()
    whole.commit()

    assert by_customer(sliced) == by_customer(whole)
    assert sliced.rows() == whole.rows()


@FEW
@given(streams(max_size=40))
def test_sequences_and_memberships(records: list[ShopRecord]) -> None:
    """A sequence grows by 1, what is left was held, a move is two records, the last one is in force."""
    driver = driven([records])
    driver.last_changes()
    held: dict[str, str] = {}
    inside: dict[str, set[str]] = {}
    moving: dict[str, str | None] = {}
    for key, value in driver.changes():
        customer = (key or b"").decode()
        change = msgspec.json.decode(value or b"{}", type=Change).properties
        if change.segment_set == "audience":
            theirs = inside.setdefault(customer, set())
            assert (change.audience_key in theirs) == (change.change == "left")
            theirs ^= {change.audience_key}
        elif change.change == "left":
            assert held.pop(customer) == change.audience_key == change.previous_segment
            assert change.next_segment is not None or change.cause == "erasure"
            moving[customer] = change.move_id
        else:
            assert customer not in held
            assert change.previous_segment is None or moving[customer] == change.move_id
            held[customer] = change.audience_key
    rows = driver.engine.slab.rows
    index = {key.decode(): row for part in driver.engine.parts.values() for key, row in part.index.items()}

    assert held == {
        customer: f"b-{n}" for customer, row in index.items() if (n := int(rows["behaviour"][row]))
    }
    rules = driver.engine.versions.newest_rules
    slots = {} if rules is None else rules.definitions.slots
    for customer, row in index.items():
        bits = int(rows["audience_bits"][row])
        assert inside.get(customer, set()) == {name for name, slot in slots.items() if bits >> slot & 1}
