"""Who enters and who leaves: one decision for many customers, on bits.

At a decision a customer who is out enters when `enter` is true, `leave` is not, and they have been out for
the cooldown; one who is in leaves when `leave` is true and they have been in for the minimum stay. So when
both conditions are true, who is out stays out and who is in goes. A condition that is NULL is not true. Times
are whole seconds, rounded down, both of the decision and of the last change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.audiences.machine import U32
from models.audiences.membership_kernel import walk
from models.events import I64, Bool
from models.profiles.layout import AUDIENCES

_ONE = np.uint32(1)


@dataclass(slots=True)
class Standing:
    """What n customers hold.

    Attributes:
        bits: (n,) bit s: in the audience of slot s.
        since_s: (n, 32) epoch seconds at which each was entered (bit set) or left (bit clear), 0 for never.
            `Timers.step` only asks for some rows, each for a slot: there whatever answers will do.
    """

    bits: U32
    since_s: Any

    def take(self, index: NDArray[np.intp]) -> Standing:
        """Return a copy of the customers at `index`, in that order."""
        return Standing(self.bits[index], self.since_s[index])


@dataclass(slots=True)
class Flips:
    """m memberships that changed.

    Attributes:
        row: (m,) index of what was decided: the event, or the customer.
        slot: (m,) audience.
        entered: (m,) entered, not left.
        since_s: (m,) when the membership that ends began; for who entered when they left last; 0 for never.
        time_ms: (m,) of the decision.
    """

    row: NDArray[np.intp]
    slot: I64
    entered: NDArray[np.bool_]
    since_s: I64
    time_ms: I64

    def __len__(self) -> int:
        """Return m."""
        return len(self.row)

    @classmethod
    def joined(cls, parts: Sequence[Flips]) -> Flips:
        """Return all, by row; within a row by time, who leaves before who enters, then by slot."""
        row = np.concatenate([np.empty(0, np.intp), *(part.row for part in parts)])
        slot = np.concatenate([np.empty(0, np.int64), *(part.slot for part in parts)])
        entered = np.concatenate([np.empty(0, np.bool_), *(part.entered for part in parts)])
        since_s = np.concatenate([np.empty(0, np.int64), *(part.since_s for part in parts)])
        time_ms = np.concatenate([np.empty(0, np.int64), *(part.time_ms for part in parts)])
        order = np.lexsort((slot, entered, time_ms, row))
        return cls(row[order], slot[order], entered[order], since_s[order], time_ms[order])


@dataclass(frozen=True, slots=True)
class Timers:
    """Minimum stays and cooldowns in seconds by slot, of the audiences that have one."""

    min_stay_s: Mapping[int, int]
    cooldown_s: Mapping[int, int]

    def step(self, standing: Standing, enter: U32, leave: U32, now_s: I64) -> U32:
        """Return the bits (n,) that customers hold after one decision; changes nothing.

        Args:
            standing: n customers.
            enter: (n,) bits of the audiences whose `enter` is true.
            leave: (n,) bits of the audiences whose `leave` is true.
            now_s: (n,) epoch seconds of the decisions.
        """
        leaving: U32 = standing.bits & leave
        entering: U32 = enter & ~(standing.bits | leave)
        _hold_back(leaving, self.min_stay_s, standing.since_s, now_s)
        _hold_back(entering, self.cooldown_s, standing.since_s, now_s)
        held: U32 = (standing.bits & ~leaving) | entering
        return held

    def steady(self, standing: Standing, enter: U32, leave: U32, sure: U32, now_s: I64) -> Bool:
        """Return who (n,) keeps what they hold, whatever is answered.

        Args:
            standing: n customers.
            enter: (n,) bits of the audiences whose `enter` may be true.
            leave: (n,) bits of the audiences whose `leave` may be true.
            sure: (n,) those of `leave` that are sure.
            now_s: (n,) epoch seconds of the latest decision.
        """
        leaving, entering = standing.bits & leave, enter & ~(standing.bits | sure)
        steady: Bool = leaving | entering == 0
        rows = np.flatnonzero(~steady)
        if len(rows):
            leaving, entering = leaving[rows], entering[rows]
            _hold_back(leaving, self.min_stay_s, standing.since_s, now_s, rows)
            _hold_back(entering, self.cooldown_s, standing.since_s, now_s, rows)
            steady[rows] = leaving | entering == 0
        return steady

    def walk(
        self,
        standing: Standing,
        order: NDArray[np.intp],
        start: NDArray[np.intp],
        decided: Bool,
        now_ms: I64,
        enter: U32,
        leave: U32,
        mask: int,
        held: U32,
    ) -> Flips:
        """Return what changes as g customers are decided after each of their events, one after the other.

        Args:
            standing: of the g customers; becomes what they hold at the end.
            order: (m,) the events, sorted by customer.
            start: (g,) first position of each customer's events in `order`.
            decided: (n,) events after which the customer is decided.
            now_ms: (n,) times of the decisions.
            enter: (n,) bits of the audiences whose `enter` is true.
            leave: (n,) bits of the audiences whose `leave` is true.
            mask: bits of the audiences that are decided.
            held: (n,) what customers hold after each event; the bits of the mask change.
        """
        waits = np.zeros((2, AUDIENCES), np.int64)
        for row, wait_s in zip(waits, (self.min_stay_s, self.cooldown_s), strict=True):
            row[[*wait_s]] = [*wait_s.values()]
        found = walk(
            order, start, decided, now_ms, enter, leave, mask, waits, standing.bits, standing.since_s, held
        )
        event, slot, entered, since_s = found.T
        return Flips(event, slot, entered > 0, since_s, now_ms[event])


def _hold_back(
    changing: U32, wait_s: Mapping[int, int], since_s: U32, now_s: I64, who: NDArray[np.intp] | None = None
) -> None:
    """Clear, in place, the bits whose last change is more recent than the wait.

    Args:
        changing: (m,) bits.
        wait_s: by slot.
        since_s: (n, 32) as of `Standing`.
        now_s: (n,) epoch seconds.
        who: (m,) whose bits they are, of the n; None for all.
    """
    wait = np.zeros(AUDIENCES, np.int64)
    wait[[*wait_s]] = [*wait_s.values()]
    waiting = np.uint32(sum(1 << slot for slot in wait_s))
    rows, slot = changed(changing & waiting)
    if len(rows):
        theirs = rows if who is None else who[rows]
        since = since_s[theirs, slot].astype(np.int64)
        early = (since > 0) & (now_s[theirs] - since < wait[slot])
        np.bitwise_and.at(changing, rows[early], ~(_ONE << slot[early].astype(np.uint32)))


def apply(standing: Standing, rows: NDArray[np.intp], bits: U32, time_ms: I64) -> Flips:
    """Give customers new bits, in place, and return what changed; `Flips.row` is from `rows`.

    Args:
        standing: of all.
        rows: (n,) who, each at most once.
        bits: (n,) what they hold from now on.
        time_ms: (n,) of the decisions.
    """
    old = standing.bits[rows]
    at, slot = changed(old ^ bits)
    who = rows[at]
    flips = Flips(
        row=who,
        slot=slot,
        entered=(bits[at] >> slot.astype(np.uint32)) & _ONE > 0,
        since_s=standing.since_s[who, slot].astype(np.int64),
        time_ms=time_ms[at],
    )
    standing.bits[rows] = bits
    standing.since_s[who, slot] = flips.time_ms // 1000
    return flips


def changed(difference: U32) -> tuple[NDArray[np.intp], I64]:
    """Return row and slot (m,) of each bit that is set in (n,) masks, by row and slot."""
    rows = np.flatnonzero(difference)
    inside = (difference[rows, None] >> np.arange(AUDIENCES, dtype=np.uint32)) & _ONE
    at, slot = np.nonzero(inside)
    return rows[at], slot.astype(np.int64)
