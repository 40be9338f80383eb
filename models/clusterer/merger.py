"""The merger's side of learning: deltas in, numbered models out."""

from __future__ import annotations

import math

import numpy as np

from models.clusterer import names, segmentation
from models.clusterer.bootstrap import bootstrap
from models.clusterer.delta import NOBODY, Delta, Points
from models.clusterer.grid import CLIP, GRID, Scale, quantise_clipped
from models.clusterer.model import Model
from models.clusterer.rebalance import confirmed, drop_vanished, follow_scale, rebalance
from models.clusterer.references import References, Sums, nearest
from models.clusterer.review import NOTHING
from models.clusterer.segmentation import Segmentation
from models.events import F64, I64
from models.value import ValueModel, ValueSample, fit

DRIFT_FROM = 1.15
"""Rise of the error of an epoch against the smoothed one from which the memory is shortened."""
DRIFT_POWER = 6.0
"""The decay is multiplied by rise⁻⁶ ..."""
DRIFT_FLOOR = 0.02
"""... but no further than this."""
DRIFT_OVER = 0.8
"""Forgetting from which a drift is over."""
DRIFT_GAIN = 0.1
"""Under drift the gain asked of a fresh clustering falls with the forgetting, but no further than this."""
DRIFT_ROWS = 200
"""Fewest rows of an epoch whose error counts as evidence of drift."""
SMOOTHING = 0.3
"""Weight of the newest epoch in the smoothed error."""
DEPARTED = 64
"""Segments that are no more whose names are kept: who holds one is moved at the next sweep."""
DECAY_STEPS = 2.0**20
"""Decay factors are rounded to this grid, so that the last bit of a platform's power function has no say."""


class DeltaRefusedError(ValueError):
    """A delta that does not belong to this merger's models: an unknown version or other features."""


