"""The clusterer: workers learn deltas, one merger builds numbered models, and everyone decides with them.

Pure: rows and models in, numbers and bytes out. Called by the engine (models, accumulators), by the merger
agent, and through `SegmentClusterer` by anyone who knows River. Rows are float64 matrices of transformed
features; NaN is missing. A segment's number is at least 1; 0 is no segment.
"""

from models.clusterer.accumulator import Accumulator
from models.clusterer.advice import Advice, advise, silhouettes
from models.clusterer.clusterer import SegmentClusterer
from models.clusterer.crossings import crossings
from models.clusterer.delta import Delta, DeltaFormatError
from models.clusterer.layout import ModelFormatError
from models.clusterer.lineage import LineageEvent, LineageKind
from models.clusterer.merger import DeltaRefusedError, Merger
from models.clusterer.model import NO_SEGMENT, Model, SegmentInfo
from models.clusterer.preparing import prepare
from models.clusterer.review import NOTHING, Review

__all__ = [
    "NOTHING",
    "NO_SEGMENT",
    "Accumulator",
    "Advice",
    "Delta",
    "DeltaFormatError",
    "DeltaRefusedError",
    "LineageEvent",
    "LineageKind",
    "Merger",
    "Model",
    "ModelFormatError",
    "Review",
    "SegmentClusterer",
    "SegmentInfo",
    "advise",
    "crossings",
    "prepare",
    "silhouettes",
]
