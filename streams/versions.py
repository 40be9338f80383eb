"""The model log as the engine knows it: numbered models, and numbered definitions of the audiences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from models.audiences import Column, Definitions, Rules, catalogue
from models.clusterer import Model
from models.features import CLUSTERED
from streams.codec.activation import is_definitions

FEATURE_NAMES = tuple(f.name for f in CLUSTERED)
"""The columns of the clusterer's rows."""
KEPT = 64
"""Versions kept for partitions that have not adopted a newer one."""
TAIL = 16
"""Records of the log to begin with, at least: a partition may be a few versions behind and goes on with its
own first. Definitions accompany each model, so they are among them; a model may be further back."""

T = TypeVar("T")


@dataclass(slots=True)
class Versions:
    """What may be in force in a partition."""

    models: dict[int, Model] = field(default_factory=dict)
    rules: dict[int, Rules] = field(default_factory=dict)
    columns: dict[str, Column] = field(default_factory=catalogue)
    seen_model: int = 0
    """Newest version offered, whether this program can use it or not; the same for definitions below."""
    seen_definitions: int = 0

    def offer(self, data: bytes) -> None:
        """Take note of a record of the model log.

        Raises:
            ModelFormatError: the bytes are no model.
            DefinitionsError: they are no definitions, or such as this program cannot use.
        """
        if is_definitions(data):
            definitions = Definitions.from_bytes(data)
            self.seen_definitions = max(self.seen_definitions, definitions.version)
            if definitions.version not in self.rules:
                self.rules[definitions.version] = Rules(definitions, self.columns)
                _forget(self.rules)
            return
        model = Model.from_bytes(data)
        self.seen_model = max(self.seen_model, model.version)
        if model.features == FEATURE_NAMES:
            self.models[model.version] = model
            _forget(self.models)

    @property
    def model(self) -> Model | None:
        """Return the newest model."""
        return self.models[max(self.models)] if self.models else None

    @property
    def newest_rules(self) -> Rules | None:
        """Return the newest definitions."""
        return self.rules[max(self.rules)] if self.rules else None

    def model_of(self, version: int) -> Model | None:
        """Return the model of a version; if it is not kept, the oldest later one."""
        later = [known for known in self.models if version and known >= version]
        return self.models[min(later)] if later else None

    def rules_of(self, version: int) -> Rules | None:
        """Return the definitions of a version; if they are not kept, the oldest later ones.

        Slots in rows mean the same in all versions.
        """
        later = [known for known in self.rules if version and known >= version]
        return self.rules[min(later)] if later else None


def is_tail(found: Sequence[bytes], count: int = TAIL) -> bool:
    """Return whether the last records of the log are enough: so many, and a model among them."""
    return len(found) >= count and not all(map(is_definitions, found))


def _forget(kept: dict[int, T]) -> None:
    for version in sorted(kept)[:-KEPT]:
        del kept[version]
