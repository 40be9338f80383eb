"""The estimator keeps River's conventions."""

from __future__ import annotations

import itertools
import math
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from river import base, preprocessing
from river.checks import check_estimator, common

from models.clusterer import NO_SEGMENT, SegmentClusterer
from tests.clusterer_samples import FEATURES, mixture

ROWS, _ = mixture(seed=3, rows=900)
DATA_CHECKS = (
    common.check_learn_one,
    common.check_pickling,
    common.check_shuffle_features_no_impact,
    common.check_emerging_features,
    common.check_disappearing_features,
    common.check_radically_disappearing_features,
    common.check_predict_one_pure,
    common.check_predict_one_before_any_learn,
    common.check_no_state_aliasing_with_input,
    common.check_clone_is_independent,
    common.check_seeding_is_idempotent,
)


class Stream:
    """Rows as River's checks read them: (x, y) pairs, again and again."""

    def __iter__(self) -> Iterator[tuple[dict[str, float], None]]:
        """Yield the first 300 rows."""
        return ((dict(zip(FEATURES, row, strict=True)), None) for row in ROWS[:300].tolist())


class Frame:
    """The least that a dataframe is: names in `columns`, a column by its name, a length."""

    def __init__(self, columns: dict[str, Any]) -> None:
        self._of = columns
        self.columns = list(columns)

    def __getitem__(self, name: str) -> Any:
        """Return a column."""
        return self._of[name]

    def __len__(self) -> int:
        """Return the number of rows."""
        return max(map(len, self._of.values()), default=0)


frames = pytest.mark.parametrize("frame", [pa.table, pl.DataFrame, Frame], ids=["pyarrow", "polars", "least"])


def small() -> SegmentClusterer:
    """Return an estimator that builds several versions within the stream."""
    return SegmentClusterer(n_clusters=3, n_micro=16, warmup=20, epoch=30)


def test_estimator_passes_the_checks_of_river(monkeypatch: pytest.MonkeyPatch) -> None:
    """`check_estimator` passes."""
    # The checks import scikit-learn's data sets before they see that a clusterer gets none of them.
    sklearn = types.ModuleType("sklearn")
    monkeypatch.setattr(sklearn, "datasets", types.ModuleType("sklearn.datasets"), raising=False)
    monkeypatch.setitem(sys.modules, "sklearn", sklearn)

    check_estimator(SegmentClusterer())
    assert isinstance(SegmentClusterer(), base.Clusterer)


@pytest.mark.parametrize("check", DATA_CHECKS, ids=lambda check: str(check.__name__))
def test_estimator_passes_the_data_checks_of_river(check: Callable[..., None]) -> None:
    """The checks on data, which River does not run for clusterers, pass."""
    check(small(), Stream())


def test_clone_keeps_the_arguments() -> None:
    """A clone has the same arguments and nothing learned."""
    clusterer = SegmentClusterer(n_clusters=3, margin=0.1)
    clusterer.learn_many(ROWS)
    clone = clusterer.clone()

    assert clusterer.model is not None
    assert clone.model is None
    assert (clone.n_clusters, clone.margin) == (3, 0.1)


@frames
@pytest.mark.parametrize("rows", [499, 500, 501, 899])
def test_learn_many_equals_learn_one(rows: int, frame: Callable[..., Any]) -> None:
    """A loop of `learn_one` and one `learn_many` end in the same bytes and the same answers."""
    one, many = (SegmentClusterer(warmup=500, epoch=150) for _ in range(2))
    many.learn_many(frame(dict(zip(FEATURES, ROWS[:rows].T, strict=True))))
    for row in ROWS[:rows].tolist():
        one.learn_one(dict(zip(FEATURES, row, strict=True)))
    asked = ROWS[:50]

    if rows < 500:
        assert one.model is None
        assert many.model is None
    else:
        assert one.model is not None
        assert many.model is not None
        assert one.model.to_bytes() == many.model.to_bytes()
    singly = [one.predict_one(dict(zip(FEATURES, row, strict=True))) for row in asked.tolist()]
    assert singly == many.predict_many(asked).tolist()


def test_before_the_first_model_there_is_no_segment() -> None:
    """During the warm-up every row has the number 0."""
    clusterer = SegmentClusterer()
    clusterer.learn_many(ROWS[:10])

    assert clusterer.predict_one({"trend": 1.0}) == NO_SEGMENT
    assert clusterer.predict_many(ROWS[:3]).tolist() == [NO_SEGMENT] * 3
    assert clusterer.centers == {}


def test_none_nan_and_infinities_do_no_harm() -> None:
    """Missing and absurd values change neither the answers for good rows nor the type of any answer."""
    clusterer = SegmentClusterer(n_clusters=3, n_micro=16, warmup=100, epoch=100)
    bad: list[Any] = [None, math.nan, math.inf, -math.inf, 1e300, -1e300]
    rows = itertools.cycle(ROWS.tolist())
    for value in bad * 60:
        clusterer.learn_one(dict(zip(FEATURES, next(rows), strict=True)))
        clusterer.learn_one({**dict(zip(FEATURES, next(rows), strict=True)), "trend": value})
    model = clusterer.model

    assert model is not None
    assert np.isfinite(model.distances(ROWS)).all()
    assert all(math.isfinite(value) for one in model.segments for value in one.centre.values())
    assert len(set(clusterer.predict_many(ROWS).tolist())) == 3
    for value in bad:
        assert clusterer.predict_one(dict.fromkeys(FEATURES, value)) in model.numbers


