"""The same rows give the same bytes, however they come."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest

from models.clusterer import Accumulator, Delta, Merger, Model, SegmentClusterer
from models.events import F64
from tests.clusterer_samples import FEATURES, deltas_of, first_model, mixture

ROWS, _ = mixture(seed=3, rows=2600)
WARM, EPOCH = ROWS[:600], ROWS[600:]


def merged(model: Model, *parts: F64, batch: int = 1000) -> Model:
    """Return the version after `model` that learned the parts, a worker each."""
    merger = Merger(FEATURES, model=model)
    offset = model.positions[0]
    for part in parts:
        for delta in deltas_of(part, model, batch):
            offset += 1
            merger.merge(delta, 0, offset)
    return merger.advance()


@pytest.mark.parametrize("batch", [1, 7, 100, 1000, 5000])
def test_batch_size_changes_no_byte(batch: int) -> None:
    """Models and labels are the same for every batch size: epochs end at exact rows, also within a batch."""
    whole, cut = (SegmentClusterer(warmup=500, epoch=600) for _ in range(2))
    whole.learn_many(ROWS)
    for start in range(0, len(ROWS), batch):
        cut.learn_many(ROWS[start : start + batch])

    assert whole.model is not None
    assert cut.model is not None
    assert whole.model.version == 4
    assert whole.model.to_bytes() == cut.model.to_bytes()
    labels = [cut.predict_many(ROWS[start : start + batch]) for start in range(0, len(ROWS), batch)]
    assert whole.predict_many(ROWS).tolist() == np.concatenate(labels).tolist()


def test_row_order_within_an_epoch_changes_no_byte() -> None:
    """The estimator gives the same bytes for any order of the rows between two versions."""
    rng = np.random.default_rng(2)
    plain, shuffled = (SegmentClusterer(warmup=500, epoch=600) for _ in range(2))
    for part in np.split(ROWS[:2300], [500, 1100, 1700]):
        plain.learn_many(part)
        shuffled.learn_many(rng.permutation(part))

    assert plain.model is not None
    assert shuffled.model is not None
    assert plain.model.version == 4
    assert plain.model.to_bytes() == shuffled.model.to_bytes()


@pytest.mark.parametrize("batch", [1, 7, 100, 1000])
def test_accumulator_gives_the_same_delta_for_any_batch_size(batch: int) -> None:
    """A delta depends on the rows, not on the calls that they came in."""
    model = first_model(WARM)

    assert [d.to_bytes() for d in deltas_of(EPOCH, model, 2000)] == [
        d.to_bytes() for d in deltas_of(EPOCH, model, batch)
    ]


def test_row_order_changes_no_byte() -> None:
    """Shuffled rows give the same first model, and the same next one within an epoch."""
    rng = np.random.default_rng(5)
    model, shuffled = first_model(WARM), first_model(rng.permutation(WARM))

    assert model.to_bytes() == shuffled.to_bytes()
    assert merged(model, EPOCH).to_bytes() == merged(model, rng.permutation(EPOCH)).to_bytes()


@pytest.mark.parametrize("workers", [2, 4])
def test_number_of_workers_changes_no_byte(workers: int) -> None:
    """However rows are spread over workers, even sorted, the model is the same but for its positions."""
    model = first_model(WARM)
    parts = np.array_split(EPOCH[np.argsort(EPOCH[:, 0])], workers)

    assert merged(model, EPOCH).digest == merged(model, *parts).digest
    assert merged(model, EPOCH).digest == merged(model, *reversed(parts)).digest


def worked(workers: int, warm_up: F64, epochs: Sequence[F64]) -> list[Model]:
    """Return the versions that so many workers learn, each with rows and a partition of its own."""
    merger = Merger(FEATURES)
    accumulators = [Accumulator(FEATURES) for _ in range(workers)]
    versions = list[Model]()
    for offset, rows in enumerate([warm_up, *epochs]):
        parts = np.array_split(rows[np.argsort(rows[:, 0])], workers)
        for partition, (accumulator, part) in enumerate(zip(accumulators, parts, strict=True)):
            for half in np.array_split(part, 2):
                accumulator.learn(half)
            for delta in accumulator.take():
                assert merger.merge(Delta.from_bytes(delta.to_bytes()), partition, offset)
        versions.append(Model.from_bytes(merger.advance().to_bytes()))
        for accumulator in accumulators:
            accumulator.adopt(versions[-1])
    return versions


@pytest.mark.parametrize("workers", [2, 3, 4])
def test_workers_that_share_the_warm_up_change_no_byte(workers: int) -> None:
    """Workers that share the warm-up and three epochs give the models and labels of one."""
    epochs = np.array_split(EPOCH, 3)
    alone, shared = worked(1, WARM, epochs), worked(workers, WARM, epochs)

    assert [model.version for model in alone] == [1, 2, 3, 4]
    assert sorted(shared[-1].positions) == list(range(workers))
    assert [model.digest for model in shared] == [model.digest for model in alone]
    for one, other in zip(alone, shared, strict=True):
        assert one.assign(ROWS).tolist() == other.assign(ROWS).tolist()


def test_distances_have_the_same_bits_for_any_batch_size() -> None:
    """On the grid dot products are exact, so BLAS kernels for other shapes give the same bits."""
    model = first_model(WARM)
    whole = model.distances(EPOCH)

    for batch in (1, 3, 7, 500):
        parts = [model.distances(EPOCH[start : start + batch]) for start in range(0, len(EPOCH), batch)]
        assert whole.tobytes() == np.vstack(parts).tobytes()


PROGRAM = """
import numpy as np
from models.clusterer import SegmentClusterer
rng = np.random.default_rng(1)
clusterer = SegmentClusterer(n_clusters=3, n_micro=32, warmup=200, epoch=200)
for row in rng.normal(size=(700, 5)) + rng.integers(0, 3, (700, 1)) * 4.0:
    clusterer.learn_one(dict(zip(("trend", "orders_total", "days_known", "views", "money"), row.tolist())))
labels = clusterer.predict_many(rng.normal(size=(50, 5)))
print(clusterer.model.version, clusterer.model.digest, labels.tolist())
"""


def test_hash_seed_changes_no_byte() -> None:
    """Three processes with other PYTHONHASHSEED print the same digest and labels."""
    printed = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={
                **os.environ,
                "PYTHONHASHSEED": seed,
                "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
            },
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1234", "987654")
    }

    assert len(printed) == 1
    assert printed.pop().startswith("3 ")
