"""Inputs and settings at the edge, each of which once stopped, looped or misled the engine."""

from __future__ import annotations

import orjson
import pytest
from msgspec.structs import replace

from streams.clock import ManualClock
from streams.codec.profile_rows import NAME_PREFIX
from streams.errors import LiveSegmentsError, StaleStateError
from streams.outbox import CHANGELOG
from streams.records import CLICKS, CUSTOMERS, PURCHASES, VIEWS, RawList
from streams.replay import NullSink, Replay
from streams.settings import load_settings
from streams.shop.record import ShopRecord
from streams.shop.simulation import simulate
from streams.wiring import make_engine
from tests.engine_runs import HOUR_MS, Driver, definitions, record, trained_model
from tests.oracle.synthetic import DAY_MS, START_MS, stream


@pytest.mark.parametrize("interval_s", [7, 2700])
@pytest.mark.timeout(60)
def test_a_sweep_off_the_grid_ends(interval_s: int) -> None:
    """A sweep interval that does not divide an hour: the bisection of due times ends."""
    settings = load_settings({}, {"currency": "GBP", "sweep_interval_s": interval_s})
    records = simulate(6_000, 500, 5, START_MS, START_MS + 20 * DAY_MS)

    report = Replay(settings, NullSink()).run(records)

    assert report.causes.get("time", 0) > 0


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59-23:59", "2150-01-01T00:00:00Z", 7_000_000_000_000])
def test_a_time_beyond_the_rows_days_is_a_dead_letter(time: str | int) -> None:
    """Rows and records hold no such time, so it must not get that far, by whatever notation."""
    driver = Driver()
    value = orjson.dumps({"event_id": "e", "customer_id": "ann", "occurred_at": time, "order_id": "o"})

    driver.feed([ShopRecord(PURCHASES, b"ann", value, START_MS)]).commit()

    (letter,) = [orjson.loads(r.value or b"") for r in driver.written if r.topic == "dead-letters"]
    assert letter["reason"] == "out_of_range"


def test_an_erasure_with_an_impossible_record_time_happens_now() -> None:
    """A null value of `customers` erases, whatever its record's timestamp says."""
    driver = Driver()
    driver.feed([record(CLICKS, "ann", 1, START_MS)])

    raw = RawList()
    raw.append(
        next(p for p, part in driver.engine.parts.items() if part.index), CUSTOMERS, 0, 2**62, b"ann", None
    )
    driver.engine.process(raw.batch())

    assert not any(part.index for part in driver.engine.parts.values())


def test_a_late_erasure_keeps_newer_events_away_too() -> None:
    """An erasure dated yesterday removes today's events, and they stay away when they are sent again."""
    driver = Driver()
    visit = record(CLICKS, "ann", 1, START_MS + DAY_MS)
    driver.feed([visit]).feed([record(CUSTOMERS, "ann", 2, START_MS, erase=True)])

    driver.feed([visit])

    assert driver.rows() == {}


def test_known_records_are_left_out_where_offsets_may_lag() -> None:
    """Without transactions a restart may bring back records that the state holds: they change nothing."""
    settings = load_settings({}, {"partitions": 1})
    engine = make_engine(settings, ManualClock(START_MS), recorded=True, exactly_once=False)
    engine.open(0)
    raw = RawList()
    raw.append(0, CLICKS, 0, START_MS, b"ann", record(CLICKS, "ann", 1, START_MS).value)
    engine.process(raw.batch())
    written = engine.take(0, START_MS).records

    engine.process(raw.batch())

    assert engine.pending(0) == 0
    rows = [r for r in written if r.topic == CHANGELOG]
    other = make_engine(settings, ManualClock(START_MS), recorded=True, exactly_once=True)
    other.open(0)
    other.restore(0, [r.key or b"" for r in rows], [r.value for r in rows])
    assert other.opened(0, dict.fromkeys(range(4), 0)) == {CLICKS: 1, VIEWS: 0, PURCHASES: 0, CUSTOMERS: 0}


def test_a_state_is_compared_with_the_groups_offsets() -> None:
    settings = load_settings({}, {"partitions": 1})
    engine = make_engine(settings, ManualClock(START_MS), recorded=True)
    engine.open(0)
    raw = RawList()
    for offset in range(3):
        for topic in (CLICKS, VIEWS):
            value = record(topic, "ann", offset, START_MS).value
            raw.append(0, topic, offset, START_MS, b"ann", value)
    engine.process(raw.batch())
    ends = {CLICKS: 3, VIEWS: 3, PURCHASES: 0, CUSTOMERS: 0}

    assert engine.opened(0, dict(ends)) == ends
    assert engine.opened(0, {**ends, CLICKS: 2, VIEWS: 1}) == ends, "the state is ahead, and right"
    with pytest.raises(StaleStateError, match="made up to clicks offset 3, but the group has committed 4"):
        engine.opened(0, {**ends, CLICKS: 4})
    with pytest.raises(LiveSegmentsError, match="the group has no offset of this topic any more"):
        engine.opened(0, {**ends, VIEWS: 0})


