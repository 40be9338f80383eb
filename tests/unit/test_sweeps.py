"""Sweeps that are interrupted: after a restart in the middle, everyone is decided as if there was none."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import orjson
import pytest

from models.clusterer import Model
from models.events import I64
from streams.deciding.at_ticks import AtTicks
from streams.deciding.crowd import Crowd
from streams.deciding.foresight import TOUCHED
from streams.shop.record import ShopRecord
from tests.engine_runs import Driver, definitions, record, trained_model

HOUR_MS = 3_600_000
START_MS = 1_700_000_000_000 // HOUR_MS * HOUR_MS
VIEWS = 1
LOOKERS = """
[[audience]]
id = "lookers"
name = "Lookers"
enter = "views_total >= 5"
"""
FRESH = """
[[audience]]
id = "fresh"
name = "Fresh"
enter = "views_total >= 1"
"""
EASY = LOOKERS.replace(">= 5", ">= 1")


class Costs:
    """A clock of CPU time at which each look costs so much."""

    def __init__(self) -> None:
        self.now_s = self.cost_s = 0.0

    def __call__(self) -> float:
        """Return the time."""
        self.now_s += self.cost_s
        return self.now_s


class Sliced(Driver):
    """Sweeps only when it is told to."""

    sliced = True


def view(customer: str, number: object, time_ms: int) -> ShopRecord:
    """Return a view."""
    return record(VIEWS, customer, number, time_ms, product_id="p")


def renamed(model: Model) -> bytes:
    """Return the next version of a model, with other names."""
    return replace(
        model, version=model.version + 1, names=tuple(f"New {name}" for name in model.names)
    ).to_bytes()


def told(driver: Driver) -> dict[str, list[tuple[str, str, str, int]]]:
    """Return what subscribers are told of each customer."""
    found: dict[str, list[tuple[str, str, str, int]]] = {}
    for key, value in driver.changes():
        p = orjson.loads(value or b"{}")["properties"]
        found.setdefault((key or b"").decode(), []).append(
            (p["audience_key"], p["change"], p["cause"], p["sequence"])
        )
    return found


def named(model: bytes) -> str:
    """Return an audience of all who are in a segment by its name in a model."""
    names = " OR ".join(f"behaviour_segment_name = '{name}'" for name in Model.from_bytes(model).names)
    return f'[[audience]]\nid = "named"\nname = "Named"\nenter = "{names}"\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (LOOKERS, EASY),
        (LOOKERS, EASY + FRESH),
        (EASY + FRESH, EASY),
        (named(renamed(Model.from_bytes(trained_model()))), None),
    ],
    ids=["changed", "added", "removed", "renamed segments"],
)
@pytest.mark.parametrize("slices", [1, 3])
def test_a_restart_in_the_middle_of_a_sweep_that_adopts_a_model_and_definitions_changes_nothing(
    before: str, after: str | None, slices: int
) -> None:
    first = definitions(before)
    driver = Sliced([trained_model(), first])
    customers = [f"c{i}" for i in range(8)]
    for round_ in range(2):
        at_ms = START_MS + 1000 + 2 * HOUR_MS * round_
        driver.feed([view(name, f"{round_}{name}", at_ms) for name in customers]).finish().commit()
    driver.offer(renamed(Model.from_bytes(trained_model())))
    if after is not None:
        driver.offer(definitions(after, first))
    driver.feed([view(name, 3, START_MS + 4 * HOUR_MS) for name in customers[:3]])
    with patch("streams.sweeper.SLICE", 1):
        for _ in range(slices):
            driver.engine.sweep(driver.engine.parts)
    driver.commit()
    restarted = driver.successor()
    assert any(part.sweep is not None for part in restarted.engine.parts.values())
    restarted.finish().commit()
    driver.finish().commit()

    assert told(restarted) == told(driver)
    assert told(driver)
    assert restarted.rows() == driver.rows()


def test_a_sweep_that_ended_before_the_last_commit_is_not_begun_again() -> None:
    driver = Sliced([trained_model(), definitions(LOOKERS)])
    driver.feed([view(f"c{i}", i, START_MS) for i in range(8)]).finish().commit()
    driver.feed([view("c0", "b", START_MS + 2 * HOUR_MS)]).commit()
    assert any(part.sweep is not None for part in driver.successor().engine.parts.values())
    driver.finish().commit()

    assert all(part.sweep is None for part in driver.successor().engine.parts.values())


def test_who_is_in_an_audience_that_is_removed_leaves_it_under_its_last_name() -> None:
    first = definitions(EASY + FRESH)
    driver = Driver([trained_model(), first])
    driver.feed([view("c0", 0, START_MS)]).feed([view("c0", 1, START_MS + 2 * HOUR_MS)])
    driver.offer(definitions(EASY, first))
    driver.feed([view("c0", 2, START_MS + 4 * HOUR_MS)]).commit()
    last = orjson.loads(driver.changes()[-1][1] or b"{}")["properties"]

    assert (last["audience_key"], last["change"], last["cause"]) == ("fresh", "left", "definition")
    assert last["reason"] == "Left Fresh because the definition of the audience changed."


def test_the_work_of_a_slice_is_bounded_and_follows_what_a_slice_costs() -> None:
    """5,000 customers: never more than the size; half of it when slow, to the least; and more when quick."""
    driver = Sliced([trained_model(), definitions(LOOKERS)])
    customers = [f"c{i}" for i in range(5000)]
    driver.feed([view(name, name, START_MS) for name in customers]).finish().commit()
    driver.feed([view(name, f"{name}b", START_MS + 2 * HOUR_MS) for name in customers[:10]])
    sweeper, clock = driver.engine.sweeper, Costs()
    decided: list[int] = []
    sizes: list[int] = []
    real = driver.engine.sweeper.decider.ticks.decide

    def counted(crowd: Crowd, due: I64) -> I64:
        decided.append(len(crowd.rows))
        return real(crowd, due)

    waiting = [part for part in driver.engine.parts.values() if part.sweep is not None]
    with (
        patch("streams.sweeper.thread_time", clock),
        patch.object(AtTicks, "decide", lambda _, crowd, due: counted(crowd, due)),
    ):
        for part in waiting:
            while part.sweep is not None:
                before, left = sum(decided), int((~sweeper.done[part.rows()]).sum())
                sizes.append(sweeper.size)
                clock.cost_s = 0.05 if len(sizes) <= 6 else 0.001
                sweeper.go_on(part)
                assert sum(decided) - before == min(sizes[-1], left)
                assert part.sweep is None or part.sweep.left() == left - sizes[-1]

    assert sizes[:12] == [256, 128, 64, 64, 64, 64, 64, 128, 256, 512, 1024, 2048]
    assert len(waiting) == 2
    assert sum(decided) == len(customers) - 10  # the others were decided before their events


def test_a_sweep_that_changes_many_waits_for_commits_and_then_goes_on() -> None:
    """All of 40 customers enter at a tick, by portions of at most three changes and a slice."""
    first = definitions(LOOKERS)
    driver = Sliced([trained_model(), first])
    driver.feed([view(f"c{i}", i, START_MS) for i in range(40)]).finish().commit()
    driver.offer(definitions(EASY, first))
    driver.feed([view(f"d{i}", f"d{i}", START_MS + 2 * HOUR_MS) for i in range(4)])
    commits = []
    with patch("streams.partition.MAX_CHANGES", 3), patch("streams.sweeper.SLICE", 4):
        while any(part.sweep is not None for part in driver.engine.parts.values()):
            driver.finish()
            full = [number for number in driver.engine.parts if driver.engine.full(number)]
            commits.append([sum(map(len, part.drafts)) for part in driver.engine.parts.values()])
            assert full or not any(part.sweep is not None for part in driver.engine.parts.values())
            driver.commit()

    assert len(commits) > 5
    assert max(map(max, commits)) < 3 + 4
    entered = [
        one for changes in told(driver).values() for one in changes if one[:2] == ("lookers", "entered")
    ]
    assert len(entered) == 44


def test_a_sweep_that_is_late_is_carried_on_before_there_are_more_records() -> None:
    """Else the next tick decided all who are left in one go: nine seconds for 200,000 and a new model."""
    driver = Sliced()
    driver.feed([view(f"c{n}", n, START_MS) for n in range(3_000)])
    engine, tick_ms = driver.engine, driver.engine.rules.sweep_ms
    partition = next(iter(engine.parts))
    driver.clock.set(START_MS + tick_ms)
    engine.advance(partition, START_MS + tick_ms)

    held = [engine.held_up(partition)]
    for passed_ms in (tick_ms - 501, tick_ms):
        driver.clock.set(START_MS + tick_ms + passed_ms)
        held.append(engine.held_up(partition))
    while engine.sweep([partition]):
        pass

    assert held == [False, False, True]
    assert not engine.held_up(partition)


def test_who_is_not_due_is_decided_after_the_next_event_and_looked_at_in_the_tick_after_it() -> None:
    """A silent customer is left out of sweeps; an event, and only that customer's, ends it for one tick."""
    driver = Sliced([trained_model(), definitions(LOOKERS)])
    driver.feed([view(name, name, START_MS) for name in ("ann", "bob")]).finish()
    for hour in (1, 2, 3):
        driver.feed([view("other", hour, START_MS + hour * HOUR_MS)]).finish()
    rows = {key: row for part in driver.engine.parts.values() for key, row in part.index.items()}
    ann, bob = rows[b"ann"], rows[b"bob"]
    due = driver.engine.sweeper.due
    assert due[ann] > driver.engine.parts[0].tick_ms
    held = int(due[bob])
    assert held == due[ann]

    driver.feed([view("ann", f"ann{i}", START_MS + 3 * HOUR_MS + i) for i in range(4)])
    assert (int(due[ann]), int(due[bob])) == (TOUCHED, held)
    driver.commit()
    assert ("lookers", "entered", "event", 2) in told(driver)["ann"]
    driver.feed([view("other", 9, START_MS + 4 * HOUR_MS)]).finish()
    assert due[ann] > driver.engine.parts[0].tick_ms
    assert due[bob] == held
