"""The sentences of many changes of behaviour segments at once: as `reason_sentence` writes each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from models.events import F64, I64
from streams.codec.figure_kernels import UNSURE, WIDTH, alike, figures, named
from streams.codec.json_columns import strings
from streams.codec.pieces import Pieces, join
from streams.codec.sentences import (
    MIN_WEIGHT,
    TOP_REASONS,
    UNKNOWN,
    FeatureLabels,
    bare_figure,
    how_shown,
)

_VERBS = (" is ", f" is {UNKNOWN}", " rose to ", " fell to ")
_IS, _IS_UNKNOWN, _ROSE, _FELL = range(len(_VERBS))


@dataclass(slots=True, eq=False)
class Reasons:
    """The r heaviest reasons at most of n changes, the heaviest first, of features that are numbers."""

    features: Sequence[str]
    """All that there are."""
    feature: I64
    """(n, r) places in `features`."""
    value: F64
    """(n, r) NaN: unknown."""
    previous: F64
    """(n, r) NaN: unknown or none."""
    weight: F64
    """(n, r) NaN: none."""
    count: I64
    """(n,) how many of the r there are."""


def sentences(openings: Pieces, reasons: Reasons, labels: FeatureLabels) -> Pieces:
    """Return the sentence of each change as JSON without its quotes.

    Args:
        openings: (n,) as `sentence_opening` returns them, as JSON without its quotes.
        reasons: of the changes.
        labels: names and units of features.
    """
    n = len(openings)
    called = [labels(feature) for feature in reasons.features]
    texts = [label for label, _ in called]
    label = np.array([texts.index(label) for label in texts], np.int64)[reasons.feature]
    chosen = named(label, reasons.weight, reasons.count, TOP_REASONS, MIN_WEIGHT)
    there = (chosen >= 0).reshape(-1)
    at = (np.arange(n)[:, None], np.maximum(chosen, 0))
    feature = reasons.feature[at].reshape(-1)
    units = [how_shown(*one) for one in called]
    kinds = np.array([kind for kind, _ in units], np.uint8)[feature]
    shown, verb = _moved(reasons.value[at].reshape(-1), reasons.previous[at].reshape(-1), kinds)
    known = there & (verb != _IS_UNKNOWN)
    first = np.arange(len(there)) % TOP_REASONS > 0
    phrases = join(
        len(there),
        Pieces.one_of([": ", ", "], first.astype(np.intp)).only(there),
        Pieces.one_of(strings(texts), feature).only(there),
        Pieces.one_of(_VERBS, verb).only(there),
        shown.only(known),
        Pieces.one_of(strings([suffix for _, suffix in units]), feature).only(known),
    )
    ends = np.append(0, phrases.ends)[::TOP_REASONS]
    return Pieces.packed(join(n, openings, Pieces(phrases.letters, ends[:-1], np.diff(ends)), "."))


def _moved(value: F64, previous: F64, kinds: NDArray[np.uint8]) -> tuple[Pieces, NDArray[np.intp]]:
    """Return figures (n,) as texts without units, and the places of the words before them in `_VERBS`."""
    n = len(value)
    texts, sizes = figures(np.concatenate([value, previous]), np.concatenate([kinds, kinds]))
    shown = Pieces(texts.reshape(-1), np.arange(n) * WIDTH, np.maximum(sizes[:n], 0))
    same = alike(texts[:n], sizes[:n], texts[n:], sizes[n:])
    unsure = np.flatnonzero((sizes[:n] == UNSURE) | (sizes[n:] == UNSURE))
    if len(unsure):
        now, then = (_exactly(column[unsure], kinds[unsure]) for column in (value, previous))
        shown = shown.replaced(unsure, now)
        same[unsure] = [one == other for one, other in zip(now, then, strict=True)]
    verb = np.where(value > previous, _ROSE, _FELL)
    verb[same | ~np.isfinite(previous)] = _IS
    verb[~np.isfinite(value)] = _IS_UNKNOWN
    return shown, verb


def _exactly(values: F64, kinds: NDArray[np.uint8]) -> list[str]:
    pairs = zip(values.tolist(), kinds.tolist(), strict=True)
    return [bare_figure(value, kind) if isfinite(value) else "" for value, kind in pairs]


def prepare() -> None:
    """Have the kernels compiled or loaded: no event shall wait for it."""
    figure, place = np.zeros((1, 1)), np.zeros((1, 1), np.int64)
    reasons = Reasons(["a"], place, figure, figure, figure, np.ones(1, np.int64))
    sentences(Pieces.of([""]), reasons, lambda feature: (feature, ""))
