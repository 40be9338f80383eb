"""Events to numbers, beside a plainer way."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.calendar import Calendar
from models.events import Kind, Texts
from models.names import Names
from models.profiles import Columns
from streams.codec.events import Decoder
from streams.coding import to_columns
from streams.telling import LINE_WEIGHT, MAX_INTERESTS, VIEW_WEIGHT, told
from tests.codec_samples import NOW_MS, PARTITIONS, RULES
from tests.properties.test_codec_ordinary import Draw, batch

PAIRS = st.tuples(st.integers(-2, 6), st.integers(-1, 8))
EVENTS = st.lists(st.tuples(st.sampled_from([Kind.VIEW, Kind.CLICK]), PAIRS) | st.lists(PAIRS, max_size=120))
Entry = tuple[int, int, int, float]


def plainly(events: list[tuple[Kind, tuple[int, int]] | list[tuple[int, int]]]) -> list[Entry]:
    """Return event, category, brand and weight of what views and orders tell."""
    found: list[Entry] = []
    for i, event in enumerate(events):
        if isinstance(event, list):
            counted = Counter(event).most_common(MAX_INTERESTS)
            found += [(i, *pair, LINE_WEIGHT * n) for pair, n in counted if pair != (0, 0)]
        elif event[0] == Kind.VIEW and event[1] != (0, 0):
            found.append((i, *event[1], VIEW_WEIGHT))
    return found


@settings(deadline=None)
@given(EVENTS)
def test_what_events_tell(events: list[tuple[Kind, tuple[int, int]] | list[tuple[int, int]]]) -> None:
    """An order's pairs come by frequency, then by first place; those without names tell nothing."""
    kind = [Kind.PURCHASE if isinstance(event, list) else event[0] for event in events]
    viewed = [(0, 0) if isinstance(event, list) else event[1] for event in events]
    lines = [(i, *pair) for i, event in enumerate(events) if isinstance(event, list) for pair in event]
    category, brand = np.array(viewed, np.int32).reshape(-1, 2).T
    event, line_category, line_brand = np.array(lines, np.int64).reshape(-1, 3).T

    spans, of, categories, brands, weights = told(
        np.array(kind, np.uint8),
        category.copy(),
        brand.copy(),
        event.copy(),
        line_category.astype(np.int32),
        line_brand.astype(np.int32),
        int(Kind.VIEW),
    )

    expected = plainly(events)
    assert (
        list(zip(of.tolist(), categories.tolist(), brands.tolist(), weights.tolist(), strict=True))
        == expected
    )
    assert [i for i, (start, stop) in enumerate(spans.tolist()) for _ in range(start, stop)] == [
        entry[0] for entry in expected
    ]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**64))
def test_names_get_the_codes_that_the_parser_would_give(seed: int) -> None:
    """Whichever way records are read, in several chunks: the same columns, and names in the same order."""
    draw = Draw(seed)
    decoder = Decoder(RULES)
    ours, theirs = ({number: Names() for number in range(PARTITIONS)} for _ in range(2))
    for _ in range(3):
        raw = batch([draw.record() for _ in range(draw.randrange(60))], "murmur2")

        found = to_columns(decoder.decode(raw, NOW_MS).events, ours, Calendar.utc())

        expected = to_columns(decoder.parse(raw, NOW_MS).events, theirs, Calendar.utc())
        for field in fields(Columns):
            one, other = getattr(expected, field.name), getattr(found, field.name)
            if isinstance(one, np.ndarray):
                assert one.dtype == other.dtype
                assert one.tolist() == other.tolist()
    for one, other in zip(ours.values(), theirs.values(), strict=True):
        assert one.fresh == other.fresh
        assert one.all() == other.all()


@given(st.lists(st.tuples(st.booleans(), st.lists(st.sampled_from([None, *"abcdefgh"])))))
def test_codes_are_the_order_of_first_sight(chunks: list[tuple[bool, list[str | None]]]) -> None:
    """Whether names have a number, had another one before, or have none."""
    names: list[str | None] = [None]
    book, met = Names(), dict[str | None, int]({None: 0})
    for afresh, texts in chunks:
        if afresh:
            names = [None, *reversed(names[1:])]
        numbered = [text if i % 3 else None for i, text in enumerate(texts)]
        names.extend(text for text in dict.fromkeys(numbered) if text not in names)
        given = Texts.of(texts)
        numbers = [names.index(text) if text else n for n, text in zip(given.numbers, numbered, strict=True)]

        codes = book.codes("brand", Texts(np.array(numbers, np.int32), names, given.others))

        assert codes.tolist() == [met.setdefault(text, len(met)) for text in texts]
    assert book.fresh == [("brand", code, name) for name, code in met.items() if code]
