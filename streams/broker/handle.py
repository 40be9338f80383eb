"""What every kind of broker offers to those who started it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import ClassVar, Self


class Broker(ABC):
    """A broker that answers at `bootstrap` until `stop` is called; use it with `with`."""

    kind: ClassVar[str]
    """`external`, `kafka` or `embedded`."""
    transactions: ClassVar[bool] = True
    """Whether transactions and the compaction of topics are real."""
    limits: ClassVar[str] = ""
    """One line of what this kind cannot show; empty when there is nothing to say."""
    bootstrap: str

    @property
    def pids(self) -> tuple[int, ...]:
        """Return the ids of the broker's own processes; none when it runs elsewhere or in this one."""
        return ()

    @abstractmethod
    def stop(self) -> None:
        """Stop the broker if it is ours; a second call does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class External(Broker):
    """A cluster that somebody else runs."""

    kind = "external"

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def stop(self) -> None:
        """Do nothing: the cluster is not ours."""
