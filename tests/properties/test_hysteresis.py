"""Deciding a chunk at once is the same as deciding after each event, one after the other."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.events import F64, I64
from models.hysteresis import decide


class Line:
    """Segments 1..k at distances given by columns; the rule of the clusterer without its geometry."""

    def step(self, distances: F64, current: I64, margin: float) -> I64:
        """Move to the nearest when nearer by the margin than what is held; 0 holds nothing."""
        row = np.arange(len(distances))
        best = distances.argmin(axis=1)
        held = np.where(current > 0, distances[row, np.maximum(current - 1, 0)], np.inf)
        return np.where(distances[row, best] < (1 - margin) * held, best + 1, current)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 8), st.sampled_from([0.0, 0.2, 0.5]))
def test_a_chunk_decides_like_one_event_after_the_other(
    seed: int, n: int, customers: int, margin: float
) -> None:
    """Any chunk gives the moves that single steps give, also when it holds customers of another model.

    Caught an index error with two models in force in one chunk.
    """
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, customers, n)
    distances = rng.random((n, 4))
    decided = rng.random(n) < 0.8
    order = np.argsort(rows, kind="stable")
    start = np.flatnonzero(np.append(True, np.diff(rows[order]) > 0))
    mine = rng.random(len(start)) < 0.7
    group = np.repeat(np.arange(len(start)), np.diff(np.append(start, n)))
    part = order[mine[group]]
    first = np.flatnonzero(np.append(True, np.diff(rows[part]) > 0)) if len(part) else np.empty(0, np.intp)
    current = rng.integers(0, 5, len(first))
    if not len(part):
        return

    moves, final = decide(Line(), distances, margin, current, part, first, decided)

    held = dict(zip(rows[part[first]].tolist(), current.tolist(), strict=True))
    expected = []
    for event in sorted(part.tolist()):
        customer = int(rows[event])
        now = int(Line().step(distances[[event]], np.array([held[customer]]), margin)[0])
        if decided[event] and now != held[customer]:
            expected.append((event, held[customer], now))
            held[customer] = now
    got = list(zip(moves.event.tolist(), moves.old.tolist(), moves.new.tolist(), strict=True))
    assert expected == got
    assert [held[int(rows[part[i]])] for i in first] == final.tolist()