def test_held_numbers_move_only_beyond_the_margin() -> None:
    """With the numbers held, `predict_many` moves fewer rows than without."""
    clusterer = SegmentClusterer(margin=0.9)
    clusterer.learn_many(ROWS)
    nearest = clusterer.predict_many(ROWS)
    wrong = np.roll(nearest, 1)
    kept = clusterer.predict_many(ROWS, wrong) == wrong

    assert kept.sum() > (nearest == wrong).sum()


@frames
def test_columns_are_matched_by_name(frame: Callable[..., Any]) -> None:
    """A dataframe with columns in another order, one more and one missing gets the answers of the dicts."""
    clusterer = SegmentClusterer(warmup=400)
    clusterer.learn_many(frame(dict(zip(FEATURES, ROWS.T, strict=True))))
    columns = dict(zip(FEATURES, ROWS[:40].T, strict=True))
    del columns["trend"]
    table = {"more": ROWS[:40, 0], **dict(reversed(columns.items()))}
    singly = [clusterer.predict_one(row) for row in pa.table(table).to_pylist()]

    assert singly == clusterer.predict_many(frame(table)).tolist()


@frames
def test_text_columns_that_come_later_are_ignored(frame: Callable[..., Any]) -> None:
    """A column of text after the warm-up changes nothing, in dicts and in dataframes alike."""
    one, many, plain = (SegmentClusterer(warmup=400, epoch=100) for _ in range(3))
    early, late = (dict(zip(FEATURES, part.T, strict=True)) for part in (ROWS[:400], ROWS[400:700]))
    said = {"country": ["DE", "a customer"] * 150, **late}
    for clusterer in (one, many, plain):
        clusterer.learn_many(frame(early))
    for row in pa.table(said).to_pylist():
        one.learn_one(row)
    many.learn_many(frame(said))
    plain.learn_many(frame(late))

    assert one.model is not None
    assert many.model is not None
    assert plain.model is not None
    assert one.model.version == 4
    assert one.model.to_bytes() == many.model.to_bytes() == plain.model.to_bytes()
    assert many.predict_many(frame(said)).tolist() == plain.predict_many(frame(late)).tolist()
    assert len(many.predict_many(frame({"country": said["country"]}))) == 300


@frames
def test_text_in_a_feature_is_refused(frame: Callable[..., Any]) -> None:
    """Text where numbers are learned raises, and nothing of the batch is learned; asking early is fine."""
    clusterer = SegmentClusterer(n_clusters=2, warmup=3)
    text = frame({"orders": ["many", "few"], "views": [1.0, 2.0]})

    assert clusterer.predict_many(text).tolist() == [NO_SEGMENT] * 2
    with pytest.raises(ValueError, match=r"many|text"):
        clusterer.learn_many(text)
    clusterer.learn_many(frame({"orders": [1.0, 5.0], "views": [1.0, 2.0]}))
    assert not clusterer.centers
    clusterer.learn_many(frame({"orders": [2.0], "views": [1.0]}))
    assert len(clusterer.centers) == 2
    with pytest.raises(ValueError, match="many"):
        clusterer.predict_many(text)


@pytest.mark.parametrize("sign", [1, -1])
def test_numbers_beyond_a_float_count_as_infinite(sign: int) -> None:
    """A whole number of four hundred digits is learned and answered as infinity is, by row and by table."""
    clusterers = [SegmentClusterer(n_clusters=3, n_micro=16, warmup=100, epoch=100) for _ in range(3)]
    plain, one, many = clusterers
    learned = [dict(zip(FEATURES, row, strict=True)) for row in ROWS[:300].tolist()]
    for place, row in enumerate(learned):
        huge = {**row, "trend": sign * 10**400} if place % 50 == 0 else row
        plain.learn_one({**row, "trend": sign * math.inf} if place % 50 == 0 else row)
        one.learn_one(huge)
        many.learn_many(Frame({name: [value] for name, value in huge.items()}))
    models = [clusterer.model for clusterer in clusterers]
    asked = {**learned[0], "trend": sign * 10**400}

    assert len({model.to_bytes() for model in models if model is not None}) == 1
    assert None not in models
    assert one.predict_one(asked) == plain.predict_one({**asked, "trend": sign * math.inf})
    matrix = np.array([list(asked.values()), [None] * len(FEATURES)], dtype=object)
    assert one.predict_many(matrix).tolist()[0] == one.predict_one(asked)


def test_names_may_be_numbers() -> None:
    """Rows as `river.stream.iter_array` yields them, named 0, 1, ..., are learned as if named "0", "1"."""
    numbered, named = small(), small()
    for row in ROWS[:300].tolist():
        numbered.learn_one(dict(enumerate(row)))
        named.learn_one({str(place): value for place, value in enumerate(row)})

    assert numbered.model is not None
    assert named.model is not None
    assert numbered.model.to_bytes() == named.model.to_bytes()
    answers = [numbered.predict_one(dict(enumerate(row))) for row in ROWS[:50].tolist()]
    assert answers == numbered.predict_many(ROWS[:50]).tolist()
    assert len(set(answers)) == 3


def test_works_in_a_pipeline() -> None:
    """Behind a transformer of River it learns and predicts as any clusterer does."""
    pipeline = preprocessing.StandardScaler() | small()
    for row in ROWS[:100].tolist():
        pipeline.learn_one(dict(zip(FEATURES, row, strict=True)))

    assert pipeline.predict_one(dict(zip(FEATURES, ROWS[0].tolist(), strict=True))) >= 1


def test_rows_of_another_shape_are_refused() -> None:
    """A vector is no matrix."""
    with pytest.raises(ValueError, match="expected"):
        SegmentClusterer().learn_many(np.zeros(3))
