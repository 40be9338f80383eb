"""The merger: deltas of all partitions in, numbered models, definitions and what segments are out."""

from __future__ import annotations

import logging
from collections.abc import Callable

from models.audiences import Definitions
from models.clusterer import Delta, DeltaFormatError, DeltaRefusedError, LineageKind, Merger, Model
from streams.codec.activation import is_definitions
from streams.codec.definitions import encode_definition
from streams.codec.output_records import Definition, Lineage
from streams.codec.output_records import LineageEvent as LineageName
from streams.defining import DEFINITIONS, MODELS, Defining
from streams.records import Record
from streams.review_records import differences_of, in_unit, review_of, sizes_of
from streams.versions import FEATURE_NAMES

__all__ = ["DEFINITIONS", "MODELS", "Merging", "definitions", "epoch_rows", "in_unit"]

MODEL_KEY = b"behaviour"
WARMUP_ROWS = 500
"""Customers learned before there is a first model."""
EPOCH_ROWS = 20_000
"""Rows between two versions; the first ones, which know new customers only, sooner."""
HALF_LIFE_ROWS = 200_000

log = logging.getLogger(__name__)


class Merging:
    """State of the merger: the last published model and the deltas merged since; definitions in force.

    Between two models no offset is committed: after a crash the deltas since the last one are merged again.
    Definitions do not wait for a model, and accompany each: the end of the log always has them.

    Args:
        first: returns the definitions of this worker's file.
        n_clusters: number of behaviour segments.
        seed: seed of every random choice.
        definitions_refused: called when definitions cannot be put in force.
        on_model: called with the model to begin from, and each new one.
    """

    def __init__(
        self,
        first: Callable[[], Definitions],
        n_clusters: int = 8,
        seed: int = 42,
        definitions_refused: Callable[[], None] = lambda: None,
        on_model: Callable[[Model], None] = lambda _: None,
    ) -> None:
        self._on_model = on_model
        self._defining = Defining(first, definitions_refused)
        self._n_clusters = n_clusters
        self._seed = seed
        self.refused = 0
        """Deltas that could not be merged."""
        self._merger = self._make(None)

    def open(self, last_model: bytes | None) -> None:
        """Begin from the newest model of the log.

        Raises:
            ModelFormatError: the record is not a model.
        """
        model = None if last_model is None else Model.from_bytes(last_model)
        self._merger = self._make(model)
        if model is not None:
            self._on_model(model)

    def define(self, last: bytes | None) -> None:
        """Begin from the newest definitions of the log; from the file when it has none.

        Raises:
            InputFileError: the file cannot be used.
        """
        self._defining.open(last)

    def _make(self, model: Model | None) -> Merger:
        version = model.version if model is not None else 0
        return Merger(
            FEATURE_NAMES,
            n_clusters=self._n_clusters,
            warmup=WARMUP_ROWS,
            epoch=epoch_rows(version),
            half_life=HALF_LIFE_ROWS,
            seed=self._seed,
            model=model,
        )

    @property
    def model(self) -> Model | None:
        """Return the last model."""
        return self._merger.model

    def process(self, offset: int, value: bytes) -> None:
        """Merge one delta, or take note of definitions; what does not fit is logged and left out."""
        if is_definitions(value):
            self._defining.process(offset, value)
            return
        try:
            self._merger.merge(Delta.from_bytes(value), 0, offset)
        except (DeltaFormatError, DeltaRefusedError) as error:
            self.refused += 1
            log.warning("model-deltas offset %d left out: %s", offset, error)

    def take(self) -> list[Record] | None:
        """Return a new model, its segments and the definitions in force, or None when none is due."""
        if not self._merger.due():
            return None
        model = self._merger.advance()
        self._merger.epoch = epoch_rows(model.version)
        self._on_model(model)
        accompany = self._defining.take(model) or self._defining.accompany(model)
        return [*accompany, Record(MODELS, 0, MODEL_KEY, model.to_bytes()), *definitions(model)]

    def take_definitions(self) -> list[Record] | None:
        """Return definitions that come in force, with what their audiences are; None when there are none.

        Their transaction must commit no offsets: those of deltas move with the model that holds these.
        """
        return self._defining.take(self.model) or None


def epoch_rows(version: int) -> int:
    """Return the rows after which the version that follows is due."""
    return min(EPOCH_ROWS, WARMUP_ROWS << 2 * max(0, min(version, 8) - 1))


def definitions(model: Model) -> list[Record]:
    """Return the records of a model's segments, and of those that are no more."""
    sizes = sizes_of(model.standing)
    decided = sum(sizes.values())
    found = [
        Definition(
            id=info.id,
            set="behaviour",
            name=info.name,
            description=info.description,
            centre={name: in_unit(name, value) for name, value in info.centre.items()},
            size=sizes.get(info.number, None if review is None else 0) if sizes else None,
            share=sizes.get(info.number, 0) / decided if decided else None,
            model_version=model.version,
            review=review,
            differences=differences_of(model, info.number),
            lineage=_lineage(model, info.number),
        )
        for info, review in ((info, review_of(model, info.number)) for info in model.segments)
    ]
    alive = {info.number for info in model.segments}
    gone = sorted({event.number for event in model.lineage} - alive)
    found += [
        Definition(
            id=f"b-{number}",
            set="behaviour",
            name=f"{model.departed.get(number, f'b-{number}')} (ended)",
            description=_farewell(model, number),
            size=0,
            share=0.0,
            model_version=model.version,
            lineage=_lineage(model, number),
        )
        for number in gone
    ]
    return [Record(DEFINITIONS, 0, d.id.encode(), encode_definition(d)) for d in found]


_KINDS: dict[LineageKind, LineageName] = {
    LineageKind.BORN: "born",
    LineageKind.SURVIVED: "survived",
    LineageKind.SPLIT: "split",
    LineageKind.DIED: "died",
}


def _lineage(model: Model, number: int) -> tuple[Lineage, ...]:
    """Return what this version did to a segment: its own steps, and those that it absorbed."""
    steps = []
    for event in model.lineage:
        if event.number == number and event.kind is not LineageKind.ABSORBED:
            origins = [f"b-{event.other}"] if event.other else []
            steps.append(Lineage(_KINDS[event.kind], origins, model.version))
        elif event.number == number:
            steps.append(Lineage("died", [], model.version, (f"b-{event.other}",)))
        elif event.kind is LineageKind.ABSORBED and event.other == number:
            steps.append(Lineage("absorbed", [f"b-{event.number}"], model.version))
    return tuple(steps)


def _farewell(model: Model, number: int) -> str:
    """Return what became of the customers of a segment that is no more."""
    for event in model.lineage:
        if event.number == number and event.kind is LineageKind.ABSORBED:
            heir = model.segment(event.other)
            return f"This segment is no more. Most of its customers went to {heir.name} ({heir.id})."
    return "This segment is no more. No other took in most of its customers."