def test_codes_follow_the_order_of_events() -> None:
    """Countries told by attributes and by events get the same codes in one chunk as in many."""
    records = [
        record(CLICKS, "ann", 1, START_MS, country="DE"),
        record(CUSTOMERS, "ann", 2, START_MS + 1, attributes={"country": "FR"}),
        record(VIEWS, "ann", 3, START_MS + 2, country="ES"),
    ]
    whole, single = Driver().feed(records).commit(), Driver()
    for one in records:
        single.feed([one])
    single.commit()

    def names(driver: Driver) -> set[tuple[bytes | None, bytes | None]]:
        return {(r.key, r.value) for r in driver.written if (r.key or b"").startswith(NAME_PREFIX)}

    assert names(whole) == names(single)
    assert whole.rows() == single.rows()


def test_names_beyond_those_that_are_kept_are_found_as_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """As records and exports show them; so is what a shop itself calls so. No condition found those."""
    monkeypatch.setattr("models.names.MAX_NAMES", 2)
    text = '[[audience]]\nid = "other"\nname = "Other"\nenter = "country = \'(other)\'"\n'
    driver = Driver([trained_model(), definitions(text)])
    driver.feed([record(CLICKS, "ann", 1, START_MS)])
    driver.feed(  # the first event after a tick brings the audiences in force
        [
            record(CLICKS, "ann", i, START_MS + 2 * HOUR_MS + i, country=country)
            for i, country in enumerate(("(other)", "DE", "FR", "ES", "DE"), start=2)
        ]
    )
    driver.commit()

    told = [orjson.loads(value or b"")["properties"] for _, value in driver.changes()]
    changes = [one["change"] for one in told if one["audience_key"] == "other"]
    assert changes == ["entered", "left", "entered", "left"]


def test_what_attributes_change_is_as_of_when_they_were_told() -> None:
    """Not as of the last tick, nor of an older event that comes after them."""
    text = "\n".join(
        f'[[audience]]\nid = "{name}"\nname = "{name}"\nenter = "country = \'{name.upper()}\'"\n'
        for name in ("fr", "es")
    )
    told_ms = START_MS + 2 * HOUR_MS - 5_000
    driver = Driver([trained_model(), definitions(text)])
    driver.feed([record(CLICKS, "ann", 1, START_MS)])
    driver.feed([record(CUSTOMERS, "ann", 2, told_ms, attributes={"country": "FR"})])
    driver.feed([record(CLICKS, "ann", 3, told_ms - 1_000, country="ES")])
    driver.commit()

    told = [orjson.loads(value or b"") for _, value in driver.changes()]
    found = [
        (one["properties"]["audience_key"], one["properties"]["change"], one["timestamp"]) for one in told
    ]
    assert found == [(key, "entered", "2026-01-01T01:59:55.000Z") for key in ("fr", "b-1")]


def test_a_partition_whose_model_is_gone_adopts_the_newest_at_a_tick() -> None:
    """A restart too many versions behind: nobody moves by another model before the tick that adopts it."""
    driver = Driver()
    records = list(stream(seed=5, customers=20, days=10))
    driver.feed(records[: len(records) // 2]).commit()
    meta = [r for r in driver.written if r.key == b"m" and r.partition == 0][-1]
    older = replace(meta, value=orjson.dumps(orjson.loads(meta.value or b"") | {"model_version": 999}))
    driver.written.append(older)

    after = driver.successor()

    part = after.engine.parts[0]
    before = part.model
    after.engine.advance_to([0], part.stream_ms + DAY_MS, after.clock.now_ms() + DAY_MS)
    assert before is None
    assert part.model is not None
    told = [orjson.loads(drafts.text(i)) for drafts in part.drafts for i in range(len(drafts))]
    assert {one["properties"]["cause"] for one in told} <= {"model"}


def test_a_new_model_over_old_history_is_a_catchup() -> None:
    """Customers who were last there long ago enter their first segment as a catchup, not live."""
    settings = load_settings({}, {"partitions": 1, "min_events": 1})
    clock = ManualClock(START_MS + 30 * DAY_MS)
    engine = make_engine(settings, clock, recorded=True)
    engine.open(0)
    raw = RawList()
    for i, at_ms in enumerate([START_MS, clock.now_ms() - 60_000]):
        customer = f"c{i}"
        value = record(PURCHASES, customer, i, at_ms, total=5).value
        raw.append(0, PURCHASES, i, at_ms, customer.encode(), value)
    engine.process(raw.batch())
    engine.offer_model(trained_model())
    engine.advance(0, clock.now_ms() + 120_000)
    while engine.sweep([0]):
        pass

    records = engine.take(0, clock.now_ms() + 120_000).records

    made = [orjson.loads(r.value or b"") for r in records if r.topic == "segment-changes"]
    assert {change["userId"]: change["properties"]["origin"] for change in made} == {
        "c0": "catchup",
        "c1": "live",
    }
    assert {change["properties"]["cause"] for change in made} == {"model"}
