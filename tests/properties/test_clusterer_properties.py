"""Whatever the rows, models are sound; whatever the bytes, there is a model or one kind of error."""

from __future__ import annotations

import contextlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.clusterer import Accumulator, Delta, DeltaFormatError, Merger, Model, ModelFormatError
from models.clusterer.frame import pack
from models.events import F64
from tests.clusterer_samples import FEATURES, deltas_of, first_model, mixture

WIDTH = 3
NAMES = FEATURES[:WIDTH]
ROWS, _ = mixture(seed=8, rows=400, features=WIDTH)
MODEL = first_model(ROWS, NAMES, n_clusters=4, n_micro=24)

values = st.one_of(
    st.floats(-20, 20, width=32),
    st.sampled_from([0.0, -0.0, float("nan"), float("inf"), -float("inf"), 1e300, -1e300, 5e-324]),
)
matrices = st.lists(st.tuples(*[values] * WIDTH), min_size=1, max_size=40).map(
    lambda rows: np.array(rows, dtype=float)
)


@settings(max_examples=60, deadline=None)
@given(first=matrices, second=matrices)
def test_any_rows_make_sound_models(first: F64, second: F64) -> None:
    """Two versions from any rows can be read back, give finite distances and unique names."""
    merger = Merger(NAMES, n_clusters=4, n_micro=16, warmup=1, epoch=1)
    model: Model | None = None
    for offset, rows in enumerate((first, second)):
        for delta in deltas_of(rows, model, features=NAMES):
            merger.merge(Delta.from_bytes(delta.to_bytes()), 0, offset)
        model = Model.from_bytes(merger.advance().to_bytes())

        assert np.isfinite(model.distances(first)).all()
        assert len(set(model.names)) == len(model.names)
        assert 1 <= len(model.segments) <= 4


@settings(max_examples=60, deadline=None)
@given(rows=matrices, cuts=st.lists(st.integers(0, 40), max_size=6), seed=st.integers(0, 99))
def test_any_chunking_and_order_give_the_same_delta(rows: F64, cuts: list[int], seed: int) -> None:
    """Rows cut anywhere and shuffled give the same delta bytes, with and without a model."""
    for model in (None, MODEL):
        whole, cut = Accumulator(NAMES, model), Accumulator(NAMES, model)
        whole.learn(rows)
        for part in np.split(
            np.random.default_rng(seed).permutation(rows), sorted(min(c, len(rows)) for c in cuts)
        ):
            cut.learn(part)

        assert [one.to_bytes() for one in whole.take()] == [one.to_bytes() for one in cut.take()]


@settings(max_examples=100, deadline=None)
@given(rows=matrices, held=st.integers(0, 6), margin=st.floats(0, 0.99))
def test_a_decision_keeps_or_takes_the_nearest(rows: F64, held: int, margin: float) -> None:
    """A row stays or takes the nearest; deciding again changes nothing; a larger margin moves no more."""
    current = np.full(len(rows), held)
    decided = MODEL.decide(rows, current, margin)
    near = MODEL.assign(rows)

    assert ((decided == current) | (decided == near)).all()
    assert np.isin(decided, MODEL.numbers).all()
    assert (MODEL.decide(rows, decided, margin) == decided).all()
    assert ((MODEL.decide(rows, current, 0.99) == current) >= (decided == current)).all()


@settings(max_examples=100, deadline=None)
@given(rows=matrices, old=st.integers(0, 6), new=st.integers(1, 4))
def test_reasons_add_up_for_any_row(rows: F64, old: int, new: int) -> None:
    """The parts of any move add up to the difference of the squared distances to 1e-9."""
    n = len(rows)
    parts = MODEL.contributions(rows, np.full(n, old), np.full(n, new))
    squares = MODEL.distances(rows) ** 2
    average = (MODEL.scale.to_grid(rows) ** 2).sum(1)
    before = squares[:, old - 1] if 1 <= old <= 4 else average

    assert np.abs(parts.sum(1) - (before - squares[:, new - 1])).max() <= 1e-9


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
header_fields = (
    "version",
    "features",
    "names",
    "descriptions",
    "lineage",
    "next_number",
    "rows",
    "positions",
)


@settings(max_examples=150, deadline=None)
@given(
    noise=st.binary(max_size=200),
    header=st.dictionaries(st.sampled_from((*header_fields, "base_version")), json_values),
    shapes=st.lists(st.lists(st.integers(0, 3), min_size=0, max_size=2), max_size=11),
)
def test_any_bytes_are_refused_in_one_way(
    noise: bytes, header: dict[str, object], shapes: list[list[int]]
) -> None:
    """Bytes that are no model raise ModelFormatError and no other error; the same for deltas."""
    arrays = [np.zeros(shape) for shape in shapes]
    for magic, data in (
        (b"LSMD", noise),
        (b"LSMD", pack(b"LSMD", header, arrays)),
        (b"LSDL", pack(b"LSDL", header, arrays)),
    ):
        with contextlib.suppress(ModelFormatError, DeltaFormatError):
            read = Model.from_bytes(data) if magic == b"LSMD" else Delta.from_bytes(data)
            assert read.to_bytes() == data
