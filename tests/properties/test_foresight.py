"""Customers who are left out of sweeps: what is written is the same as if everyone were decided each time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from unittest.mock import patch

import numpy as np
import orjson
import pytest

from models.clusterer import Model
from models.events import F64, I64, Bool
from models.features import BY_NAME, CLUSTERED
from models.value import ValueSample, fit
from streams.deciding.crowd import Crowd
from streams.deciding.foresight import SOON, Foresight
from streams.observer import SilentObserver
from streams.outbox import BACKFILL, CHANGELOG
from streams.records import CUSTOMERS, Record
from streams.segments_file import segments_file
from tests.engine_runs import HOUR_MS, SETTINGS, Driver, definitions, record, trained_model
from tests.oracle.synthetic import DAY_MS, START_MS, stream
from tests.value_samples import shop

MORE = """
[[audience]]
id = "overdue"
name = "Overdue"
enter = "days_since_order / NULLIF(order_gap_days, 0) > 1.2"

[[audience]]
id = "calming"
name = "Calming"
enter = "trend < 0.5"
leave = "trend > 0.6"
min_stay = "36h"

[[audience]]
id = "fading"
name = "Fading"
enter = "views_half7d + 2 * clicks_half7d < 1.5 AND views_total > 3"
cooldown = "2d"

[[audience]]
id = "gone-from-segment"
name = "Gone from a segment"
enter = "behaviour_segment IN ('b-1', 'b-2') AND days_since_seen > 1.3"

[[audience]]
id = "sleepy"
name = "Sleepy"
enter = "rfm_segment IN ('about to sleep', 'at risk')"

[[audience]]
id = "maybe-alive"
name = "Maybe alive"
enter = "p_alive > 0.3 AND p_alive < 0.8"

[[audience]]
id = "third"
name = "Third"
enter = "NULLIF(rfm_r, 3) IS NULL AND days_known > 10"

[[audience]]
id = "around-three"
name = "Around three days"
enter = "ABS(days_since_seen - 3) < 0.7"
cooldown = "1h"

