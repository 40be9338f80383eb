"""Advice on the number of behaviour segments: for people, in a log line, a gauge and `segments`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from models.clusterer import Advice, Model, ModelFormatError, advise
from streams.codec.activation import is_definitions

log = logging.getLogger(__name__)


def tell(model: Model, clearest: Callable[[float], None]) -> None:
    """Log the advice on a model, and hand on the clearest number of segments."""
    advice = advise(model)
    if advice is not None:
        log.info("model %d: %s", model.version, sentence(advice))
        clearest(advice.clearest)


def newest_advice(tail: Sequence[bytes]) -> Advice | None:
    """Return the advice on the newest model of a model log's last records, None when none can be read."""
    models = [value for value in tail if not is_definitions(value)]
    if not models:
        return None
    try:
        return advise(Model.from_bytes(models[-1]))
    except ModelFormatError as error:
        log.warning("the newest model is of another program: %s", error)
        return None


def sentence(advice: Advice) -> str:
    """Return advice as a line for people."""
    found = f"{advice.segments} behaviour segments, silhouette {advice.silhouette:.2f}"
    return f"{found}; clearest: {advice.clearest} at {advice.clearest_silhouette:.2f}"
