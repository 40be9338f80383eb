"""The reasons of many changes written at once are those of each: JSON and sentences."""

from __future__ import annotations

import json
import math

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.codec.json_columns import strings
from streams.codec.output_records import Reason, Scalar
from streams.codec.pieces import Pieces
from streams.codec.reasons import reasons_by_column, reasons_json, reasons_table
from streams.codec.sentence_columns import Reasons, sentences
from streams.codec.sentences import reason_sentence, sentence_opening

texts = st.text(max_size=40)
scalars = st.none() | texts | st.booleans() | st.integers(-(2**53), 2**53) | st.floats()
names = st.lists(texts, min_size=1, max_size=5)


@given(names, st.integers(1, 4), st.data())
def test_reasons_are_encoded_together_as_one_by_one(names: list[str], size: int, data: st.DataObject) -> None:
    """Change by change, or a column at a time: the same JSON, whatever the values."""
    values = st.lists(scalars, min_size=size, max_size=size)
    columns: list[tuple[str, list[Scalar], list[Scalar]]] = [
        (name, data.draw(values), data.draw(values)) for name in names
    ]
    reasons = [[Reason(name, now[i], was[i], None) for name, now, was in columns] for i in range(size)]

    assert reasons_by_column(columns) == [reasons_json(one) for one in reasons]


@st.composite
def heaviest(draw: st.DrawFn) -> Reasons:
    """Return up to five reasons of some changes, the heaviest first."""
    n, r = draw(st.integers(0, 4)), 5
    figures = (
        st.floats(-1e15, 1e15) | st.just(math.nan) | st.floats(-12, 12) | st.integers(-99, 99).map(float)
    )
    table = st.lists(figures, min_size=n * r, max_size=n * r).map(
        lambda column: np.array(column).reshape(n, r)
    )
    weights = st.lists(st.floats(0, 1) | st.just(math.nan), min_size=n, max_size=n)
    places = st.lists(st.permutations(range(len(FIGURES))), min_size=n, max_size=n)
    return Reasons(
        features=list(FIGURES),
        feature=np.array(draw(places), np.int64).reshape(n, len(FIGURES))[:, :r],
        value=np.round(draw(table), 6),
        previous=np.round(draw(table), 6),
        weight=np.array(draw(weights)).reshape(n, 1) / np.arange(1, r + 1),
        count=np.array(draw(st.lists(st.integers(0, r), min_size=n, max_size=n)), np.int64),
    )


FIGURES = {
    "days_since_order": ("days since last order", "days"),
    "gap": ("gap", "days"),
    "money_365d": ("money (365 days)", "money"),
    "spent": ('"spent"', "EUR"),
    "coupon_share": ("coupon share", "share"),
    "views_half1d": ("recent views", "count"),
    "views_half7d": ("recent views", "number"),
}
"""Labels and units; two are called the same."""


def one_by_one(table: Reasons) -> list[list[Reason]]:
    """Return the reasons of each change."""

    def known(value: float) -> float | None:
        return None if math.isnan(value) else value

    rows = zip(table.feature, table.value, table.previous, table.weight, table.count, strict=True)
    return [
        [
            Reason(table.features[feature], known(value), known(previous), known(weight))
            for feature, value, previous, weight in [*zip(*map(np.ndarray.tolist, row), strict=True)][:count]
        ]
        for *row, count in rows
    ]


@given(heaviest())
def test_reasons_of_moves_are_written_together_as_one_by_one(table: Reasons) -> None:
    """JSON and sentences, whatever the figures."""
    told = one_by_one(table)
    names = [f'Seg"ment {i}' for i in range(len(told))]
    openings = [
        sentence_opening(cause="event", entered=True, segment_name=name, previous_name="A", next_name=name)
        for name in names
    ]

    assert [json.loads(text) for text in reasons_table(table).tolist()] == [
        json.loads(msgspec.json.encode(one)) for one in told
    ]
    made = sentences(Pieces.of(strings(openings)), table, FIGURES.__getitem__).tolist()
    assert [json.loads(f'"{text}"') for text in made] == [
        reason_sentence(
            cause="event", entered=True, segment_name=name, previous_name="A", next_name=name, reasons=one,
            labels=FIGURES.__getitem__,
        )
        for name, one in zip(names, told, strict=True)
    ]  # fmt: skip
