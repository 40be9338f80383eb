"""Advice on the number of segments: what it says, where it is told, and that it changes nothing."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from models.clusterer import Accumulator, Advice, Model, advise, silhouettes
from models.clusterer.references import Sums
from streams.advising import newest_advice, sentence, tell
from streams.codec.activation import encode_numbered
from streams.merging import MODELS, WARMUP_ROWS, Merging
from streams.metrics import PREFIX, Metrics
from streams.segments_file import read_definitions, segments_file
from streams.settings import Settings
from streams.versions import FEATURE_NAMES
from tests.clusterer_samples import first_model, mixture

MODEL = first_model(mixture(seed=3, rows=4000)[0])


def learned(merging: Merging) -> None:
    """Merge as many rows as a first model needs."""
    accumulator = Accumulator(FEATURE_NAMES)
    accumulator.learn(np.random.default_rng(5).normal(size=(4 * WARMUP_ROWS, len(FEATURE_NAMES))))
    for offset, delta in enumerate(accumulator.take()):
        merging.process(offset, delta.to_bytes())


def gauge(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value(f"{PREFIX}advised_clusters")


def test_eight_clear_groups_in_eight_segments_are_the_clearest() -> None:
    advice = advise(MODEL)

    assert advice is not None
    assert (advice.segments, advice.clearest) == (8, 8)
    assert advice.silhouette == pytest.approx(silhouettes(MODEL)[8], abs=0.05)


def test_a_model_of_one_point_gets_no_advice() -> None:
    """There is nothing to compare; a point without rows does not count."""
    sums = replace(MODEL.sums, count=np.eye(1, len(MODEL.points))[0])

    assert isinstance(sums, Sums)
    assert advise(replace(MODEL, sums=sums)) is None


def test_each_new_model_of_the_merger_is_advised_on_in_the_log_and_in_the_gauge(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """So is the model that it begins from; the model's bytes are the same without advice."""
    metrics, told = Metrics(), Metrics()
    first = partial(read_definitions, segments_file(Settings()))
    merging = Merging(first, on_model=partial(tell, clearest=metrics.advised_clusters.set))
    plain = Merging(first)
    assert gauge(metrics) == 0
    for one in (merging, plain):
        learned(one)

    with caplog.at_level(logging.INFO, "streams.advising"):
        made = merging.take() or []
    model = merging.model
    assert model is not None
    advice = advise(model)
    assert advice is not None
    assert caplog.messages == [f"model 1: {sentence(advice)}"]
    assert gauge(metrics) == advice.clearest
    assert made == plain.take()

    again = Merging(first, on_model=partial(tell, clearest=told.advised_clusters.set))
    again.open(next(one.value for one in made if one.topic == MODELS))
    assert gauge(told) == advice.clearest


def test_the_advice_is_that_on_the_newest_model_of_the_log() -> None:
    definitions = encode_numbered(read_definitions(segments_file(Settings())), 0)
    newer = Model.from_bytes(MODEL.to_bytes())

    assert newest_advice([b"older", newer.to_bytes(), definitions]) == advise(MODEL)
    assert newest_advice([definitions]) is None
    assert newest_advice([b"of another program"]) is None


def test_advice_is_one_line() -> None:
    assert sentence(Advice(8, 0.274, 5, 0.309)) == (
        "8 behaviour segments, silhouette 0.27; clearest: 5 at 0.31"
    )