[[audience]]
id = "worth"
name = "Worth"
enter = "expected_value_90d > 10 * expected_orders_90d"
"""
"""Beside the shipped ones: arithmetic, two columns, what comes and goes, minimum stays and cooldowns."""


@dataclass(frozen=True)
class Life:
    """A shop with a history, and then some days at each tick of which something may happen."""

    seed: int
    tick_ms: int
    days: int
    history_days: int = 110
    customers: int = 14
    sliced: bool = False
    """A slice after each chunk of events and each tick; what is left of a sweep is done at the next one."""


LIVES = [Life(1, HOUR_MS, 6), Life(2, 600_000, 1), Life(3, 4 * HOUR_MS, 25)]


class Counting(SilentObserver):
    """Counts customers whom sweeps have passed, and those whom they have decided."""

    def __init__(self) -> None:
        self.passed = self.decided = 0

    def sweep(self, partition: int, customers: int, decided: int) -> None:  # noqa: ARG002 - the protocol's
        """Count."""
        self.passed += customers
        self.decided += decided


def driver_of(life: Life, counting: Counting) -> Driver:
    """Return a driver of the shop; its successors count on."""

    class Watched(Driver):
        sweep_ms = life.tick_ms
        sliced = life.sliced
        slices = 1

        def __init__(self, log: Sequence[bytes] | None = None) -> None:
            super().__init__(log)
            self.engine.sweeper.observer = counting

    return Watched([model(1), audiences()])


@cache
def model(version: int) -> bytes:
    """Return a model that knows what customers are worth; each version has moved a little."""
    trained = Model.from_bytes(trained_model())
    centres = np.rint(trained.centres * (0.9 + 0.1 * version) * 4096) / 4096
    value = fit(ValueSample.of(*shop(400, 1)))
    assert value is not None
    return replace(trained, version=version, centres=centres, value=value).to_bytes()


@cache
def audiences() -> bytes:
    """Return the shipped audiences and some more."""
    return definitions(segments_file(SETTINGS).read_text() + MORE)


def lived(life: Life) -> tuple[list[Record], Counting]:
    """Return all that is written of a life: a newer model, newer definitions, an erasure and a restart."""
    counting = Counting()
    driver = driver_of(life, counting)
    begin, end = (START_MS + days * DAY_MS for days in (life.history_days, life.history_days + life.days))
    events = stream(life.seed, life.customers, life.history_days + life.days)
    erasure = record(CUSTOMERS, "c-3", "erasure", begin + life.days * DAY_MS // 3, erase=True)
    waiting = [*events, erasure]
    driver.clock.set(begin)  # what is long ago is swept once a day
    ticks = range(begin, end, life.tick_ms)
    for n, now_ms in enumerate(ticks):
        due = [event for event in waiting if event.time_ms <= now_ms]
        waiting = [event for event in waiting if event.time_ms > now_ms]
        for start in range(0, len(due), 100):
            driver.feed(due[start : start + 100])
        driver.clock.set(now_ms)
        for partition in driver.engine.parts:
            driver.engine.advance(partition, now_ms)
        driver.feed([])
        if n % 20 == 7:
            driver.commit()
        if n == len(ticks) // 4:
            driver.offer(model(2))
        if n == len(ticks) // 2:
            driver.offer(definitions(later(), audiences()))
        if n == 2 * len(ticks) // 3:
            driver = driver.commit().successor()
    return driver.finish().commit().written, counting


def later() -> str:
    """Return the audiences, two of which have changed."""
    text = segments_file(SETTINGS).read_text() + MORE
    return text.replace("days_since_seen > 14", "days_since_seen > 11").replace("trend < 0.5", "trend < 0.55")


def decided_each_time(_: Foresight, crowd: Crowd, now: I64, seen: F64, due: I64) -> I64:  # noqa: ARG001 - as the real one
    """Look ahead at nothing."""
    return np.full(len(crowd), SOON, np.int64)


@contextmanager
def nobody_left_out() -> Iterator[None]:
    """Decide everyone in each sweep."""
    with patch.object(Foresight, "until", decided_each_time):
        yield


@contextmanager
def whatever_comes() -> Iterator[None]:
    """Leave everyone out until midnight, whatever happens until then."""

    def never(_: Foresight, crowd: Crowd, now: I64, last: I64, seen: F64) -> Bool:  # noqa: ARG001 - as the real one
        return np.ones(len(crowd), np.bool_)

    with patch.object(Foresight, "_steady", never):
        yield


def of_time(records: list[Record]) -> Counter[str]:
    """Return how many changes by time there are of each segment."""
    found: Counter[str] = Counter()
    for one in records:
        if one.topic == BACKFILL:
            said: Any = orjson.loads(one.value or b"{}")["properties"]
            found[said["audience_key"]] += said["cause"] == "time"
    return +found


@pytest.mark.parametrize("life", LIVES, ids=lambda life: f"every {life.tick_ms // 60_000} min")
def test_every_record_is_the_same_as_if_nobody_was_left_out(life: Life) -> None:
    """Byte by byte and in the same order: changes, rows, memberships, deltas; and many are left out."""
    with nobody_left_out():
        expected, everyone = lived(life)
    written, counting = lived(life)

    assert written == expected
    assert everyone.decided == everyone.passed == counting.passed
    assert len(of_time(expected)) > 10
    assert counting.decided < 0.8 * counting.passed


@pytest.mark.parametrize("name", ["days_since_seen", "trend"])
def test_nobody_is_left_out_for_a_feature_that_may_go_anywhere(name: str) -> None:
    """One that conditions read, and one that customers are clustered on."""
    free = replace(BY_NAME[name], course="any")
    life = replace(LIVES[0], days=1, history_days=5, customers=6)
    clustered = [free if feature.name == name else feature for feature in CLUSTERED]
    straying = [feature.name for feature in clustered if feature.course == "any"]
    with patch.dict(BY_NAME, {name: free}), patch("streams.deciding.foresight._STRAYING", straying):
        _, counting = lived(life)

    assert counting.decided == counting.passed > 0


def by_customer(records: list[Record]) -> dict[bytes | None, list[Record]]:
    """Return the changes of each customer, in order, and the last state of each."""
    found: dict[bytes | None, list[Record]] = {}
    for one in records:
        if one.topic == BACKFILL:
            found.setdefault(one.key, []).append(one)
    rows = {
        one.key: one for one in records if one.topic == CHANGELOG and (one.key or b"")[:1] in {b"h", b"c"}
    }
    return found | {key: [one] for key, one in rows.items()}


def test_sweeps_in_slices_between_events_leave_out_the_same() -> None:
    """What is written of each customer is the same as if sweeps were done at once, and nobody left out."""
    life = replace(LIVES[0], days=3)
    with nobody_left_out():
        expected, everyone = lived(life)
    with patch("streams.sweeper.SLICE", 3):
        written, counting = lived(replace(life, sliced=True))

    assert by_customer(written) == by_customer(expected)
    assert counting.decided < 0.8 * everyone.decided


def test_looking_ahead_wrongly_is_noticed() -> None:
    """The comparison above is worth something: where changes on the way are overlooked, records differ."""
    life = replace(LIVES[0], days=2)
    with nobody_left_out():
        expected, _ = lived(life)
    with whatever_comes():
        written, _ = lived(life)

    assert written != expected
