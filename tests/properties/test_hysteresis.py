"""Deciding a chunk at once is the same as deciding after each event, one after the other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.events import F64, I64
from models.hysteresis import decide, settle
from tests.clusterer_samples import first_model, mixture


class Line:
    """Segments 1..k at distances given by columns; the rule of the clusterer without its geometry."""

    numbers = np.arange(1, 5)

    def step(self, distances: F64, current: I64, margin: float) -> I64:
        """Move to the nearest when nearer by the margin than what is held; 0 holds nothing."""
        row = np.arange(len(distances))
        best = distances.argmin(axis=1)
        held = distances[row, np.maximum(current - 1, 0)]
        moves = (current == 0) | (distances[row, best] < (1 - margin) * held)
        return np.where(moves, best + 1, current)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 60),
    st.integers(1, 8),
    st.sampled_from([0.0, 0.2, 0.5]),
    st.sampled_from([0, 3, 1000]),
)
def test_a_chunk_decides_like_one_event_after_the_other(
    seed: int, n: int, customers: int, margin: float, min_stay_ms: int
) -> None:
    """Any chunk gives the moves that single steps give, also when it holds customers of another model.

    Caught an index error with two models in force in one chunk.
    """
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, customers, n)
    distances = rng.random((n, 4))
    decided = rng.random(n) < 0.8
    at_ms = np.cumsum(rng.integers(0, 4, n))
    order = np.argsort(rows, kind="stable")
    start = np.flatnonzero(np.append(True, np.diff(rows[order]) > 0))
    mine = rng.random(len(start)) < 0.7
    group = np.repeat(np.arange(len(start)), np.diff(np.append(start, n)))
    part = order[mine[group]]
    first = np.flatnonzero(np.append(True, np.diff(rows[part]) > 0)) if len(part) else np.empty(0, np.intp)
    current = rng.integers(0, 5, len(first))
    since = rng.integers(-5, 3, len(first))
    if not len(part):
        return

    moves, final = decide(Line(), distances, margin, current, part, first, decided, at_ms, since, min_stay_ms)

    held = dict(zip(rows[part[first]].tolist(), current.tolist(), strict=True))
    entered = dict(zip(rows[part[first]].tolist(), since.tolist(), strict=True))
    expected, by_margin, by_stay = [], 0, 0
    for event in sorted(part[decided[part]].tolist()):
        customer = int(rows[event])
        old = np.array([held[customer]])
        now = int(Line().step(distances[[event]], old, margin)[0])
        if now == held[customer]:
            by_margin += int(Line().step(distances[[event]], old, 0.0)[0] != now)
        elif min_stay_ms and held[customer] and at_ms[event] - entered[customer] < min_stay_ms:
            by_stay += 1
        else:
            expected.append((event, held[customer], now))
            held[customer], entered[customer] = now, int(at_ms[event])
    got = list(zip(moves.event.tolist(), moves.old.tolist(), moves.new.tolist(), strict=True))
    assert expected == got
    assert [held[int(rows[part[i]])] for i in first] == final.tolist()
    assert (moves.by_margin, moves.by_stay) == (by_margin, by_stay)


def test_a_minimum_stay_holds_nobody_in_a_segment_that_is_gone() -> None:
    """One who holds nothing, or a number that the model no longer has, moves at once; others wait."""
    model = first_model(mixture(3, 600)[0])
    rows = mixture(3, 3)[0]
    near = model.assign(rows)
    held = np.array([0, 999, next(n for n in model.numbers.tolist() if n != near[2])])
    distances, fresh = model.distances(rows), np.zeros(3, np.int64)
    new, kept = settle(model, distances, 0.0, held, fresh, min_stay_ms=10)

    assert new.tolist() == [near[0], near[1], held[2]]
    assert kept.tolist() == [False, False, True]
    assert settle(model, distances, 0.0, held, fresh + 10, min_stay_ms=10)[0].tolist() == near.tolist()


def test_a_minimum_stay_needs_times() -> None:
    """Without the times a minimum stay cannot be kept, and the call says so."""
    one = np.zeros(1, np.int64)
    with pytest.raises(ValueError, match="needs the time"):
        decide(Line(), np.ones((1, 2)), 0.2, one, one, one, np.ones(1, np.bool_), min_stay_ms=5)
