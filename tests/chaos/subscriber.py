"""What a subscriber of `segment-changes` can see: order, gaps, repeats, and moves that fit together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.chaos.expected import Message


@dataclass(slots=True)
class Follower:
    """One customer's memberships as the changes tell them."""

    partition: int
    sequence: int = 0
    segment: str | None = None
    opened: tuple[str, str, str] | None = None
    """Move id, previous and next segment of a move of which only the first half was seen."""
    audiences: set[str] = field(default_factory=set)
    erased: bool = False


class Subscriber:
    """Follows all customers; each fault is a line in the list of its kind."""

    def __init__(self) -> None:
        self.customers: dict[str, Follower] = {}
        self.records = 0
        self.missing: list[str] = []
        self.repeated: list[str] = []
        self.disorder: list[str] = []
        self.broken: list[str] = []
        """Moves whose records do not fit together."""
        self.same_ids: list[str] = []
        self._ids: set[str] = set()

    def add(self, message: Message) -> None:
        """Take in a change record."""
        self.records += 1
        change: dict[str, Any] = orjson.loads(message.value or b"{}")
        name, place = change["userId"], f"{message.partition}:{message.offset}"
        if (message.key or b"").decode() != name:
            self.broken.append(f"{place}: the key is not {name}")
        if change["messageId"] in self._ids:
            self.same_ids.append(f"{place}: {change['messageId']}")
        self._ids.add(change["messageId"])
        customer = self.customers.setdefault(name, Follower(message.partition))
        if customer.partition != message.partition:
            self.disorder.append(f"{place}: {name} was on partition {customer.partition}")
        self._follow(customer, change["properties"], f"{place} {name}")

    def _follow(self, customer: Follower, change: dict[str, Any], where: str) -> None:
        sequence = change["sequence"]
        if sequence > customer.sequence + 1:
            self.missing.append(f"{where}: {customer.sequence} is followed by {sequence}")
        elif sequence == customer.sequence:
            self.repeated.append(f"{where}: {sequence} comes again")
        elif sequence < customer.sequence:
            self.disorder.append(f"{where}: {sequence} comes after {customer.sequence}")
        customer.sequence = max(sequence, customer.sequence)
        fault = _step(customer, change)
        if fault is not None:
            self.broken.append(f"{where} sequence {sequence}: {fault}")

    def finish(self) -> None:
        """Note moves that were never completed."""
        for name, customer in self.customers.items():
            if customer.opened is not None:
                self.broken.append(f"{name}: the move {customer.opened} has no second half")


def _step(customer: Follower, change: dict[str, Any]) -> str | None:
    """Apply a change to what is known, and return what is wrong with it."""
    audience = change["segment_set"] == "audience"
    return _audience_step(customer, change) if audience else _behaviour_step(customer, change)


def _behaviour_step(customer: Follower, change: dict[str, Any]) -> str | None:
    """Apply a change of the behaviour segment: one at a time, and moves in two halves."""
    previous, following = change["previous_segment"], change["next_segment"]
    was, opened = customer.segment, customer.opened
    move = (change["move_id"], previous, following)
    if change["change"] == "left":
        customer.segment = None
        customer.opened = None if following is None else move
        if opened is not None:
            return f"left {previous} in the middle of another move"
        if following is None:
            customer.erased = True
        if change["cause"] == "erasure" and following is not None:
            return "an erasure that leads to another segment"
        return None if previous == was == change["audience_key"] else f"left {previous}, but was in {was}"
    customer.segment, customer.opened = change["audience_key"], None
    if following != change["audience_key"]:
        return f"entered {change['audience_key']}, but names {following}"
    if opened is not None or previous is not None:
        return None if opened == move else f"entered by {move} after leaving by {opened}"
    return None if was is None else f"entered {following} for the first time, but was in {was}"


def _audience_step(customer: Follower, change: dict[str, Any]) -> str | None:
    """Apply a change of an audience; who is in can only leave, and who is out can only enter."""
    name, inside = change["audience_key"], change["audience_key"] in customer.audiences
    customer.audiences ^= {name}
    if change["cause"] == "erasure":
        customer.erased = True
    if customer.opened is not None:
        return f"{change['change']} {name} in the middle of a move"
    if (change["change"] == "left") != inside:
        return f"{change['change']} {name}, and was {'in' if inside else 'not in'} it"
    return None
