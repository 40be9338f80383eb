"""Texts put together from pieces are those that Python puts together."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.packed import Packed
from streams.codec.figure_kernels import MONEY, NUMBER, SHARE, UNSURE, figures
from streams.codec.pieces import Pieces, join, joined_with_cuts, json_strings, lengths
from streams.codec.sentences import bare_figure

TEXTS = st.text(max_size=40)


@given(st.data())
def test_pieces_are_joined_as_python_joins_them(data: st.DataObject) -> None:
    """Empty ones, long ones, ones of all texts; and the cuts are where the pieces begin."""
    n, k = data.draw(st.integers(0, 6)), data.draw(st.integers(1, 5))
    columns = [data.draw(TEXTS | st.lists(TEXTS, min_size=n, max_size=n)) for _ in range(k)]
    cuts = data.draw(st.lists(st.integers(0, k - 1), unique=True).map(sorted))
    rows = [[one if isinstance(one, str) else one[i] for one in columns] for i in range(n)]

    made, found = joined_with_cuts(
        n, [one if isinstance(one, str) else Pieces.of(one) for one in columns], cuts
    )

    assert [text.decode() for text in made.filled()] == ["".join(row) for row in rows]
    begins = np.append(0, made.ends).tolist()
    for begin, row, places in zip(begins, rows, found.tolist(), strict=False):
        assert places == [begin + len("".join(row[:j]).encode()) for j in cuts]


@given(st.lists(TEXTS, min_size=1), st.lists(st.integers(0, 50)), TEXTS)
def test_pieces_can_be_chosen_and_replaced(texts: list[str], wanted: list[int], other: str) -> None:
    """As lists can; the texts that are chosen from stay as they are."""
    pieces, at = Pieces.of(texts), np.array([i % len(texts) for i in wanted], np.intp)
    chosen = np.arange(len(texts)) % 2 == 0
    odd = np.flatnonzero(~chosen)
    instead = [f"{other}{i}" for i in odd.tolist()]

    assert pieces.at(at).tolist() == [texts[i] for i in at.tolist()]
    assert pieces.only(chosen).tolist() == [text if i % 2 == 0 else "" for i, text in enumerate(texts)]
    assert pieces.but(~chosen, other.encode()).tolist() == [
        text if i % 2 == 0 else other for i, text in enumerate(texts)
    ]
    assert pieces.replaced(odd, instead).tolist() == [
        text if i % 2 == 0 else f"{other}{i}" for i, text in enumerate(texts)
    ]
    assert Pieces.joined([pieces, Pieces.of(instead)]).tolist() == texts + instead
    assert Pieces.one_of(texts, at).tolist() == [texts[i] for i in at.tolist()]
    assert pieces.tolist() == texts


@given(st.lists(TEXTS | st.text('"\\\x00\x1fé', max_size=9)))
def test_texts_become_json_and_are_counted_in_characters(texts: list[str]) -> None:
    packed = Packed.of_strings(texts)

    assert [json.loads(f'"{text}"') for text in json_strings(packed).tolist()] == texts
    assert lengths(packed).tolist() == [str(len(text)) for text in texts]


@given(st.lists(st.floats()), st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_numbers_become_json(real: list[float], whole: list[int]) -> None:
    """What JSON has no number for is null."""
    expected = [value if math.isfinite(value) else None for value in real]

    assert [json.loads(text) for text in Pieces.numbers(np.array(real, np.float64)).tolist()] == expected
    assert [json.loads(text) for text in Pieces.numbers(np.array(whole, np.int64)).tolist()] == whole


def test_nothing_can_be_joined() -> None:
    assert len(join(0, "a", Pieces.of([]))) == 0
    assert join(2, "a").filled() == [b"a", b"a"]


@pytest.mark.parametrize("kind", [NUMBER, SHARE, MONEY])
@given(
    st.lists(
        st.floats(-2e15, 2e15)
        | st.floats(-12, 12)
        | st.decimals(-200, 200, places=4).map(float)
        | st.integers(-(10**7), 10**7).map(lambda number: number / 8)
    )
)
def test_figures_are_written_as_python_writes_them(kind: int, values: list[float]) -> None:
    """Or left to it: those between two roundings, and very large ones; not many others."""
    texts, sizes = figures(np.array(values, np.float64), np.full(len(values), kind, np.uint8))

    for value, text, size in zip(values, texts, sizes.tolist(), strict=True):
        if size == UNSURE:
            scaled = [abs(value) * 10**decimals for decimals in range(7)]
            assert abs(value) >= 1e9 or value == 0 or any(abs(s % 1 - 0.5) < 1e-3 for s in scaled)
        else:
            assert text[:size].tobytes().decode() == bare_figure(value, kind)
