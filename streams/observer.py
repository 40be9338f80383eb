"""What the engine reports while it works; metrics are one listener."""

from __future__ import annotations

from typing import Protocol

from models.events import Bool


class EngineObserver(Protocol):
    """Listener of the engine; every method returns at once."""

    def records(self, topics: list[int], unknown_fields: int) -> None:
        """Records were processed: the topic index of each, and the fields that no schema knows."""

    def dead_letter(self, reason: str) -> None:
        """A record went to the dead letters."""

    def events(self, accepted: Bool, late: Bool) -> None:
        """Events were applied; (n,) whether they were accepted, and older than their customer's newest."""

    def change(self, segment_set: str, entered: bool, cause: str) -> None:
        """A change event was made."""

    def sweep(self, partition: int, customers: int) -> None:
        """All customers of a partition were decided."""

    def model(self, version: int) -> None:
        """The newest model known is this one."""


class SilentObserver:
    """Listens to nothing."""

    def records(self, topics: list[int], unknown_fields: int) -> None:
        """Ignore."""

    def dead_letter(self, reason: str) -> None:
        """Ignore."""

    def events(self, accepted: Bool, late: Bool) -> None:
        """Ignore."""

    def change(self, segment_set: str, entered: bool, cause: str) -> None:
        """Ignore."""

    def sweep(self, partition: int, customers: int) -> None:
        """Ignore."""

    def model(self, version: int) -> None:
        """Ignore."""


NO_OBSERVER = SilentObserver()
