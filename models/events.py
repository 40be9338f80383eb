"""Accepted events as columns: what the codec hands to the core."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from models.packed import Packed

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
I32 = NDArray[np.int32]
U8 = NDArray[np.uint8]
F64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

MONEY_SCALE = 10_000
"""Money is int64 in 1/10,000 of the reporting currency, so that sums do not depend on their order."""


class Kind(IntEnum):
    """What an event is; one topic may carry several kinds."""

    CLICK = 0
    VIEW = 1
    PURCHASE = 2
    REFUND = 3
    ATTRIBUTES = 4
    ERASE = 5


class Action(IntEnum):
    """What was clicked; an unknown action is a link."""

    LINK = 0
    SEARCH = 1
    ADD_TO_CART = 2
    REMOVE_FROM_CART = 3
    WISHLIST = 4
    CAMPAIGN = 5
    OFFER = 6
    RATING = 7


@dataclass(slots=True)
class Attributes:
    """What a `customers` record sets; None leaves an attribute as it is."""

    birth_year: int | None = None
    gender: str | None = None
    country: str | None = None
    city: str | None = None
    loyalty_tier: str | None = None
    consent_marketing: bool | None = None
    nps: int | None = None


_NO_NAMES: list[str | None] = [None]


@dataclass(slots=True)
class Texts:
    """n texts that recur, or None."""

    numbers: I32
    """(n,) the text's place in `names`; below 0, -1 less its place in `others`."""
    names: list[str | None]
    """Begins with None, and only grows: what somebody knows of a number holds as long as it is this list."""
    others: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, texts: Iterable[str | None]) -> Texts:
        """Return texts that have no names."""
        places: dict[str | None, int] = {None: 0}
        numbers = [places.setdefault(text, -len(places)) for text in texts]
        others = [text for text in places if text is not None]
        return cls(np.array(numbers, np.int32), _NO_NAMES, others)

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.numbers)

    def tolist(self) -> list[str | None]:
        """Return the texts."""
        return [self.text(number) for number in self.numbers.tolist()]

    def text(self, number: int) -> str | None:
        """Return the text with a number."""
        return self.names[number] if number >= 0 else self.others[-1 - number]

    def take(self, where: slice | NDArray[np.intp]) -> Texts:
        """Return those at some places."""
        return Texts(self.numbers[where], self.names, self.others)


@dataclass(slots=True)
class Lines:
    """The order lines of all purchases of a chunk; m lines, in the order of their events."""

    event: I64
    """(m,) index of the event that the line belongs to, ascending."""
    category: Texts
    brand: Texts


@dataclass(slots=True)
class Events:
    """n accepted events in delivery order; every array has n entries.

    Times are epoch milliseconds, durations milliseconds, money 1/10,000 of the reporting currency.
    """

    source: I64
    """Index of the record in the raw batch that the event came from."""
    partition: I32
    key: Packed
    """customer_id as UTF-8, equal to the record's key."""
    kind: U8
    time: I64
    """occurred_at."""
    event_hash: U64
    """64-bit hash of event_id, never 0."""
    session: U64
    """64-bit hash of session_id, 0 when absent."""
    action: U8
    """`Action` of a click, 0 for other kinds."""
    campaign: Bool
    """campaign_id is there."""
    offer: Bool
    """offer_id is there (on a purchase: a coupon was used)."""
    rating: I32
    """Rating in 1/1000, -1 when absent."""
    dwell: I64
    """dwell_seconds of a view in milliseconds, -1 when absent."""
    money: I64
    """Total of an order or refund, positive for both."""
    discount: I64
    """Sum of the discounts of the order's lines."""
    items: I64
    """Sum of the quantities of the order's lines."""
    channel: Texts
    device: Texts
    country: Texts
    category: Texts
    """Category of a view; an order's are in `lines`."""
    brand: Texts
    lines: Lines
    attributes: dict[int, Attributes] = field(default_factory=dict)
    """By index of the event, for kind ATTRIBUTES only."""

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.key)
