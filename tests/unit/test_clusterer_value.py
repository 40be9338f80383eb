"""Order histories travel with the deltas, exactly once, and each model is fitted to those that it has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.clusterer import (
    Accumulator,
    Delta,
    DeltaFormatError,
    DeltaRefusedError,
    Merger,
    Model,
    ModelFormatError,
)
from models.clusterer.delta import NOBODY
from models.clusterer.frame import pack, unpack
from models.events import I64
from models.value import ValueModel, ValueSample, fit
from tests.clusterer_samples import FEATURES, deltas_of, first_model, mixture
from tests.value_samples import NOW_MS, rows, shop

ROWS, _ = mixture(seed=3, rows=1600)
MODEL = first_model(ROWS[:600])
HASHES, HISTORY = shop(700, seed=2)
EVERYONE = np.arange(len(HASHES))


def learned(model: Model | None, place: I64, batch: int = 1000) -> list[Delta]:
    """Return what a worker hands out that learns the rows (n,) and shows the customers, in batches."""
    accumulator = Accumulator(FEATURES, model, bootstrap_rows=len(ROWS))
    for start in range(0, len(place), batch):
        here = place[start : start + batch]
        accumulator.learn(ROWS[600:][here])
        accumulator.sample(HASHES[here], rows(HISTORY, here))
    return accumulator.take()


def following(model: Model | None, *deltas: Delta) -> Model:
    """Return the version after `model` with these deltas."""
    merger = Merger(FEATURES, model=model)
    for offset, delta in enumerate(deltas, 0 if model is None else model.positions[0] + 1):
        assert merger.merge(Delta.from_bytes(delta.to_bytes()), 0, offset)
    return Model.from_bytes(merger.advance().to_bytes())


def fitted(sample: ValueSample, past: ValueModel | None = None) -> bytes:
    """Return the value model of a sample that is large enough."""
    model = fit(sample, past)
    assert model is not None
    return model.to_bytes()


@pytest.mark.parametrize("before", [None, MODEL])
def test_a_model_has_the_sample_and_is_fitted_to_it(before: Model | None) -> None:
    """The first version and a later one, through the bytes of deltas and models."""
    model = following(before, *learned(before, EVERYONE))

    assert model.sample.to_bytes() == ValueSample.of(HASHES, HISTORY).to_bytes()
    assert model.value is not None
    assert model.value.to_bytes() == fitted(model.sample)


@pytest.mark.parametrize("batch", [1, 7, 100, 1000, 5000])
def test_batch_size_changes_no_byte(batch: int) -> None:
    """Deltas with their samples are the same for every batch size."""
    assert [d.to_bytes() for d in learned(MODEL, EVERYONE, batch)] == [
        d.to_bytes() for d in learned(MODEL, EVERYONE)
    ]


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_workers_and_order_change_no_byte(workers: int) -> None:
    """However customers are dealt to workers, and however often a worker hands out, the model is the same."""
    parts = np.array_split(np.random.default_rng(workers).permutation(EVERYONE), workers)
    deltas = [delta for part in parts for half in np.array_split(part, 2) for delta in learned(MODEL, half)]

    assert following(MODEL, *reversed(deltas)).digest == following(MODEL, *learned(MODEL, EVERYONE)).digest


def test_a_fit_goes_on_from_the_one_before() -> None:
    """After a restart too; a version without new histories keeps the model as it is."""
    first = following(MODEL, *learned(MODEL, EVERYONE[:400]))
    second = following(first, *learned(first, EVERYONE[400:]))
    third = following(second, *deltas_of(ROWS[:100], second))

    assert len(second.sample) == len(EVERYONE)
    assert second.value is not None
    assert second.value.to_bytes() == fitted(second.sample, first.value)
    assert third.value is not None
    assert third.value.to_bytes() == second.value.to_bytes()


def test_a_warm_start_ends_where_a_cold_one_does() -> None:
    """From the parameters of other customers of the same shop, in fewer steps."""
    other, _ = shop(700, seed=9), None
    past = fit(ValueSample.of(*other))
    cold, warm = fit(ValueSample.of(HASHES, HISTORY)), fit(ValueSample.of(HASHES, HISTORY), past)

    assert cold is not None
    assert warm is not None
    for name in ("orders", "money"):
        parts = getattr(cold, name), getattr(warm, name)
        for field in parts[0].__dataclass_fields__:
            assert getattr(parts[1], field) == pytest.approx(getattr(parts[0], field), rel=1e-3)


def test_who_is_erased_is_forgotten() -> None:
    """Neither the sample nor the fit knows them; what was seen before and comes later does not count."""
    accumulator = Accumulator(FEATURES, MODEL)
    accumulator.sample(HASHES, HISTORY)
    accumulator.forget(HASHES[:50], NOW_MS + 1)
    (delta,) = accumulator.take()
    late = replace(
        Delta.of_rows(FEATURES, ROWS[:0]), sample=ValueSample.of(HASHES[:50], rows(HISTORY, EVERYONE[:50]))
    )
    model = following(MODEL, delta, late)
    others = following(MODEL, *learned(MODEL, EVERYONE[50:]))

    assert not model.sample.history.known[np.isin(model.sample.hashes, HASHES[:50])].any()
    assert model.value is not None
    assert others.value is not None
    assert model.value.to_bytes() == others.value.to_bytes()


def test_a_worker_leaves_out_whom_the_sample_of_its_model_has_no_room_for() -> None:
    """A full sample admits smaller hashes only; without a model everyone is admitted."""
    full = replace(MODEL, sample=ValueSample.of(HASHES, HISTORY, limit=100))
    bound = np.sort(HASHES)[99]

    assert Accumulator(FEATURES, full).admits(HASHES).tolist() == (bound >= HASHES).tolist()
    assert Accumulator(FEATURES).admits(HASHES).all()


def test_without_customers_a_delta_has_no_sample() -> None:
    """Who has shown nobody hands out none, and what was handed out is not handed out again."""
    accumulator = Accumulator(FEATURES, MODEL)
    accumulator.sample(HASHES, HISTORY)
    accumulator.take()
    accumulator.learn(ROWS[:10])
    (delta,) = accumulator.take()

    assert Delta.from_bytes(delta.to_bytes()).sample is NOBODY
    assert accumulator.take() == []


def test_a_delta_of_other_features_adds_nobody() -> None:
    """It is refused as a whole."""
    merger = Merger(FEATURES, model=MODEL)
    with pytest.raises(DeltaRefusedError):
        merger.merge(replace(learned(None, EVERYONE)[0], features=("trend",)), 0, 9)
    merger.merge(deltas_of(ROWS[:600], MODEL)[0], 0, 10)

    assert len(merger.advance().sample) == 0


def test_broken_samples_are_refused() -> None:
    """A sample or value model that nothing writes is refused with what carries it, whatever its checksum."""
    header, arrays = unpack(b"LSDL", learned(MODEL, EVERYONE[:20])[0].to_bytes())
    *rest, sample = arrays
    broken = [
        (header, [*rest, sample[:-1]]),
        (header, [*rest, sample.view(np.uint8)[::-1]]),
        (header, [*rest, rest[0]]),
        (header, rest),
        ({**header, "layout": 3}, arrays),
    ]
    for changed, content in broken:
        with pytest.raises(DeltaFormatError):
            Delta.from_bytes(pack(b"LSDL", changed, content))
    header, arrays = unpack(b"LSMD", following(MODEL, *learned(MODEL, EVERYONE)).to_bytes())
    for place in (-1, -2):
        changed_arrays = list(arrays)
        changed_arrays[place] = arrays[place][::-1]
        with pytest.raises(ModelFormatError):
            Model.from_bytes(pack(b"LSMD", header, changed_arrays))


def test_deltas_and_models_of_the_layout_before_are_read() -> None:
    """Without samples; the model that follows begins one."""
    header, arrays = unpack(b"LSDL", deltas_of(ROWS[:50], MODEL)[0].to_bytes())
    del header["layout"]
    delta = Delta.from_bytes(pack(b"LSDL", header, arrays))
    header, arrays = unpack(b"LSMD", MODEL.to_bytes())
    model = Model.from_bytes(pack(b"LSMD", {**header, "layout": 2}, arrays[:14]))

    assert delta.to_bytes() == deltas_of(ROWS[:50], MODEL)[0].to_bytes()
    assert model.to_bytes() == MODEL.to_bytes()