class Merger:
    """Adds deltas and builds the next model from them.

    Everything it knows is in the last published model and the deltas that were written after it: to
    restart, give the model and merge the deltas again from the beginning; those that the model holds are
    left out by their position. Within one version the order of the deltas and how rows are spread over them
    do not change the next model.

    Memory is shortened when the error of one epoch exceeds the smoothed one by `DRIFT_FROM`, not by River's
    ADWIN: fed the same errors it saw none of eight abrupt drifts, as references follow and the error is soon
    back; this rule saw all eight in the epoch they fell in, with 7 false alarms in 232 epochs of stationary
    mixtures (`tests.quality.scenarios`, epochs of 1,000 rows).

    Args:
        features: Names of the columns of the rows.
        n_clusters: Number of segments; there are fewer while there are fewer distinct rows. With another
            number than that of `model` the next version has the new one.
        n_micro: Number of reference points.
        warmup: Rows before the first model.
        epoch: Rows between two versions.
        half_life: Rows after which a learned row counts half; 0 for never.
        recluster_gain: Share of cost that a fresh clustering must save to replace the one at hand.
        seed: Seed of every random choice.
        model: The last published model. One of other features only hands on version and numbers.

    Examples:
        >>> import numpy as np
        >>> from models.clusterer import Accumulator
        >>> rows = np.random.default_rng(1).normal(size=(600, 2)) + np.repeat([[0.0], [9.0]], 300, axis=0)
        >>> accumulator = Accumulator(("orders_total", "trend"))
        >>> accumulator.learn(rows)
        >>> merger = Merger(("orders_total", "trend"), n_clusters=2)
        >>> for offset, delta in enumerate(accumulator.take()):
        ...     _ = merger.merge(delta, partition=0, offset=offset)
        >>> merger.due()
        True
        >>> [(segment.id, segment.count) for segment in merger.advance().segments]
        [('b-1', 300.0), ('b-2', 300.0)]
    """

    def __init__(
        self,
        features: tuple[str, ...],
        n_clusters: int = 8,
        n_micro: int = 128,
        warmup: int = 500,
        epoch: int = 5000,
        half_life: float = 50_000,
        recluster_gain: float = 0.05,
        seed: int = 42,
        model: Model | None = None,
    ) -> None:
        if not features or len(set(features)) != len(features):
            raise ValueError("a merger needs at least one feature, each named once")
        if n_clusters < 1 or n_micro < n_clusters or warmup < 1 or epoch < 1 or half_life < 0:
            raise ValueError("need 1 <= n_clusters <= n_micro, warmup >= 1, epoch >= 1, half_life >= 0")
        self.features = tuple(features)
        self.n_clusters = n_clusters
        self.n_micro = n_micro
        self.warmup = warmup
        self.epoch = epoch
        self.half_life = half_life
        self.recluster_gain = recluster_gain
        self.seed = seed
        self._published = model
        self._model = model if model is not None and model.features == self.features else None
        self._positions = dict(model.positions) if model is not None else {}
        self._raw: list[F64] = []
        self._sums: Sums | None = None
        self._review = NOTHING
        self._samples: list[ValueSample] = []
        self.pending = 0
        """Rows merged since the last version."""

    @property
    def model(self) -> Model | None:
        """Return the last model built or given."""
        return self._model

    @property
    def positions(self) -> dict[int, int]:
        """Return a copy of partition to offset of the last delta merged."""
        return dict(self._positions)

    def merge(self, delta: Delta, partition: int, offset: int) -> bool:
        """Add one delta; return False when its offset is not above the last one of its partition.

        A delta against an older version is placed anew, each of its points with its weight and spread.

        Raises:
            DeltaRefusedError: it has other features, or a version that this merger has not seen. Nothing
                was added; the position is remembered, so that the next delta can be merged.
        """
        if offset <= self._positions.get(partition, -1):
            return False
        self._positions[partition] = offset
        if delta.features != self.features:
            raise DeltaRefusedError(f"the delta at {partition}:{offset} has other features than the merger")
        if delta.points is not None:
            self._merge_points(delta.base_version, delta.points)
        elif delta.raw is not None and len(delta.raw):
            self._merge_raw(delta.raw)
        self._review = self._review.plus(delta.review)
        if len(delta.sample):
            self._samples.append(delta.sample)
        self.pending += delta.rows
        return True

    def due(self) -> bool:
        """Return whether there are rows enough for the next version."""
        return self.pending >= (self.warmup if self._model is None else self.epoch)

    def advance(self) -> Model:
        """Build the next version from what was merged, keep it as the last model, and return it.

        Raises:
            ValueError: nothing was ever learned.
        """
        if self._model is None:
            if not self._raw:
                raise ValueError("no rows were merged yet, so there is nothing to build a model from")
            model = self._first()
        else:
            model = self._next(self._model)
        self._model = self._published = model
        self._raw, self._sums, self._review, self._samples, self.pending = [], None, NOTHING, [], 0
        return model

    def _merge_raw(self, rows: F64) -> None:
        if self._model is None:
            self._raw.append(rows)
        else:
            self._pending_sums(self._model).add_rows(self._model.points, self._model.scale.to_grid(rows))

    def _merge_points(self, version: int, part: Points) -> None:
        model = self._model
        if model is None or version > model.version:
            known = "none" if model is None else str(model.version)
            raise DeltaRefusedError(f"the delta is against version {version}, the last one known is {known}")
        pending = self._pending_sums(model)
        if version == model.version:
            if part.index[-1] >= len(model.points) or not np.array_equal(
                model.points[part.index], part.points
            ):
                raise DeltaRefusedError(f"the delta is against another model that is numbered {version} too")
            pending.count[part.index] += part.sums.count
            pending.first[part.index] += part.sums.first
            pending.second[part.index] += part.sums.second
            return
        place, count, offset, spread = _placed(part, model)
        pending.add_offsets(place, count, offset)
        np.add.at(pending.second, place, spread)

    def _pending_sums(self, model: Model) -> Sums:
        if self._sums is None:
            self._sums = Sums.zero(model.points.shape)
        return self._sums

    def _first(self) -> Model:
        rows = np.concatenate(self._raw)
        scale, references = bootstrap(rows, self.n_micro, self.seed)
        past = self._published
        version = 1 if past is None else past.version + 1
        numbers = np.empty(0, dtype=np.int64) if past is None else past.numbers
        next_number = 1 if past is None else past.next_number
        rng = np.random.default_rng([self.seed, version])
        found = segmentation.first(references, self.n_clusters, next_number, numbers, rng)
        return self._built(version, scale, references, found, len(rows), error=0.0, forgetting=1.0)

    def _next(self, model: Model) -> Model:
        references, error = model.references(), model.error
        forgetting = _relaxed(model.forgetting)
        if self._sums is not None:
            factor, forgetting, error = self._memory(self._sums, error, forgetting)
            if forgetting < 1.0:
                references.sums = references.sums.faded(confirmed(references.sums, self._sums))
            references.sums = references.sums.decayed(factor)
            references.sums.add(self._sums)
        references.to_means()
        drop_vanished(references)
        scale, centres = model.scale, model.centres
        change = follow_scale(references)
        if change is not None:
            scale = Scale(scale.mean + change[0] / scale.inverse, scale.inverse * change[1])
            centres, error = quantise_clipped((centres - change[0]) * change[1]), 0.0
        rebalance(references, self.n_micro)
        previous = Segmentation(centres, model.counts, model.numbers, model.lineage, model.next_number)
        rng = np.random.default_rng([self.seed, model.version + 1])
        gain = self.recluster_gain * max(forgetting, DRIFT_GAIN)
        found = segmentation.following(references, self.n_clusters, previous, gain, rng)
        rows = model.rows + self.pending
        return self._built(model.version + 1, scale, references, found, rows, error, forgetting)

    def _memory(self, pending: Sums, smoothed: float, forgetting: float) -> tuple[float, float, float]:
        """Return the decay factor of what was known, its share due to drift, and the new smoothed error."""
        rows = float(pending.count.sum())
        factor = 0.5 ** (rows / self.half_life) if self.half_life else 1.0
        error = float(pending.second.sum()) / max(rows, 1.0)
        if smoothed > 0 and rows >= DRIFT_ROWS and error > DRIFT_FROM * smoothed:
            forgetting = min(forgetting, max((error / smoothed) ** -DRIFT_POWER, DRIFT_FLOOR))
        forgetting = round(forgetting * DECAY_STEPS) / DECAY_STEPS
        factor = round(factor * forgetting * DECAY_STEPS) / DECAY_STEPS
        smooth = error if smoothed <= 0 else (1 - SMOOTHING) * smoothed + SMOOTHING * error
        return factor, forgetting, smooth

    def _built(
        self,
        version: int,
        scale: Scale,
        references: References,
        found: Segmentation,
        rows: int,
        error: float,
        forgetting: float,
    ) -> Model:
        past = self._published
        held = {} if past is None else dict(zip(past.numbers.tolist(), past.names, strict=True))
        mean = (found.counts[:, None] * found.centres).sum(0) / max(float(found.counts.sum()), 1e-300)
        said, profiles = names.spoken(self.features, found.centres - mean, references.moments()[1])
        labels = names.label(said, profiles, found.numbers, held)
        sample, value = self._value()
        gone = {} if past is None else {**past.departed, **held}
        departed = [(number, name) for number, name in gone.items() if number not in found.numbers]
        return Model(
            version=version,
            features=self.features,
            scale=scale,
            points=references.points,
            sums=references.sums,
            centres=found.centres,
            counts=found.counts,
            numbers=found.numbers,
            names=tuple(name for name, _ in labels),
            descriptions=tuple(text for _, text in labels),
            lineage=found.lineage,
            next_number=found.next_number,
            rows=rows,
            error=error,
            forgetting=forgetting,
            positions=dict(self._positions),
            review=self._review,
            standing=self._review if past is None else past.standing.plus(self._review),
            sample=sample,
            value=value,
            departed=dict(departed[-DEPARTED:]),
        )

    def _value(self) -> tuple[ValueSample, ValueModel | None]:
        """Return the sample of the population and the model of value, refitted if the sample has changed."""
        past, value = (
            (NOBODY, None) if self._published is None else (self._published.sample, self._published.value)
        )
        if not self._samples:
            return past, value
        sample = past.merged(self._samples)
        return sample, fit(sample, value)


def _relaxed(forgetting: float) -> float:
    """Return what is left of the forgetting of the epoch before: the next ones forget too, ever less."""
    return 1.0 if forgetting >= DRIFT_OVER else math.sqrt(forgetting)


def _placed(part: Points, model: Model) -> tuple[I64, F64, F64, F64]:
    """Return place, count (t,), offset and spread (t, d) of points of an older version in `model`.

    Each point stands at the mean of its rows; what they spread about it is kept. All is rounded to the
    grid, so that sums stay exact and their order does not matter.
    """
    count = part.sums.count
    mean = part.points + part.sums.first / count[:, None]
    standard = model.scale.to_grid(part.scale.to_units(mean))
    place = nearest(standard, model.points)
    within = part.sums.second - part.sums.first**2 / count[:, None]
    ratio = model.scale.inverse / part.scale.inverse
    steps = GRID**2
    spread = np.rint(np.clip(within * ratio**2, 0.0, count[:, None] * CLIP**2) * steps) / steps
    return place, count, standard - model.points[place], spread
