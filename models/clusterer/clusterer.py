"""The River estimator: learns alone what workers and merger learn together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from river import base

from models.clusterer.accumulator import Accumulator
from models.clusterer.merger import Merger
from models.clusterer.model import NO_SEGMENT, Model
from models.events import F64, I64

STAGED_ROWS = 256
"""Rows that `learn_one` collects before they are added at once; no answer depends on it."""


class SegmentClusterer(base.Clusterer):
    """Incremental k-means on decayed cluster features, exact on a grid and mergeable.

    Rows are standardised by the clusterer itself and summed up about `n_micro` reference points; every
    `epoch` rows the references move, and segments are made anew from them, starting from those at hand. A
    segment keeps its number as long as the same mass lies in it. `learn_many` equals a loop of `learn_one`
    bit for bit, in any batch size.

    Fits populations of at least a few hundred rows with up to some hundred numeric features of similar
    importance. It does not choose the number of clusters.

    Args:
        n_clusters: Number of segments.
        n_micro: Number of reference points; 64 to 128 are enough for 8 segments.
        warmup: Rows before the first model; until then every row has the number 0, no segment.
        epoch: Rows between two versions of the model.
        half_life: Rows after which a learned row counts half; 0 for never.
        recluster_gain: Share of cost that a fresh clustering must save to replace the one at hand.
        margin: Share of the distance to the segment held by which another must be nearer before a row
            moves; used by `predict_many` when the numbers held are given.
        seed: Seed of every random choice.

    Attributes:
        model: The last model, None during the warm-up.

    The features are the names of the first `warmup` rows, sorted as text; names that come later are ignored,
    missing ones, None and NaN count as the mean; numbers beyond a float's range count as infinite. A 2-D
    array has its columns in the order of the sorted names; alone, they are named by their position.

    Examples:
        >>> from models.clusterer import SegmentClusterer
        >>> clusterer = SegmentClusterer(n_clusters=2, warmup=4)
        >>> for orders in (1.0, 1.1, 5.0, 5.1):
        ...     clusterer.learn_one({"orders": orders, "views": 2 * orders})
        >>> few, many = clusterer.predict_one({"orders": 0.9}), clusterer.predict_one({"orders": 5.2})
        >>> few != many and min(few, many) >= 1
        True

    References:
        BETULA (arXiv 2006.12881) for sums about a fixed point; CluStream (Aggarwal et al. 2003) for the two
        levels.
    """

    def __init__(
        self,
        n_clusters: int = 8,
        n_micro: int = 128,
        warmup: int = 500,
        epoch: int = 5000,
        half_life: float = 50_000,
        recluster_gain: float = 0.05,
        margin: float = 0.35,
        seed: int = 42,
    ) -> None:
        self.n_clusters = n_clusters
        self.n_micro = n_micro
        self.warmup = warmup
        self.epoch = epoch
        self.half_life = half_life
        self.recluster_gain = recluster_gain
        self.margin = margin
        self.seed = seed
        self._first: list[dict[str, float]] = []
        self._said: dict[str, Any] = {}
        self._keys: tuple[Any, ...] = ()
        self._staged: list[list[float]] = []
        self._merger: Merger | None = None
        self._accumulator: Accumulator | None = None
        self._merged = 0

    @property
    def model(self) -> Model | None:
        """Return the last model, None during the warm-up."""
        return None if self._merger is None else self._merger.model

    @property
    def centers(self) -> dict[int, dict[str, float]]:
        """Return number to centre, in the units of the rows."""
        return {} if self.model is None else {one.number: dict(one.centre) for one in self.model.segments}

    def learn_one(self, x: Mapping[Any, Any]) -> None:
        """Learn one row, a mapping of names to numbers; nothing of `x` is kept."""
        if self._accumulator is None:
            self._said.update({str(name): name for name in x})
            self._warm_up({str(name): _number(value) for name, value in x.items()})
            return
        self._staged.append(self._row(x))
        if len(self._staged) >= min(STAGED_ROWS, self._room()):
            self._flush()

    def learn_many(self, X: Any) -> None:  # noqa: N803 - River's name
        """Learn the rows of a dataframe or of a 2-D array (n, d).

        A dataframe is any that lists its names in `.columns` and gives a column as `[name]`, as polars and
        pandas do, or a table of pyarrow.

        Raises:
            ValueError: a feature is no number, or an array has another number of dimensions. Nothing of
                `X` was learned.
        """
        rows, names = _table(X, None if self._accumulator is None else self._features())
        start = 0
        while self._accumulator is None and start < len(rows):
            self._warm_up(dict(zip(names or _positions(rows), rows[start].tolist(), strict=True)))
            start += 1
        if start < len(rows):
            self._flush()
            self._learn(self._aligned(rows[start:], names))

    def predict_one(self, x: Mapping[Any, Any]) -> int:
        """Return the number of the nearest segment, 0 during the warm-up."""
        if self.model is None:
            return NO_SEGMENT
        return int(self.model.assign(np.array([self._row(x)]))[0])

    def predict_many(self, X: Any, current: I64 | None = None) -> I64:  # noqa: N803 - River's name
        """Return the number (n,) of each row of a dataframe or a 2-D array, 0 during the warm-up.

        Without `current` the nearest segment's. With it, the numbers (n,) now held, a row moves only when
        another segment is nearer by `margin`.

        Raises:
            ValueError: a feature is no number, or an array has another number of dimensions.
        """
        rows, names = _table(X, self._features())
        if self.model is None:
            return np.zeros(len(rows), dtype=np.int64)
        aligned = self._aligned(rows, names)
        if current is None:
            return self.model.assign(aligned)
        return self.model.decide(aligned, current, self.margin)

    def _warm_up(self, row: dict[str, float]) -> None:
        if not row and not self._first:
            return
        self._first.append(row)
        if len(self._first) < self.warmup:
            return
        features = tuple(sorted({name for one in self._first for name in one}))
        self._keys = tuple(self._said.get(name, name) for name in features)
        self._merger = Merger(
            features,
            self.n_clusters,
            max(self.n_micro, self.n_clusters),
            self.warmup,
            self.epoch,
            self.half_life,
            self.recluster_gain,
            self.seed,
        )
        self._accumulator = Accumulator(features, bootstrap_rows=self.warmup)
        rows, self._first = self._first, []
        self._learn(np.array([[one.get(name, np.nan) for name in features] for one in rows]))

    def _room(self) -> int:
        """Return how many rows fit before the next version."""
        accumulator, merger = self._accumulator, self._merger
        if accumulator is None or merger is None:
            return self.warmup
        return (self.warmup if merger.model is None else self.epoch) - accumulator.pending

    def _flush(self) -> None:
        if self._staged:
            staged, self._staged = np.array(self._staged), []
            self._learn(staged)

    def _learn(self, rows: F64) -> None:
        """Learn aligned rows, cut at the ends of epochs."""
        accumulator, merger = self._accumulator, self._merger
        if accumulator is None or merger is None:
            return
        start = 0
        while start < len(rows):
            taken = rows[start : start + self._room()]
            accumulator.learn(taken)
            start += len(taken)
            if self._room() == 0:
                for delta in accumulator.take():
                    merger.merge(delta, 0, self._merged)
                    self._merged += 1
                accumulator.adopt(merger.advance())

    def _features(self) -> tuple[str, ...]:
        """Return the names of the features, none during the warm-up."""
        return () if self._accumulator is None else self._accumulator.features

    def _row(self, x: Mapping[Any, Any]) -> list[float]:
        return [_number(x.get(key)) for key in self._keys]

    def _aligned(self, rows: F64, names: list[str] | None) -> F64:
        """Return the columns in the order of the features, NaN for those that are not there."""
        features = self._features()
        if names is None:
            if rows.shape[1] == len(features):
                return rows
            names = _positions(rows)
        place = {name: column for column, name in enumerate(names)}
        if tuple(names) == features:
            return rows
        aligned = np.full((len(rows), len(features)), np.nan)
        for target, feature in enumerate(features):
            if feature in place:
                aligned[:, target] = rows[:, place[feature]]
        return aligned


def _number(value: Any) -> float:
    """Return a value as a float: None as NaN, what is beyond a float's range as infinite."""
    if value is None:
        return float("nan")
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _numbers(values: Any) -> F64:
    """Return values of any shape as `_number` does."""
    try:
        return np.asarray(values, dtype=np.float64)
    except OverflowError:
        objects = np.asarray(values, dtype=object)
        return np.array([_number(value) for value in objects.flat]).reshape(objects.shape)


def _positions(rows: F64) -> list[str]:
    """Return names for columns (n, d) that have none, which sort as they stand."""
    width = len(str(max(rows.shape[1] - 1, 0)))
    return [str(column).zfill(width) for column in range(rows.shape[1])]


def _table(X: Any, wanted: tuple[str, ...] | None) -> tuple[F64, list[str] | None]:  # noqa: N803 - River's name
    """Return values (n, d) and column names of a dataframe, or of a 2-D array, which has no names.

    Of a dataframe only the columns `wanted` are read, None for all, so that others may hold anything.
    """
    names = getattr(X, "column_names", getattr(X, "columns", None))
    if names is not None:
        names = [name for name in names if wanted is None or str(name) in wanted]
        columns = [_numbers(X[name]) for name in names]
        rows = np.column_stack(columns) if columns else np.empty((len(X), 0))
        return rows, [str(name) for name in names]
    rows = _numbers(X)
    if rows.ndim != 2:
        raise ValueError(f"rows have the shape {rows.shape}, expected (n, d): one column a feature")
    return rows, None
