"""The merger takes each delta once, places late ones, refuses strange ones, and can be rebuilt."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.clusterer import (
    Accumulator,
    Delta,
    DeltaFormatError,
    DeltaRefusedError,
    LineageKind,
    Merger,
    Model,
)
from models.clusterer.frame import pack, unpack
from tests.clusterer_samples import FEATURES, adjusted_rand, deltas_of, first_model, mixture

ROWS, GROUP = mixture(seed=3, rows=4000)
MODEL = first_model(ROWS[:600])


def only(deltas: list[Delta]) -> Delta:
    """Return the one delta of a list."""
    assert len(deltas) == 1
    return deltas[0]


def advanced(model: Model, *deltas: Delta) -> Model:
    """Return the version after `model` with these deltas."""
    merger = Merger(FEATURES, model=model)
    for offset, delta in enumerate(deltas, model.positions[0] + 1):
        assert merger.merge(delta, 0, offset)
    return merger.advance()


@pytest.mark.parametrize("model", [None, MODEL])
def test_delta_round_trip(model: Model | None) -> None:
    """Bytes back and forth are the same delta, raw rows with NaN included."""
    rows = ROWS[:90].copy()
    rows[3, 2] = np.nan
    delta = only(deltas_of(rows, model))
    back = Delta.from_bytes(delta.to_bytes())

    assert delta.to_bytes() == back.to_bytes()
    assert (delta.kind, delta.rows, delta.base_version) == (back.kind, 90, 0 if model is None else 1)


@pytest.mark.parametrize("model", [None, MODEL])
def test_changed_delta_is_refused(model: Model | None) -> None:
    """A delta with one byte changed or cut off is not read."""
    data = only(deltas_of(ROWS[:90], model)).to_bytes()
    for place in range(0, len(data), 501):
        changed = bytearray(data)
        changed[place] ^= 4
        with pytest.raises(DeltaFormatError, match="not a delta"):
            Delta.from_bytes(bytes(changed))
    with pytest.raises(DeltaFormatError):
        Delta.from_bytes(data[:-1])


def test_absurd_content_of_a_delta_is_refused() -> None:
    """Counts, moments and shapes that no worker writes are refused, although the checksum fits."""
    header, arrays = unpack(b"LSDL", only(deltas_of(ROWS[:90], MODEL)).to_bytes())
    for place, value in ((0, -1), (2, 0), (3, np.nan), (3, 1e-9), (4, -1.0), (6, 0.0), (1, 1 << 30)):
        broken = [array.copy() for array in arrays]
        broken[place].flat[0] = value
        with pytest.raises(DeltaFormatError, match="out of range"):
            Delta.from_bytes(pack(b"LSDL", header, broken))
    for other in (
        arrays[1:],
        [arrays[0][1:], *arrays[1:]],
        [arrays[0].astype("<i8"), *arrays[1:]],
        arrays[:1],
    ):
        with pytest.raises(DeltaFormatError):
            Delta.from_bytes(pack(b"LSDL", header, other))
    with pytest.raises(DeltaFormatError, match="header"):
        Delta.from_bytes(pack(b"LSDL", {**header, "features": [1]}, arrays))


def test_a_delta_is_merged_once() -> None:
    """A delta that comes again, or an older one of its partition, changes nothing."""
    delta = only(deltas_of(ROWS[600:900], MODEL))
    merger = Merger(FEATURES, model=MODEL)

    assert [merger.merge(delta, 1, offset) for offset in (5, 5, 4)] == [True, False, False]
    assert merger.merge(delta, 0, MODEL.positions[0]) is False
    assert merger.pending == 300
    assert merger.positions == {0: 0, 1: 5}


def test_due_after_warm_up_and_after_each_epoch() -> None:
    """A version is due when the rows are there, not before."""
    merger = Merger(FEATURES, warmup=200, epoch=300)
    accumulator = Accumulator(FEATURES)
    due = []
    for offset, start in enumerate(range(0, 900, 100)):
        accumulator.learn(ROWS[start : start + 100])
        for delta in accumulator.take():
            merger.merge(delta, 0, offset)
        due.append(merger.due())
        if due[-1]:
            accumulator.adopt(merger.advance())

    assert due == [False, True, False, False, True, False, False, True, False]


def test_a_merger_is_rebuilt_from_the_last_model_and_the_deltas() -> None:
    """One that starts from the published bytes and reads all deltas again goes on as if never stopped."""
    merger = Merger(FEATURES, epoch=500)
    accumulator = Accumulator(FEATURES)
    log: list[Delta] = []
    published: list[bytes] = []
    for start in range(0, 3000, 100):
        accumulator.learn(ROWS[start : start + 100])
        for taken in accumulator.take():
            log.append(taken)
            merger.merge(taken, 0, len(log) - 1)
        if merger.due():
            published.append(merger.advance().to_bytes())
            accumulator.adopt(Model.from_bytes(published[-1]))
    again = Merger(FEATURES, epoch=500, model=Model.from_bytes(published[-2]))
    for offset, delta in enumerate(log):
        again.merge(Delta.from_bytes(delta.to_bytes()), 0, offset)
        if again.due():
            break

    assert len(published) == 6
    assert published[-1] == again.advance().to_bytes()


def test_late_deltas_are_placed_anew() -> None:
    """Deltas against a version three behind give segments as good as those in time, whatever their order."""
    late = [only(deltas_of(part, MODEL)) for part in (ROWS[2000:2600], ROWS[2600:3000])]
    model = MODEL
    for start in (600, 1000, 1500):
        model = advanced(model, only(deltas_of(ROWS[start : start + 400] * 1.0, model)))
    first, second = advanced(model, *late), advanced(model, *reversed(late))

    assert model.version == 4
    assert first.digest == second.digest
    assert first.rows == 600 + 1200 + 1000
    assert adjusted_rand(GROUP, first.assign(ROWS)) >= 0.98


def test_late_deltas_keep_their_spread() -> None:
    """Placed anew, rows spread about the references as much as they did: the deviations agree to 2 %."""
    newer = advanced(MODEL, only(deltas_of(ROWS[600:1000], MODEL)))
    late = advanced(newer, only(deltas_of(ROWS[1000:3000], MODEL)))
    in_time = advanced(newer, only(deltas_of(ROWS[1000:3000], newer)))
    within = [float(model.sums.second.sum()) for model in (late, in_time)]

    assert late.references().moments()[1] == pytest.approx(in_time.references().moments()[1], rel=0.02)
    assert within[0] == pytest.approx(within[1], rel=0.2)


def test_rows_from_before_the_first_model_are_learned_late() -> None:
    """Raw rows that arrive when there is a model are learned as if they had come through it."""
    raw, summed = only(deltas_of(ROWS[600:900], None)), only(deltas_of(ROWS[600:900], MODEL))

    assert advanced(MODEL, raw).digest == advanced(MODEL, summed).digest


def test_what_is_pending_at_an_adoption_is_kept() -> None:
    """An accumulator that adopts a version hands out what it learned before it as a delta of its own."""
    newer = advanced(MODEL, only(deltas_of(ROWS[600:900], MODEL)))
    accumulator = Accumulator(FEATURES)
    for model, rows in ((None, ROWS[:10]), (MODEL, ROWS[10:30]), (newer, ROWS[30:60])):
        if model is not None:
            accumulator.adopt(model)
        accumulator.learn(rows)

    assert accumulator.pending == 60
    assert [(one.kind, one.base_version, one.rows) for one in accumulator.take()] == [
        ("rows", 0, 10),
        ("cf", 1, 20),
        ("cf", 2, 30),
    ]
    assert accumulator.take() == []


def test_raw_rows_are_bounded() -> None:
    """Before a model at most `bootstrap_rows` rows wait; they are the first ones, for any batch size."""
    whole, cut = (Accumulator(FEATURES, bootstrap_rows=50) for _ in range(2))
    whole.learn(ROWS[:300])
    for start in range(0, 300, 7):
        cut.learn(ROWS[start : min(start + 7, 300)])
    delta = only(whole.take())

    assert delta.rows == 50
    assert delta.to_bytes() == only(cut.take()).to_bytes()


def test_strange_deltas_are_refused() -> None:
    """A newer version, another model of the same number, other features: refused; the next is merged."""
    delta = only(deltas_of(ROWS[600:900], MODEL))
    other = only(deltas_of(ROWS[600:900], first_model(ROWS[900:1500])))
    merger = Merger(FEATURES, model=MODEL)
    strange = {
        "version 9": replace(delta, base_version=9),
        "another model": other,
        "other features": only(deltas_of(ROWS[:9, :2], None, features=FEATURES[:2])),
    }
    for offset, (message, refused) in enumerate(strange.items(), 1):
        with pytest.raises(DeltaRefusedError, match=message):
            merger.merge(refused, 0, offset)
    with pytest.raises(DeltaRefusedError, match="the last one known is none"):
        Merger(FEATURES).merge(delta, 0, 0)

    assert merger.pending == 0
    assert merger.merge(delta, 0, 9)
    assert (
        replace(merger.advance(), positions={}).to_bytes()
        == replace(advanced(MODEL, delta), positions={}).to_bytes()
    )


def test_other_features_start_afresh_with_new_numbers() -> None:
    """A model of other features hands on its version and its numbers; its segments died."""
    features = FEATURES[:3]
    accumulator = Accumulator(features, MODEL)
    accumulator.learn(ROWS[:600, :3])
    merger = Merger(features, model=MODEL)
    merger.merge(only(accumulator.take()), 0, 1)
    model = merger.advance()

    assert model.version == 2
    assert model.numbers.tolist() == list(range(9, 17))
    died = [event.number for event in model.lineage if event.kind is LineageKind.DIED]
    assert died == MODEL.numbers.tolist()


def resized(n_clusters: int) -> Model:
    """Return the version after `MODEL` when another number of segments is asked for."""
    merger = Merger(FEATURES, n_clusters, model=MODEL)
    merger.merge(only(deltas_of(ROWS[600:2600], MODEL)), 0, 1)
    return merger.advance()


def test_with_fewer_segments_the_others_are_absorbed() -> None:
    """From 8 to 5 the next version has five of the eight numbers, and says who took up the other three."""
    model = resized(5)
    survived = [event.number for event in model.lineage if event.kind is LineageKind.SURVIVED]
    gone = {event.number: event for event in model.lineage if event.number not in survived}

    assert len(model.numbers) == 5
    assert model.numbers.tolist() == survived
    assert sorted([*survived, *gone]) == MODEL.numbers.tolist()
    assert model.next_number == MODEL.next_number
    before, after = MODEL.assign(ROWS), model.assign(ROWS)
    for number, event in gone.items():
        assert event.kind is LineageKind.ABSORBED
        assert (after[before == number] == event.other).mean() >= 0.95
    for number in survived:
        assert (after[before == number] == number).mean() >= 0.95


def test_with_more_segments_all_go_on() -> None:
    """From 8 to 10 the eight keep their numbers and two new ones are split off."""
    model = resized(10)
    kinds = [(event.kind, event.number) for event in model.lineage]

    assert model.numbers.tolist() == list(range(1, 11))
    assert kinds[:8] == [(LineageKind.SURVIVED, number) for number in MODEL.numbers.tolist()]
    assert kinds[8:] == [(LineageKind.SPLIT, 9), (LineageKind.SPLIT, 10)]


@pytest.mark.parametrize(
    "rows",
    [
        np.ones((1, 6)),
        np.ones((700, 6)),
        np.repeat([[0.0] * 6, [1.0] * 6], 300, axis=0),
        np.full((600, 6), np.nan),
        np.full((600, 6), np.inf),
        np.where(np.arange(3600).reshape(600, 6) % 7 == 0, 1e300, ROWS[:600]),
        np.where(np.arange(6) < 5, 3.0, ROWS[:600]),
    ],
    ids=[
        "one customer",
        "all equal",
        "two kinds",
        "all missing",
        "all infinite",
        "1e300",
        "constant features",
    ],
)
def test_poor_rows_make_a_sound_model(rows: np.ndarray) -> None:
    """Few, equal, missing or absurd rows give a model that can be read, and learning goes on to normal."""
    merger = Merger(FEATURES, warmup=1, epoch=1, half_life=2000)
    merger.merge(only(deltas_of(rows, None)), 0, 0)
    model = Model.from_bytes(merger.advance().to_bytes())
    finite = np.where(np.isfinite(rows), rows, 0.0)
    distinct = len(np.unique(np.clip(finite, -10, 10), axis=0))

    assert 1 <= len(model.segments) <= min(8, distinct)
    assert np.isfinite(model.distances(rows)).all()
    for offset in range(1, 30):
        delta = only(deltas_of(ROWS[600:2000], model))
        merger.merge(delta, 0, offset)
        model = Model.from_bytes(merger.advance().to_bytes())
    assert len(model.segments) == 8
    assert adjusted_rand(GROUP, model.assign(ROWS)) >= 0.9


def test_nothing_learned_makes_no_model() -> None:
    """Before any row there is nothing to build from, and the merger says so; later an empty epoch is fine."""
    with pytest.raises(ValueError, match="nothing to build"):
        Merger(FEATURES).advance()
    model = Merger(FEATURES, model=MODEL).advance()

    assert (model.version, model.rows) == (2, MODEL.rows)
    assert model.numbers.tolist() == MODEL.numbers.tolist()


@pytest.mark.parametrize("options", [{"n_clusters": 0}, {"n_micro": 4}, {"warmup": 0}, {"epoch": 0}])
def test_impossible_parameters_are_refused(options: dict[str, Any]) -> None:
    """Parameters that cannot work are refused at once."""
    with pytest.raises(ValueError, match="need 1 <= n_clusters"):
        Merger(FEATURES, **options)
    with pytest.raises(ValueError, match="at least one feature"):
        Merger(())
