"""What became of the segments of the version before."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LineageKind(StrEnum):
    """What became of a segment from one version to the next."""

    BORN = "born"
    """New, without one main parent; `other` is 0."""
    SURVIVED = "survived"
    """The number goes on; `share` of its mass was in it before."""
    SPLIT = "split"
    """New, and most of its mass came from the segment `other`."""
    ABSORBED = "absorbed"
    """Gone; most of its mass went to the segment `other`."""
    DIED = "died"
    """Gone; its mass went to several segments; `other` is 0."""


@dataclass(frozen=True, slots=True)
class LineageEvent:
    """One entry of a model's lineage."""

    kind: LineageKind
    number: int
    other: int = 0
    share: float = 1.0
    """Share of mass that the kind speaks of, 0 to 1."""
