"""A model decides with hysteresis, says why, and survives only intact."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.clusterer import NO_SEGMENT, LineageEvent, LineageKind, Model, ModelFormatError
from models.clusterer.frame import pack, unpack
from models.clusterer.grid import Scale
from models.clusterer.layout import MAGIC
from models.clusterer.references import Sums
from tests.clusterer_samples import FEATURES, first_model, mixture

ROWS, _ = mixture(seed=3, rows=800)
MODEL = first_model(ROWS)


def plain(centres: list[list[float]], numbers: list[int]) -> Model:
    """Return a model in plain units with these centres."""
    k, d = len(centres), len(centres[0])
    return Model(
        version=1,
        features=FEATURES[:d],
        scale=Scale(np.zeros(d), np.ones(d)),
        points=np.array(centres),
        sums=Sums(np.ones(k), np.zeros((k, d)), np.zeros((k, d))),
        centres=np.array(centres),
        counts=np.arange(1.0, k + 1),
        numbers=np.array(numbers),
        names=tuple(f"segment {number}" for number in numbers),
        descriptions=("",) * k,
        lineage=(LineageEvent(LineageKind.BORN, 2),),
        next_number=max(numbers) + 1,
        rows=3,
        error=0.5,
        positions={0: 7, 2: 9},
    )


def test_round_trip_keeps_everything() -> None:
    """Bytes back and forth are the same model."""
    back = Model.from_bytes(MODEL.to_bytes())

    assert MODEL.to_bytes() == back.to_bytes()
    assert MODEL.segments == back.segments
    assert MODEL.digest == back.digest
    assert (
        plain([[0.0], [1.0]], [2, 5]).positions == Model.from_bytes(plain([[0.0]], [2]).to_bytes()).positions
    )
    assert MODEL.distances(ROWS).tobytes() == back.distances(ROWS).tobytes()


def test_any_changed_byte_is_refused() -> None:
    """A model with one byte changed, cut off or added is not read."""
    data = MODEL.to_bytes()
    for place in [*range(60), *range(60, len(data), 997), len(data) - 1]:
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises(ModelFormatError, match="not a model"):
            Model.from_bytes(bytes(changed))
    for other in (b"", data[:10], data[:-1], data + b"x", b"LSDL" + data[4:]):
        with pytest.raises(ModelFormatError):
            Model.from_bytes(other)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0},
        {"features": ("average_order",) * 6},
        {"names": ("one",)},
        {"numbers": np.zeros(8, dtype=np.int64)},
        {"numbers": MODEL.numbers[::-1]},
        {"next_number": 8},
        {"counts": np.full(8, np.nan)},
        {"counts": MODEL.counts[:7]},
        {"centres": MODEL.centres + 1e-5},
        {"centres": MODEL.centres * 1e9},
        {"scale": Scale(MODEL.scale.mean, -MODEL.scale.inverse)},
        {"error": float("inf")},
        {"rows": -1},
    ],
)
def test_inconsistent_content_is_refused(change: dict[str, Any]) -> None:
    """Content that no merger writes is refused, although the checksum fits."""
    with pytest.raises(ModelFormatError, match="not a model"):
        Model.from_bytes(replace(MODEL, **change).to_bytes())


@pytest.mark.parametrize(
    "change",
    [
        {"version": "1"},
        {"version": True},
        {"features": "abc"},
        {"lineage": [["vanished", 1, 0, 1.0]]},
        {"lineage": 3},
        {"positions": [[1]]},
        {"positions": None},
    ],
)
def test_wrong_header_is_refused(change: dict[str, Any]) -> None:
    """A header of other types is refused."""
    header, arrays = unpack(MAGIC, MODEL.to_bytes())
    with pytest.raises(ModelFormatError, match="not a model"):
        Model.from_bytes(pack(MAGIC, {**header, **change}, arrays))
    with pytest.raises(ModelFormatError, match="arrays"):
        Model.from_bytes(pack(MAGIC, header, arrays[1:]))


def test_a_row_moves_only_beyond_the_margin() -> None:
    """Between centres at 0 and 2 a row that holds the first moves beyond 10/9 at a margin of 20 %."""
    model = plain([[0.0], [2.0]], [2, 5])
    rows = np.array([[0.9], [1.05], [1.11], [1.12], [2.0]])

    assert model.assign(rows).tolist() == [2, 5, 5, 5, 5]
    assert model.decide(rows, np.full(5, 2), 0.2).tolist() == [2, 2, 2, 5, 5]
    assert model.decide(rows, np.full(5, 2), 0.0).tolist() == [2, 5, 5, 5, 5]
    assert model.decide(rows, np.full(5, 5), 0.2).tolist() == [5, 5, 5, 5, 5]


@pytest.mark.parametrize("current", [NO_SEGMENT, 1, 3, 99])
def test_an_unknown_number_moves_to_the_nearest(current: int) -> None:
    """A row that holds nothing, or a segment that is gone, takes the nearest at any margin."""
    model = plain([[0.0], [2.0]], [2, 5])

    assert model.decide(np.array([[0.1], [1.1]]), np.full(2, current), 0.9).tolist() == [2, 5]


def test_equal_distances_keep_or_take_the_smallest_number() -> None:
    """A tie moves nobody; one who holds nothing gets the smallest number."""
    model = plain([[0.0], [2.0]], [2, 5])
    tie = np.array([[1.0]])

    assert [int(model.decide(tie, np.array([held]), 0.0)[0]) for held in (0, 2, 5)] == [2, 2, 5]


def test_step_on_slices_equals_decide() -> None:
    """Deciding rank by rank from a distance matrix equals deciding the rows."""
    current = np.random.default_rng(1).integers(0, 10, len(ROWS))
    distances = MODEL.distances(ROWS)
    parts = [MODEL.step(distances[i : i + 90], current[i : i + 90], 0.2) for i in range(0, len(ROWS), 90)]

    assert MODEL.decide(ROWS, current, 0.2).tolist() == np.concatenate(parts).tolist()


def test_missing_is_the_mean_and_infinity_is_far() -> None:
    """NaN counts as the mean of its feature, ±inf as ±8 standard deviations."""
    mean = MODEL.scale.mean
    far = mean + 8 / MODEL.scale.inverse
    rows = np.array([np.full(6, np.nan), np.full(6, np.inf), np.full(6, 1e300)])

    assert MODEL.distances(rows).tolist() == MODEL.distances(np.array([mean, far, far])).tolist()


def test_confidence_is_a_share() -> None:
    """Confidence is 1 at the centre, 0 half-way, for another's row and for none, 1 when there is no other."""
    model = plain([[0.0], [2.0]], [2, 5])
    distances = model.distances(np.array([[0.0], [1.0], [1.5], [0.5], [0.5]]))
    alone = plain([[0.0]], [3])

    assert model.confidence(distances, np.array([2, 2, 2, 2, 0])).tolist() == [
        1.0,
        0.0,
        0.0,
        1 - 0.5 / 1.5,
        0.0,
    ]
    assert alone.confidence(alone.distances(np.array([[3.0]])), np.array([3])).tolist() == [1.0]
    assert MODEL.confidence(MODEL.distances(ROWS), MODEL.assign(ROWS)).min() >= 0


