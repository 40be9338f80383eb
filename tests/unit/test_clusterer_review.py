"""Sums for each segment travel with the deltas, exactly once, and end up in the model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.clusterer import Accumulator, Delta, DeltaFormatError, Merger, Model, ModelFormatError, Review
from models.clusterer.frame import FormatError, pack, unpack
from models.clusterer.review import NOTHING
from tests.clusterer_samples import FEATURES, deltas_of, first_model, mixture

ROWS, _ = mixture(seed=3, rows=900)
MODEL = first_model(ROWS[:600])
COLUMNS = ("orders", "customers", "money")


def counted(*rows: tuple[int, int, int, int]) -> Review:
    """Return a review of (number, orders, customers, money) rows."""
    array = np.array(rows)
    return Review.counted(COLUMNS, array[:, 0], array[:, 1:])


def test_sums_are_by_segment_and_column() -> None:
    """Rows of one number add up; columns are sorted; what is 0 everywhere is not there."""
    review = counted((2, 1, 0, 500), (1, 0, 1, 0), (2, 2, 0, -500))

    assert review.columns == ("customers", "orders")
    assert review.numbers.tolist() == [1, 2]
    assert review.of(2) == {"customers": 0, "orders": 3}
    assert review.of(9) == {"customers": 0, "orders": 0}


def test_any_order_of_adding_gives_the_same_sums() -> None:
    """Sums that cancel out leave nothing behind, whatever is added when."""
    parts = [counted((1, 0, 1, 0)), counted((1, 0, -1, 0)), counted((3, 4, 0, 0)), NOTHING]
    rng = np.random.default_rng(1)
    totals = set()
    for _ in range(10):
        total = NOTHING
        for place in rng.permutation(len(parts)):
            total = total.plus(parts[place])
        totals.add((total.columns, total.numbers.tobytes(), total.values.tobytes()))

    assert totals == {(("orders",), np.array([3]).tobytes(), np.array([[4]]).tobytes())}


def test_columns_may_differ_between_workers() -> None:
    """A worker that counts a column more adds it; for the others it is 0."""
    more = Review.counted(("clicks",), np.array([2]), np.array([[7]]))

    assert counted((2, 1, 0, 0)).plus(more).of(2) == {"clicks": 7, "orders": 1}


@pytest.mark.parametrize("model", [None, MODEL])
def test_a_delta_carries_its_review(model: Model | None) -> None:
    """It survives the bytes, with rows and without; and without it the bytes are as they were."""
    accumulator = Accumulator(FEATURES, model)
    accumulator.count(counted((1, 1, 1, 250_000)))
    accumulator.count(counted((1, 1, 0, 250_000), (0, 0, -1, 0)))
    (alone,) = accumulator.take()
    accumulator.learn(ROWS[600:700])
    accumulator.count(counted((4, 0, 1, 0)))
    (with_rows,) = accumulator.take()
    back = [Delta.from_bytes(delta.to_bytes()) for delta in (alone, with_rows)]

    assert back[0].review.of(1) == {"customers": 1, "money": 500_000, "orders": 2}
    assert (back[0].rows, back[1].rows) == (0, 100)
    assert back[1].review.of(4) == {"customers": 1}
    assert replace(with_rows, review=NOTHING).to_bytes() == deltas_of(ROWS[600:700], model)[0].to_bytes()
    assert accumulator.take() == []


def test_the_model_has_what_was_counted_since_and_altogether() -> None:
    """`review` is of one version, `standing` of all; a delta that comes twice counts once."""
    merger = Merger(FEATURES, model=MODEL)
    delta = replace(deltas_of(ROWS[600:700], MODEL)[0], review=counted((1, 2, 1, 0), (2, 1, 1, 0)))
    for offset in (1, 1, 0):
        merger.merge(delta, 0, offset)
    first = Model.from_bytes(merger.advance().to_bytes())
    restarted = Merger(FEATURES, model=first)
    restarted.merge(replace(Delta.of_rows(FEATURES, ROWS[:0]), review=counted((1, 1, -1, 0))), 0, 2)
    second = restarted.advance()

    assert first.review.of(1) == first.standing.of(1) == {"customers": 1, "orders": 2}
    assert second.review.of(1) == {"customers": -1, "orders": 1}
    assert second.standing.of(1) == {"customers": 0, "orders": 3}
    assert second.standing.of(2) == {"customers": 1, "orders": 1}


def test_a_difference_leads_from_one_review_to_the_other() -> None:
    """Columns and segments of either; equal reviews differ in nothing."""
    old, new = counted((1, 2, 1, 0), (2, 1, 1, 0)), counted((2, 4, 1, 0), (3, 0, 1, 9))

    assert old.plus(new.minus(old)).to_bytes() == new.to_bytes()
    assert not new.minus(new)
    assert NOTHING.minus(old).of(2) == {"customers": -1, "orders": -1}


def test_a_review_survives_its_bytes() -> None:
    """The changelog keeps it; changed or other bytes are refused."""
    review = counted((1, 2, 1, 0), (2, 1, 1, -7))
    data = review.to_bytes()

    assert Review.from_bytes(data).to_bytes() == data
    assert not Review.from_bytes(NOTHING.to_bytes())
    for changed in (data[:-1], data[:60] + b"x" + data[61:], MODEL.to_bytes()):
        with pytest.raises(FormatError):
            Review.from_bytes(changed)
    with pytest.raises(FormatError):
        Review.from_bytes(pack(b"LSRV", {"review": ["a"]}, [np.array([1])]))


def test_broken_reviews_are_refused() -> None:
    """Reviews that nothing writes are refused with the delta or the model, although the checksum fits."""
    delta = replace(deltas_of(ROWS[:50], MODEL)[0], review=counted((1, 2, 1, 0), (2, 1, 1, 0)))
    header, arrays = unpack(b"LSDL", delta.to_bytes())
    *rest, numbers, values = arrays
    broken = [
        (header, [*rest, numbers[::-1], values]),
        (header, [*rest, numbers, values * 0]),
        (header, [*rest, numbers, values.astype("<f8")]),
        (header, [*rest, numbers, values[:, :1]]),
        (header, rest[:1]),
        ({**header, "review": ["orders", "customers"]}, arrays),
        ({**header, "review": 3}, arrays),
    ]
    for changed, content in broken:
        with pytest.raises(DeltaFormatError):
            Delta.from_bytes(pack(b"LSDL", changed, content))
    with pytest.raises(ModelFormatError):
        Model.from_bytes(replace(MODEL, review=Review(("a",), np.array([1]), np.array([[0]]))).to_bytes())


def test_impossible_counts_are_refused() -> None:
    """Another shape, a column named twice, a negative number."""
    one = np.ones((1, 2), np.int64)
    for columns, number in ((("a",), 1), (("a", "a"), 1), (("a", "b"), -1)):
        with pytest.raises(ValueError, match=r"values of the shape|negative"):
            Review.counted(columns, np.array([number]), one)


def test_models_of_the_layout_before_are_read() -> None:
    """A model without reviews and forgetting is read with none; an unknown layout is refused."""
    header, arrays = unpack(b"LSMD", MODEL.to_bytes())
    older = {name: value for name, value in header.items() if name not in {"layout", "review", "standing"}}
    arrays[8] = arrays[8][:1]
    back = Model.from_bytes(pack(b"LSMD", older, arrays[:10]))

    assert back.to_bytes() == MODEL.to_bytes()
    for layout in (4, "3", True):
        with pytest.raises(ModelFormatError, match=r"layout|arrays"):
            Model.from_bytes(pack(b"LSMD", {**header, "layout": layout}, arrays))
