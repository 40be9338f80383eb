"""Start everything, watch until it is done, stop everything."""

from __future__ import annotations

import logging
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

import msgspec

from streams.broker import Broker, start_broker
from streams.clock import Clock
from streams.demo.child import Worker
from streams.demo.feed import DAYS, HISTORY_EVENTS, HISTORY_RATE, LIVE_RATE, Feed
from streams.demo.live import Live
from streams.demo.screen import Screen, day_of
from streams.demo.summary import WATCHED, Summary
from streams.errors import BrokerUnreachableError, LiveSegmentsError
from streams.lag import Lag
from streams.notice import COMPILING
from streams.produce import Publisher
from streams.reader import Reader
from streams.settings import SETTINGS, Settings
from streams.shop.online_retail import CURRENCY
from streams.topics import create_topics
from streams.words import counted

NO_PROGRESS_S = 90.0
"""A worker that commits nothing for so long, with events left, ends the demo."""
LOOK_EVERY_S = 0.5
QUIET_LOOKS = 2
"""Half-seconds without a record after which all output has been read."""
EVENTS_PER_CUSTOMER = 33
PARTITIONS = 4
"""At most: a small machine has a worker, a shop and a broker to run."""
SWEEP_S = 2
"""Customers come to new segments at sweeps; nobody waits half a minute for the next one."""
SEGMENTS_S = 20.0
"""How long a demo whose events are all processed waits for the first segment."""
SESSION_MS = 300_000
"""There is one worker and nobody who could take over: a busy machine must not put it out of the group, which
would refuse its next commit."""
LINGER_MS = 200
"""The embedded broker hands out one batch of a partition at a time: few large ones are quicker."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the user asked for."""

    events: int | None = None
    """None: until Ctrl-C."""
    customers: int | None = None
    seed: int | None = None
    web: bool = True
    broker: Literal["auto", "kafka", "embedded"] = "embedded"


