"""The worker's side of learning: rows in, deltas out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.clusterer.delta import NOBODY, Delta, Points
from models.clusterer.grid import as_rows
from models.clusterer.model import Model
from models.clusterer.references import Sums
from models.clusterer.review import NOTHING, Review
from models.events import F64, U64, Bool
from models.value import OrderHistory, ValueSample

STAGED_ROWS = 512
"""Rows of small batches that wait to be added at once; no answer depends on it."""


class Accumulator:
    """Collects what one worker learns, against the version in force.

    Before there is a model it keeps the raw rows, at most `bootstrap_rows` between two calls of `take`;
    further ones are left out. With a model it adds each row to the nearest reference point: the same rows
    give the same deltas for any batch size and any order. What is pending when another version is adopted
    becomes a delta of its own against the version it was learned with; nothing is lost.

    Args:
        features: Names of the columns of the rows.
        model: The version in force; None, or a model of other features, when there is none yet.
        bootstrap_rows: How many raw rows are kept.

    Examples:
        >>> import numpy as np
        >>> accumulator = Accumulator(("orders_total", "trend"))
        >>> accumulator.learn(np.array([[1.0, 0.5], [3.0, np.nan]]))
        >>> [(delta.kind, delta.rows) for delta in accumulator.take()]
        [('rows', 2)]
        >>> accumulator.take()
        []
    """

    def __init__(
        self, features: tuple[str, ...], model: Model | None = None, bootstrap_rows: int = 2000
    ) -> None:
        self.features = tuple(features)
        self.bootstrap_rows = bootstrap_rows
        self._model: Model | None = None
        self._raw: list[F64] = []
        self._staged: list[F64] = []
        self._staged_rows = 0
        self._sums: Sums | None = None
        self._closed: list[Delta] = []
        self._review = NOTHING
        self._samples: list[ValueSample] = []
        self._bound = NOBODY
        self.pending = 0
        """Rows that the next `take` will hand out."""
        if model is not None:
            self.adopt(model)

    @property
    def model(self) -> Model | None:
        """Return the version in force."""
        return self._model

    def adopt(self, model: Model) -> None:
        """Learn against `model` from now on; what is pending stays against the version before.

        A model of other features than this worker's counts as none.
        """
        self._close()
        self._model = model if model.features == self.features else None
        self._bound = model.sample

    def learn(self, rows: F64) -> None:
        """Learn transformed rows (n, d); NaN is missing; nothing of `rows` is kept or changed.

        Raises:
            ValueError: the shape is another one.
        """
        matrix = as_rows(rows, len(self.features))
        if not len(matrix):
            return
        if self._model is None:
            kept = matrix[: max(self.bootstrap_rows - self.pending, 0)].copy()
            self._raw.append(kept)
            self.pending += len(kept)
            return
        self.pending += len(matrix)
        self._staged_rows += len(matrix)
        if self._staged_rows < STAGED_ROWS:
            self._staged.append(matrix.copy())
            return
        self._staged.append(matrix)
        self._add_staged()

    def count(self, review: Review) -> None:
        """Add sums for segments; they travel with the next delta, or with an empty one."""
        self._review = self._review.plus(review)

    def admits(self, hashes: U64) -> Bool:
        """Return which customers (n,) may be in the sample of the population; others need not be shown."""
        return self._bound.admits(hashes)

    def sample(self, hashes: U64, history: OrderHistory) -> None:
        """Show order histories of customers, by well mixed hashes (n,), for the sample of the population.

        They travel with the next delta, or with an empty one. Which deltas they come in does not change the
        sample of the model.
        """
        self._samples.append(ValueSample.of(hashes, history))

    def forget(self, hashes: U64, as_of: int) -> None:
        """Erase customers (n,) from the sample of the population: what was seen of them until `as_of`."""
        self._samples.append(ValueSample.forgotten(hashes[self.admits(hashes)], as_of))

    def take(self) -> list[Delta]:
        """Return what was learned since the last call, at most one delta for each version; often empty."""
        self._close()
        sample = NOBODY.merged(self._samples) if self._samples else NOBODY
        if self._review or len(sample):
            last = self._closed.pop() if self._closed else Delta.of_rows(self.features, self._no_rows())
            self._closed.append(replace(last, review=self._review, sample=sample))
        self._review, self._samples = NOTHING, []
        taken, self._closed, self.pending = self._closed, [], 0
        return taken

    def _add_staged(self) -> None:
        if self._staged and self._model is not None:
            rows = self._staged[0] if len(self._staged) == 1 else np.concatenate(self._staged)
            if self._sums is None:
                self._sums = Sums.zero(self._model.points.shape)
            self._sums.add_about_origin(self._model.scores, self._model.scale.to_grid(rows))
        self._staged, self._staged_rows = [], 0

    def _no_rows(self) -> F64:
        return np.empty((0, len(self.features)))

    def _close(self) -> None:
        self._add_staged()
        rows = sum(len(raw) for raw in self._raw)
        if rows:
            self._closed.append(Delta.of_rows(self.features, np.concatenate(self._raw)))
        if self._sums is not None and self._model is not None:
            self._sums.shift(self._model.points)
            index = np.flatnonzero(self._sums.count)
            part = Points(index, self._model.points[index], self._sums.select(index), self._model.scale)
            count = int(part.sums.count.sum())
            self._closed.append(Delta(self.features, self._model.version, count, points=part))
        self._raw, self._sums = [], None
