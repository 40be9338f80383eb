"""What the customers of each segment do, as sums: the review of the segments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable

import numpy as np
from numpy.typing import NDArray

from models.calendar import DAY_MS, Calendar
from models.clusterer import Review
from models.events import I64
from models.features.arithmetic import one_type
from models.features.reading import CELL, TOP, Reading
from models.features.tally_kernel import CODE_BITS, EMPTY, GROUPS, count, spread
from models.features.view import View
from models.names import Names
from models.profiles.layout import ROW

SILENT_DAYS = 90
"""Customers who were not seen for so long count as churned."""
FAVOURITES = 20
"""Favourite categories, and brands, of a segment that are kept of a partition: those of most customers. A
name that is in no partition among these is missing; one that is in some only is counted too low."""
_TOTALS = ("orders", "sessions", "bounces", "coupon_orders", "campaign_clicks", "campaign_orders")
COLUMNS = (*_TOTALS, "customers", "buyers", "money", "silent")
"""Columns of the review, beside `category:<name>` and `brand:<name>`: the customers whose favourite it is."""
NAMED = ("category", "brand")
HELD = ("behaviour", "audience_bits")
"""Fields by which customers are counted."""
_FIELDS = (*_TOTALS, "money_gross", "money_refunded", "last_seen", *HELD)
READINGS: tuple[Reading, ...] = (
    *((CELL, field, 0) for field in _FIELDS),
    *((TOP, slots, 0) for slots in NAMED),
)
"""What is read of customers."""


class Tally:
    """Sums over the customers of one partition, as they are at one time; each is added once.

    The same customers give the same review in any order and any portions.

    Args:
        first_audience: number of the audience with slot 0 in the review, the others follow.
    """

    __slots__ = ("_first_audience", "_numbers", "_pairs", "_sums", "_used")

    def __init__(self, first_audience: int) -> None:
        self._first_audience = first_audience
        self._numbers = np.zeros(32, np.int64)
        self._sums = np.zeros((GROUPS + 32, len(COLUMNS)), np.int64)
        self._pairs = _no_pairs(256)
        self._used = np.zeros(1 + len(NAMED), np.int64)

    def add(self, view: View, audiences: int, at: NDArray[np.intp] | None = None) -> None:
        """Add customers who have been decided; who is in no behaviour segment counts as of segment 0.

        Args:
            view: n customers.
            audiences: bit s: the audience of slot s counts.
            at: places of those who are added; None for all.
        """
        view.read((), (), READINGS)
        columns = tuple(one_type(view.whole(field)) for field in _FIELDS)
        favourites = tuple(one_type(view.favourite(slots)) for slots in NAMED)
        places = np.arange(len(view.now)) if at is None else np.ascontiguousarray(at)
        now, one = one_type(view.now), np.zeros(len(COLUMNS), np.int64)
        done, silent_ms = 0, SILENT_DAYS * DAY_MS
        while done < len(places):
            held = self._numbers, self._sums, self._used, self._pairs, one
            done = count(columns, favourites, places, now, audiences, silent_ms, done, *held)
            if done < len(places):
                self._grow()

    def _grow(self) -> None:
        """Make room for more behaviour segments, or for more pairs."""
        if self._used[0] == len(self._numbers):
            self._numbers = np.append(self._numbers, np.zeros_like(self._numbers))
            more = np.zeros((len(self._numbers) - len(self._sums) + GROUPS, len(COLUMNS)), np.int64)
            self._sums = np.append(self._sums, more, axis=0)
        if self._used[1:].max() + GROUPS >= self._pairs.shape[1] // 2:
            old, self._pairs = self._pairs, _no_pairs(2 * self._pairs.shape[1])
            for kind, kept in enumerate(old):
                spread(kept[kept[:, 0] != EMPTY], self._pairs, kind)

    def review(self, names: Names) -> Review:
        """Return the sums by number.

        Of the favourites of groups those are named that are among those of a behaviour segment, or of who is
        in none: so groups add no columns.

        Args:
            names: what the partition's codes mean.
        """
        segments = int(self._used[0])
        number = np.append(self._first_audience + np.arange(GROUPS), self._numbers[:segments])
        total = Review.counted(COLUMNS, number, self._sums[: GROUPS + segments])
        for what, pairs in zip(NAMED, self._pairs, strict=True):
            found = pairs[pairs[:, 0] != EMPTY]
            place, code = found[:, 0] >> CODE_BITS, found[:, 0] & ((1 << CODE_BITS) - 1)
            counted = list(zip(number[place].tolist(), code.tolist(), found[:, 1].tolist(), strict=True))
            group = (place < GROUPS).tolist()
            kept = _most([one for one, inside in zip(counted, group, strict=True) if not inside], what, names)
            if kept:
                columns = sorted({name for _, name, _ in kept})
                beside = [one for one, inside in zip(counted, group, strict=True) if inside]
                kept += _most(beside, what, names, frozenset(columns))
                values = np.zeros((len(kept), len(columns)), np.int64)
                for i, (_, name, often) in enumerate(kept):
                    values[i, columns.index(name)] = often
                of = np.array([number for number, _, _ in kept])
                total = total.plus(Review.counted([f"{what}:{name}" for name in columns], of, values))
        return total


def prepare() -> None:
    """Have the kernels compiled, or loaded if they were compiled before."""
    Tally(0).add(View(np.zeros(1, ROW), np.zeros(1, np.int64), Calendar.utc()), 0)
    spread(np.empty((0, 2), np.int64), _no_pairs(1), 0)


def _no_pairs(size: int) -> I64:
    """Return room for so many pairs (a power of 2) of each kind of name."""
    pairs = np.zeros((len(NAMED), size, 2), np.int64)
    pairs[:, :, 0] = EMPTY
    return pairs


def _most(
    counted: Iterable[tuple[int, int, int]], what: str, names: Names, among: Container[str] | None = None
) -> list[tuple[int, str, int]]:
    """Return (number, name, customers) of the favourites of most customers of each segment.

    Args:
        counted: (number, code, customers).
        what: kind of the codes.
        names: what they mean.
        among: the names that count, None for all.
    """
    taken: Counter[int] = Counter()
    found = []
    named = [(-often, names.name(what, code), number) for number, code, often in counted]
    for often, name, number in sorted((c, name, n) for c, name, n in named if name is not None):
        if taken[number] < FAVOURITES and (among is None or name in among):
            taken[number] += 1
            found.append((number, name, -often))
    return found