class Demo:
    """One run of the demo.

    Args:
        plan: what to do.
        settings: what the user set; broker, ids and currency are the demo's own.
        clock: the wall clock.
        screen: where it is shown.
    """

    def __init__(self, plan: Plan, settings: Settings, clock: Clock, screen: Screen) -> None:
        self._plan = plan
        self._settings = settings
        self._clock = clock
        self._screen = screen
        self._started = time.monotonic()
        self.summary = Summary(broker="none")
        self._processed = 0
        self._compiles = False
        self._live: Live | None = None

    def run(self) -> None:
        """Run until everything is processed, or without end.

        On KeyboardInterrupt and errors everything is stopped all the same; `summary` holds what was seen.

        Raises:
            LiveSegmentsError: something did not start or stopped working.
        """
        plan = self._plan
        logging.getLogger("streams.broker").setLevel(logging.ERROR)  # what the broker is, the screen says
        name = f"demo-{self._clock.now_ms() // 1000:x}"
        settings = msgspec.structs.replace(
            self._settings,
            partitions=min(self._settings.partitions, PARTITIONS),
            currency=CURRENCY,
            currency_rates={},
            sweep_interval_s=SWEEP_S,
            session_timeout_ms=SESSION_MS,
        )
        with ExitStack() as stack:
            self._screen.say("starting a broker")
            broker = stack.enter_context(start_broker(plan.broker, settings=settings))
            self.summary.broker = broker.kind
            if broker.kind == "external":  # beside whatever else is there
                settings = msgspec.structs.replace(settings, app_id=name, topic_prefix=f"{name}.")
            settings = msgspec.structs.replace(
                settings,
                kafka_bootstrap=broker.bootstrap,
                web_port=_free_port(settings.web_bind, settings.web_port if plan.web else 0),
                **({} if broker.kind == "external" else _PLAIN),
            )
            create_topics(settings)
            worker = stack.enter_context(Worker(settings))
            feed = self._feed(settings)
            self._introduce(settings, broker, feed.customers)
            stack.callback(self._finish, feed)
            stack.enter_context(self._screen.running())
            feed.start()
            self._watch(settings, worker, feed)

    def _feed(self, settings: Settings) -> Feed:
        plan = self._plan
        return Feed(
            Publisher(settings, self._clock, LINGER_MS),
            plan.customers or max(60, (plan.events or 20_000) // EVENTS_PER_CUSTOMER),
            settings.seed if plan.seed is None else plan.seed,
            plan.events,
            self._clock.now_ms(),
        )

    def _introduce(self, settings: Settings, broker: Broker, customers: int) -> None:
        page = f"http://{settings.web_bind}:{settings.web_port}/" if self._plan.web else None
        kinds = {"embedded": "the embedded broker", "kafka": "a real Kafka"}
        what = kinds.get(broker.kind, f"Kafka at {broker.bootstrap} (topics {settings.topic_prefix}*)")
        if self._plan.events is None:
            took = f"{DAYS} days of it pass in {HISTORY_EVENTS / HISTORY_RATE:.0f} s or so"
            end = f"{took}, then it is live. Ctrl-C ends it."
        else:
            end = f"It ends after {counted(self._plan.events, 'event')}."
        self._screen.introduce(customers, what, page, self._elsewhere(settings), end)
        if broker.limits:
            self._screen.say(broker.limits)

    def _elsewhere(self, settings: Settings) -> str:
        """Return the variables by which commands find this deployment, where they are not the user's."""
        told = ("kafka_bootstrap", "topic_prefix", "partitions")
        changed = [name for name in told if getattr(settings, name) != getattr(self._settings, name)]
        return " ".join(f"{ENV_OF[name]}={getattr(settings, name)}" for name in changed)

    def _watch(self, settings: Settings, worker: Worker, feed: Feed) -> None:
        """Follow the output topics until all events are processed and all their output is read."""
        began = looked = moved = time.monotonic()
        fewest, quiet = -1, 0
        with Reader(settings) as reader, Lag(settings) as lag:
            for row in reader.follow(WATCHED, from_beginning=True):
                if row is not None:
                    quiet = 0
                    change = self.summary.take(row)
                    if change is not None:
                        self.summary.first_change_s = self.summary.first_change_s or self._elapsed()
                        self._screen.change(change)
                now = time.monotonic()
                if row is not None and now - looked < LOOK_EVERY_S:
                    continue
                looked = now
                worker.check()
                complete = feed.done()
                left = _left(lag, max(fewest, 1), patient=now - moved <= NO_PROGRESS_S)
                if left or not complete:
                    self.summary.seconds = now - began
                    quiet = 0
                    if left != fewest or not complete:
                        fewest, moved = left, now
                    if now - moved > NO_PROGRESS_S:
                        raise LiveSegmentsError(
                            f"the worker commits nothing for {NO_PROGRESS_S:g} s, "
                            f"with {counted(left, 'event')} waiting"
                        )
                elif row is None and (self.summary.memberships or now - moved > SEGMENTS_S):
                    quiet += 1
                self._tell(feed, worker, left, read=row is None)
                if quiet >= QUIET_LOOKS:
                    return

    def _finish(self, feed: Feed) -> None:
        feed.stop()
        self._count(feed)

    def _count(self, feed: Feed) -> None:
        """Take over what was sent."""
        self.summary.events = list(feed.sent)
        self.summary.customers = len(feed.seen)

    def _tell(self, feed: Feed, worker: Worker, left: int, *, read: bool) -> None:
        """Renew the line of progress; say once that the worker compiles, while it processes nothing.

        Once the days that pass quickly are processed, and all that came of them is read, the shop is live.
        """
        self._count(feed)
        if not self._compiles and not self._processed and worker.compiles():
            self._compiles = True
            self._screen.say(f"the worker is {COMPILING}")
        summary = self.summary
        sent = sum(summary.events)
        self._processed = max(self._processed, sent - left)  # how much is left may be an old answer
        if self._live is None and read and 0 < feed.history <= self._processed:
            self._live = Live.begun(summary, time.monotonic())
            self._screen.go_live(DAYS, LIVE_RATE, summary)
        if self._live is not None:
            self._screen.progress(self._live.told(summary, left, time.monotonic()))
            return
        day = f"{day_of(feed.shop_ms)} · " if feed.shop_ms else ""
        self._screen.progress(
            f"{day}{counted(sent, 'event')} sent, {self._processed:,} processed · "
            f"{counted(sum(summary.changes.values()), 'change')}"
        )

    def _elapsed(self) -> float:
        return time.monotonic() - self._started


ENV_OF = {row.name: row.env for row in SETTINGS}
_PLAIN: dict[str, object] = {"security_protocol": "PLAINTEXT", "replication_factor": 1}
"""A broker of our own asks for nothing."""


def _left(lag: Lag, before: int, *, patient: bool) -> int:
    """Return the records that are not committed yet; as many as before when Kafka does not say it now.

    Raises:
        BrokerUnreachableError: it does not, and there is no patience.
    """
    try:
        return lag.left()
    except BrokerUnreachableError:
        if not patient:
            raise
        return before


def _free_port(address: str, wanted: int) -> int:
    """Return the wanted port if nobody listens there, else any free one."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for port in (wanted, 0):
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise LiveSegmentsError(f"no free port on {address}; correct LIVE_SEGMENTS_WEB_BIND")
