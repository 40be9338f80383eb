"""Definitions in force: compiled, and decided in the order in which audiences refer to others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
from numpy.typing import NDArray

from models.audiences.bounds import bounds_of
from models.audiences.columns import Column, Inputs, reference, seconds
from models.audiences.definitions import Definition, Definitions
from models.audiences.expressions import Constant, FirstTruth, Logical, Not, members_of
from models.audiences.grammar import read
from models.audiences.grounds import Teller
from models.audiences.machine import U32
from models.audiences.membership import Flips, Standing, Timers, apply
from models.audiences.problems import DefinitionsError, Problem
from models.audiences.program import Output, Program
from models.events import I64, Bool

See = Callable[[NDArray[np.intp], I64], tuple[Inputs, I64]]
"""Customers (m,), ascending, one several times in a row, at ticks of the grid (m,) -> their columns, and the
times in ms (m,) of their decisions."""
PARTS = 8
"""A range of ticks is cut into as many parts until the first tick of a change is found."""


@dataclass(frozen=True)
class Rule:
    """One audience, ready to be decided."""

    definition: Definition
    slot: int
    enter: Logical
    leave: Logical

    @cached_property
    def on_entering(self) -> Teller:
        """Return what tells why a customer enters."""
        return Teller(self.enter)

    @cached_property
    def on_leaving(self) -> Teller:
        """Return what tells why a customer leaves."""
        return Teller(self.leave)

    @property
    def refers_to(self) -> set[str]:
        """Return the ids of the audiences whose members it asks for."""
        return {member.audience_id for part in (self.enter, self.leave) for member in members_of(part)}


@dataclass(frozen=True, slots=True)
class _Level:
    """Audiences that refer to audiences of earlier levels only."""

    mask: np.uint32
    program: Program
    timers: Timers


class Rules:
    """The rules of one version of the definitions.

    Attributes:
        definitions: where they are from.
        rules: by audience id.
        columns: names of all the columns that they read.

    Raises:
        DefinitionsError: a condition cannot be used with these columns, or audiences refer to each other in
            a circle; a file that was checked has neither, a record of a newer program may.
    """

    def __init__(self, definitions: Definitions, columns: Mapping[str, Column]) -> None:
        self.definitions = definitions
        self.rules = _compiled(definitions, columns)
        self._levels = [_level(level, definitions) for level in _levels(self.rules)]
        self._live = reduce(np.bitwise_or, (level.mask for level in self._levels), np.uint32(0))
        self.columns = tuple(dict.fromkeys(name for level in self._levels for name in level.program.columns))

    @property
    def version(self) -> int:
        """Return the version of the definitions."""
        return self.definitions.version

    def decide(self, inputs: Inputs, standing: Standing, now_ms: I64) -> U32:
        """Return the bits (n,) that customers hold after one decision each; changes nothing.

        Who holds a slot of an audience that these definitions do not have holds it no longer.

        Args:
            inputs: n rows.
            standing: of the n customers before the decision.
            now_ms: (n,) times of the decisions, never earlier than the last change.
        """
        now_s = seconds(now_ms)
        held = standing.bits & self._live
        for level in self._levels:
            enter, leave = level.program.run(inputs, held)
            new = level.timers.step(Standing(held, standing.since_s), enter, leave, now_s)
            held = (held & ~level.mask) | (new & level.mask)
        return held

    def steady(self, first: Inputs, last: Inputs, standing: Standing, last_ms: I64) -> Bool:
        """Return whom (n,) no decision from one time to another can change, as far as can be told.

        Args:
            first: n rows at the earlier time.
            last: the same rows at the later time; columns that do not move are the arrays of `first`, the
                others only rise or only fall in between.
            standing: of the n customers.
            last_ms: (n,) the later time.
        """
        steady = standing.bits & ~self._live == 0
        last_s = seconds(last_ms)
        for level in self._levels:
            found = bounds_of(level.program, first, last, standing.bits)
            (_, sure_to_leave), (may_enter, may_leave) = found.sure, found.possible
            steady &= ~found.doubtful
            steady &= level.timers.steady(standing, may_enter, may_leave, sure_to_leave, last_s)
        return steady

    def decide_events(
        self,
        inputs: Inputs,
        standing: Standing,
        order: NDArray[np.intp],
        start: NDArray[np.intp],
        decided: Bool,
        now_ms: I64,
    ) -> Flips:
        """Decide g customers after each of their events; `standing` (g) becomes what they hold at the end.

        The same as `decide` after every event, one after the other. `Flips.row` is the event.

        Args:
            inputs: n rows, as they are after each event.
            standing: of the g customers before the first event.
            order: (m,) the events of these customers, sorted by customer, m <= n.
            start: (g,) first position of each customer's events in `order`.
            decided: (n,) events after which the customer is decided.
            now_ms: (n,) times of the decisions, not falling within a customer.
        """
        held = np.zeros(inputs.size, np.uint32)
        held[order] = np.repeat(standing.bits, np.diff(np.append(start, len(order))))
        found: list[Flips] = []
        for level in self._levels:
            enter, leave = level.program.run(inputs, held)
            answers = enter, leave, int(level.mask)
            found.append(level.timers.walk(standing, order, start, decided, now_ms, *answers, held))
        return Flips.joined(found)

    def decide_due(self, see: See, standing: Standing, low: I64, high: I64) -> Flips:
        """Decide n customers at the last of some ticks; each changes at the first tick that changes them.

        Only memberships that differ at the last tick change: what comes and goes in between is not seen. The
        first tick is found by search, and again from there on for what is still due. `standing` changes.
        `Flips.row` is the customer.

        Args:
            see: shows customers at ticks.
            standing: of the customers after the tick `low`.
            low: (n,) number of the tick that each was decided at last.
            high: (n,) number of the tick to decide at; later than `low`.
        """
        rows, low = np.arange(len(high)), low.copy()
        found: list[Flips] = []
        while len(rows):
            inputs, now_ms = see(rows, high[rows])
            here = standing if len(rows) == len(high) else standing.take(rows)
            wanted = self.decide(inputs, here, now_ms) ^ here.bits
            rows, wanted = rows[wanted != 0], wanted[wanted != 0]
            tick = self._first_tick(see, standing, rows, wanted, low[rows], high[rows])
            if not len(rows):
                break
            inputs, now_ms = see(rows, tick)
            held = standing.bits[rows]
            bits = held ^ ((self.decide(inputs, standing.take(rows), now_ms) ^ held) & wanted)
            found.append(apply(standing, rows, bits, now_ms))
            low[rows] = tick
            rows = rows[tick < high[rows]]
        return Flips.joined(found)

    def _first_tick(
        self, see: See, standing: Standing, rows: NDArray[np.intp], wanted: U32, low: I64, high: I64
    ) -> I64:
        """Return the first tick in (low, high] at which one of the wanted bits changes.

        Looks at several ticks of the range at once: for few customers a look costs the same for one as for
        all of them.
        """
        while True:
            open_ = np.flatnonzero(high - low > 1)
            if not len(open_):
                return high
            below, above = low[open_, None], high[open_, None]
            ticks = below + (above - below) * np.arange(1, PARTS) // PARTS
            inputs, now_ms = see(np.repeat(rows[open_], PARTS - 1), ticks.ravel())
            here = standing.take(np.repeat(rows[open_], PARTS - 1))
            changed = (self.decide(inputs, here, now_ms) ^ here.bits).reshape(ticks.shape)
            due = ((changed & wanted[open_, None]) != 0) & (ticks > below)
            ends = np.hstack([below, ticks, above])
            first = np.where(due.any(axis=1), due.argmax(axis=1), PARTS - 1)[:, None]
            low[open_] = np.take_along_axis(ends, first, 1)[:, 0]
            high[open_] = np.take_along_axis(ends, first + 1, 1)[:, 0]


def _compiled(definitions: Definitions, columns: Mapping[str, Column]) -> dict[str, Rule]:
    audiences = {reference(definition.id): definition.id for definition in definitions.audiences}
    problems: list[Problem] = []

    def condition(definition: Definition, key: str, text: str) -> Logical:
        found, errors = read(text, columns, audiences)
        where = f"audience {definition.id}, {key}"
        problems.extend(Problem(0, where, error.message, error.nearest) for error in errors)
        return Constant(False) if found is None else found

    rules = {}
    for definition in definitions.audiences:
        enter = condition(definition, "enter", definition.enter)
        if definition.leave is None:
            leave: Logical = Not(FirstTruth((enter, Constant(False))))
        else:
            leave = condition(definition, "leave", definition.leave)
        rules[definition.id] = Rule(definition, definitions.slots[definition.id], enter, leave)
    if problems:
        raise DefinitionsError(problems)
    return rules


def _levels(rules: Mapping[str, Rule]) -> Iterator[list[Rule]]:
    """Yield the audiences such that each comes after those that it refers to."""
    left, done = dict(rules), set[str]()
    while left:
        ready = [rule for rule in left.values() if rule.refers_to <= done]
        if not ready:
            circle = ", ".join(sorted(left))
            raise DefinitionsError([Problem(0, "", f"audiences refer to each other in a circle: {circle}")])
        yield ready
        for rule in ready:
            done.add(rule.definition.id)
            del left[rule.definition.id]


def _level(rules: list[Rule], definitions: Definitions) -> _Level:
    outputs = [
        Output(mask, rule.slot, condition)
        for rule in rules
        for mask, condition in enumerate((rule.enter, rule.leave))
    ]
    mask = np.uint32(sum(1 << rule.slot for rule in rules))
    timers = Timers(
        {rule.slot: rule.definition.min_stay_s for rule in rules if rule.definition.min_stay_s},
        {rule.slot: rule.definition.cooldown_s for rule in rules if rule.definition.cooldown_s},
    )
    return _Level(mask, Program(outputs, 2, dict(definitions.slots)), timers)
