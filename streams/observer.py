"""What the engine reports while it works; metrics are one listener."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from models.events import Bool
from streams.codec.drafts import Columns, Drafts
from streams.stages import Stage


class EngineObserver(Protocol):
    """Listener of the engine; every method returns at once."""

    def records(self, usable: Sequence[int], unknown_fields: int) -> None:
        """Records were decoded: how many are usable, by topic index, and the fields that no schema knows."""

    def dead_letter(self, topic: str, reason: str, detail: str) -> None:
        """A record of a topic went to the dead letters; the detail holds no customer id."""

    def events(self, accepted: Bool, late: Bool) -> None:
        """Events were applied; (n,) whether they were accepted, and older than their customer's newest."""

    def changes(self, made: Columns, drafts: Drafts) -> None:
        """Change events were made; and the same as records."""

    def held(self, by_margin: int, by_stay: int) -> None:
        """After so many events another behaviour segment was nearer, but the customer stayed."""

    def sweep(self, partition: int, customers: int, decided: int) -> None:
        """A sweep over the customers of a partition has ended; so many were decided, the others not due."""

    def versions(self, model: int, definitions: int) -> None:
        """The newest model and definitions known are these; 0 for none."""

    def stage(self, stage: Stage, seconds: float) -> None:
        """A stage of the work has used so much CPU time."""


class SilentObserver:
    """Listens to nothing."""

    def records(self, usable: Sequence[int], unknown_fields: int) -> None:
        """Ignore."""

    def dead_letter(self, topic: str, reason: str, detail: str) -> None:
        """Ignore."""

    def events(self, accepted: Bool, late: Bool) -> None:
        """Ignore."""

    def changes(self, made: Columns, drafts: Drafts) -> None:
        """Ignore."""

    def held(self, by_margin: int, by_stay: int) -> None:
        """Ignore."""

    def sweep(self, partition: int, customers: int, decided: int) -> None:
        """Ignore."""

    def versions(self, model: int, definitions: int) -> None:
        """Ignore."""

    def stage(self, stage: Stage, seconds: float) -> None:
        """Ignore."""


NO_OBSERVER = SilentObserver()
