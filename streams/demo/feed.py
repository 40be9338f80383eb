"""The shop of the demo: writes its events in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from streams.errors import LiveSegmentsError
from streams.produce import Publisher, publish
from streams.shop.pace import Pace
from streams.shop.record import ShopRecord
from streams.shop.simulation import live_shop, simulate

DAY_MS = 86_400_000
DAYS = 75
"""The span that passes quickly, until now."""
HISTORY_EVENTS = 20_000
HISTORY_RATE = 500.0
"""Events of that span, and how many a second, when the demo has no end."""
SPAN_S = 8.0
"""The span takes at least so long: there are segments to move between only when some of it is over."""
LIVE_RATE = 10.0
"""Events a second after that: about as many changes as people can follow."""


@dataclass(slots=True)
class Feed:
    """The shop's events on their way to the broker."""

    publisher: Publisher
    customers: int
    seed: int
    events: int | None
    """None: a span of history, then live events without end."""
    now_ms: int
    seen: set[bytes] = field(default_factory=set)
    """Keys of the customers who did something."""
    sent: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    """By topic index."""
    history: int = 0
    """Events of the span, once it is over and the shop is live; 0 before."""
    shop_ms: int = 0
    """Event time of the newest event."""
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _error: BaseException | None = None

    def start(self) -> None:
        """Begin to send."""
        self._thread = threading.Thread(target=self._run, name="shop", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End, with everything sent that was begun."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(20)

    def done(self) -> bool:
        """Return whether everything is sent and confirmed.

        Raises:
            LiveSegmentsError: the broker is lost.
        """
        if self._thread is None or self._thread.is_alive():
            return False
        if isinstance(self._error, LiveSegmentsError):
            raise self._error
        if self._error is not None:
            raise LiveSegmentsError(f"the demo's shop failed: {self._error!r}") from self._error
        return True

    def _run(self) -> None:
        try:
            start_ms = self.now_ms - DAYS * DAY_MS
            events = self.events or HISTORY_EVENTS
            history = simulate(events, self.customers, self.seed, start_ms, self.now_ms)
            rate = max(HISTORY_RATE, self.events / SPAN_S) if self.events else HISTORY_RATE
            self._publish(history, Pace(rate))
            if self.events is None and not self._stop.is_set():
                self.history = sum(self.sent)
                live = live_shop(self.customers, self.seed, LIVE_RATE, self.now_ms)
                self._publish(live, Pace(speed=1.0))
        except BaseException as error:  # noqa: BLE001 - told by `done`, in the main thread
            self._error = error

    def _publish(self, records: Iterable[ShopRecord], pace: Pace) -> None:
        publish(self._counted(records), self.publisher, pace, self._stop)

    def _counted(self, records: Iterable[ShopRecord]) -> Iterator[ShopRecord]:
        for record in records:
            yield record
            self.seen.add(record.key)
            self.sent[record.topic] += 1
            self.shop_ms = record.time_ms
