"""Who enters and leaves, against a customer-by-customer reference in plain Python."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.audiences import (
    Column,
    Definition,
    Definitions,
    Flips,
    Inputs,
    Kind,
    Rules,
    Standing,
    apply,
)
from models.audiences.single import truth
from models.events import I64

COLUMNS = {name: Column(name, Kind.NUMBER, name) for name in ("x", "y", "age")}
SLOTS = {"one": 0, "two": 7, "of-one": 8, "of-both": 31, "plain": 16}
START_S = 1_700_000_000


@dataclass(frozen=True)
class Change:
    """A flip as the reference notes it."""

    row: int
    slot: int
    entered: bool
    since_s: int
    time_ms: int


def definitions(min_stay_s: int, cooldown_s: int) -> Definitions:
    audiences = (
        Definition("of-both", "Of both", "is_of_one AND NOT is_two", cooldown_s=cooldown_s),
        Definition("one", "One", "x > 3", "x < 1 OR y > 2", min_stay_s, cooldown_s),
        Definition("two", "Two", "x + y > 2", "y > 2", 0, cooldown_s),
        Definition("of-one", "Of one", "is_one AND y > 0", "NOT is_one", min_stay_s),
        Definition("plain", "Plain", "y = 1 OR age > 60"),
    )
    return Definitions(audiences, SLOTS, version=1)


ORDER = ("one", "two", "plain", "of-one", "of-both")
"""References come first; `Rules` has to find that out by itself."""


def decide_one(
    rules: Rules, values: dict[str, float], held: dict[str, bool], since: dict[str, int], now_ms: int
) -> list[Change]:
    """Decide one customer as the words of `models.audiences.membership` say; `held` and `since` change."""
    changes = []
    row: dict[str, float | bool] = dict(values)
    for name in ORDER:
        rule = rules.rules[name]
        enter, leave = truth(rule.enter, row) is True, truth(rule.leave, row) is True
        now_s = now_ms // 1000
        wait = rule.definition.min_stay_s if held[name] else rule.definition.cooldown_s
        free = since[name] == 0 or now_s - since[name] >= wait
        if free and (leave if held[name] else enter and not leave):
            held[name] = not held[name]
            changes.append(Change(0, rule.slot, held[name], since[name], now_ms))
            since[name] = now_s
        row["is_" + name.replace("-", "_")] = held[name]
    return sorted(changes, key=lambda change: (change.entered, change.slot))


def found(flips: Flips) -> list[Change]:
    columns = (flips.row, flips.slot, flips.entered, flips.since_s, flips.time_ms)
    return [Change(*values) for values in zip(*(c.tolist() for c in columns), strict=True)]


def standing_of(held: list[dict[str, bool]], since: list[dict[str, int]]) -> Standing:
    bits = np.array([sum(h[name] << slot for name, slot in SLOTS.items()) for h in held], np.uint32)
    since_s = np.zeros((len(held), 32), np.uint32)
    for at, s in enumerate(since):
        for name, slot in SLOTS.items():
            since_s[at, slot] = s[name]
    return Standing(bits, since_s)


def drawn(rng: np.random.Generator, n: int) -> dict[str, NDArray[np.float64]]:
    return {
        name: np.where(rng.random(n) < 0.15, np.nan, rng.integers(0, 6, n)).astype(np.float64)
        for name in COLUMNS
    }


def customers(rng: np.random.Generator, g: int) -> tuple[list[dict[str, bool]], list[dict[str, int]]]:
    held = [{name: bool(rng.random() < 0.4) for name in SLOTS} for _ in range(g)]
    since = [{name: int(rng.choice([0, START_S - 50, START_S - 5])) for name in SLOTS} for _ in range(g)]
    return held, since


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 60),
    st.integers(1, 8),
    st.sampled_from([0, 1, 20]),
    st.sampled_from([0, 7, 30]),
)
def test_a_chunk_decides_like_one_event_after_the_other(
    seed: int, n: int, g: int, min_stay_s: int, cooldown_s: int
) -> None:
    """Caught an audience that saw another one's members as of the chunk's end instead of the event."""
    rng = np.random.default_rng(seed)
    rules = Rules(definitions(min_stay_s, cooldown_s), COLUMNS)
    rows, columns, decided = rng.integers(0, g, n), drawn(rng, n), rng.random(n) < 0.8
    now_ms = START_S * 1000 + np.cumsum(rng.integers(0, 9000, n))
    order = np.argsort(rows, kind="stable")
    start = np.flatnonzero(np.append(True, np.diff(rows[order]) > 0))
    held, since = customers(rng, g)
    group = rows[order[start]]
    standing = standing_of([held[i] for i in group], [since[i] for i in group])

    flips = rules.decide_events(Inputs(columns, n), standing, order, start, decided, now_ms)

    expected = []
    for event in np.flatnonzero(decided).tolist():
        customer = int(rows[event])
        values = {name: float(column[event]) for name, column in columns.items()}
        changes = decide_one(rules, values, held[customer], since[customer], int(now_ms[event]))
        expected += [Change(event, c.slot, c.entered, c.since_s, c.time_ms) for c in changes]
    assert expected == found(flips)
    after = standing_of([held[i] for i in group], [since[i] for i in group])
    assert np.array_equal(after.bits, standing.bits)
    assert np.array_equal(after.since_s, standing.since_s)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.sampled_from([0, 20]), st.sampled_from([0, 30]))
def test_a_tick_decides_each_customer_as_the_reference_does(
    seed: int, n: int, min_stay_s: int, cooldown_s: int
) -> None:
    rng = np.random.default_rng(seed)
    rules = Rules(definitions(min_stay_s, cooldown_s), COLUMNS)
    columns, (held, since) = drawn(rng, n), customers(rng, n)
    standing = standing_of(held, since)
    now_ms = START_S * 1000 + rng.integers(0, 30_000, n)

    bits = rules.decide(Inputs(columns, n), standing, now_ms)
    flips = apply(standing, np.arange(n), bits, now_ms)

    expected = [
        Change(at, c.slot, c.entered, c.since_s, c.time_ms)
        for at in range(n)
        for c in decide_one(
            rules, {k: float(v[at]) for k, v in columns.items()}, held[at], since[at], int(now_ms[at])
        )
    ]
    assert expected == found(Flips.joined([flips]))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 6),
    st.integers(1, 60),
    st.sampled_from([0, 25]),
    st.sampled_from([0, 40]),
)
def test_what_is_due_between_two_sweeps_comes_at_the_tick_at_which_small_sweeps_find_it(
    seed: int, n: int, ticks: int, min_stay_s: int, cooldown_s: int
) -> None:
    """Columns grow with time, so each condition turns at most once: one large sweep is as many small ones."""
    rng = np.random.default_rng(seed)
    audiences = (
        Definition("one", "One", "x > 3", "x <= 3", 0, cooldown_s),
        Definition("two", "Two", "y <= 4", "y > 4", min_stay_s),
        Definition("of-one", "Of one", "NOT is_two AND x >= 1"),
    )
    rules = Rules(Definitions(audiences, SLOTS, version=1), COLUMNS)
    x, y, grid_ms = rng.integers(-5, 4, n), rng.integers(0, 9, n), 7000
    base = START_S * 1000 // grid_ms

    def see(rows: NDArray[np.intp], tick: I64) -> tuple[Inputs, I64]:
        aged = (tick - base) * 0.3
        return Inputs({"x": x[rows] + aged, "y": y[rows] + aged}, len(rows)), tick * grid_ms

    held, since = customers(rng, n)
    for h in held:
        h |= {"of-both": False, "plain": False}
    low = np.full(n, base)
    small = standing_of(held, since)
    settle_inputs, settle_ms = see(np.arange(n), low)
    apply(small, np.arange(n), rules.decide(settle_inputs, small, settle_ms), settle_ms)
    large = small.take(np.arange(n))

    flips = rules.decide_due(see, large, low, low + ticks)

    parts = [rules.decide_due(see, small, low + i, low + i + 1) for i in range(ticks)]
    assert found(Flips.joined(parts)) == found(flips)
    assert np.array_equal(small.bits, large.bits)
    assert np.array_equal(small.since_s, large.since_s)


def test_members_of_an_audience_that_was_removed_leave_at_the_next_decision() -> None:
    rules = Rules(Definitions((Definition("one", "One", "x > 3"),), {"one": 0}, {"two": 7}, 2), COLUMNS)
    standing = Standing(np.array([1 << 7 | 1, 1], np.uint32), np.full((2, 32), 5, np.uint32))
    now_ms = np.array([9000, 9000])

    bits = rules.decide(Inputs({"x": np.array([4.0, 4.0])}, 2), standing, now_ms)

    assert found(apply(standing, np.arange(2), bits, now_ms)) == [Change(0, 7, False, 5, 9000)]