def test_reasons_add_up() -> None:
    """The parts of a move add up to d(old)² - d(new)², one a feature."""
    squares = MODEL.distances(ROWS) ** 2
    numbers = np.repeat(MODEL.numbers[[1, 4]], len(ROWS)).reshape(2, -1)
    parts = MODEL.contributions(ROWS, numbers[0], numbers[1])

    assert parts.shape == ROWS.shape
    assert np.abs(parts.sum(axis=1) - (squares[:, 1] - squares[:, 4])).max() <= 1e-9


def test_reasons_for_a_first_segment_are_against_the_average() -> None:
    """Without an old segment the parts compare with the average customer."""
    model = plain([[0.0, 0.0], [2.0, 1.0]], [2, 5])
    parts = model.contributions(np.array([[2.0, 1.0]]), np.array([NO_SEGMENT]), np.array([5]))

    assert parts.tolist() == [[4.0, 1.0]]


def test_segments_describe_themselves() -> None:
    """Ids, shares and centres are consistent, and the centre is in the units of the rows."""
    assert [f"b-{number}" for number in MODEL.numbers] == [one.id for one in MODEL.segments]
    assert sum(one.share for one in MODEL.segments) == pytest.approx(1.0)
    assert sum(one.count for one in MODEL.segments) == pytest.approx(len(ROWS))
    for one in MODEL.segments:
        mean = ROWS[MODEL.assign(ROWS) == one.number].mean(0)
        assert np.abs((np.array(list(one.centre.values())) - mean) * MODEL.scale.inverse).max() < 0.1
        assert MODEL.segment(one.number) is one
    with pytest.raises(KeyError):
        MODEL.segment(99)


def test_rows_of_another_width_are_refused() -> None:
    """A matrix with a column too few is refused, not stretched."""
    with pytest.raises(ValueError, match="expected"):
        MODEL.distances(ROWS[:, 1:])
