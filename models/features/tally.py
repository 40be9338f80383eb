"""What the customers of each segment do, as sums: the review of the segments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping

import numpy as np

from models.clusterer import Review
from models.clusterer.review import NOTHING
from models.events import F64, I64, Bool
from models.features.view import View
from models.names import Names

SILENT_DAYS = 90
"""Customers who were not seen for so long count as churned."""
FAVOURITES = 20
"""Favourite categories, and brands, of a segment that are kept of a partition: those of most customers. A
name that is in no partition among these is missing; one that is in some only is counted too low."""
MERGED = 32
"""Counts of portions that are kept apart before they are added up."""
_TOTALS = ("orders", "sessions", "bounces", "coupon_orders", "campaign_clicks", "campaign_orders")
COLUMNS = (*_TOTALS, "customers", "buyers", "money", "silent")
"""Columns of the review, beside `category:<name>` and `brand:<name>`: the customers whose favourite it is."""
NAMED = ("category", "brand")


class Tally:
    """Sums over the customers of one partition, as they are at one time; each is added once.

    The same customers give the same review in any order and any portions.
    """

    __slots__ = ("_favourites", "_of_groups", "_review")

    def __init__(self) -> None:
        self._review = NOTHING
        self._favourites = {what: _Pairs() for what in NAMED}
        self._of_groups = {what: _Pairs() for what in NAMED}

    def add(self, view: View, groups: I64 | None = None, inside: Bool | None = None) -> None:
        """Add customers who have been decided; who is in no behaviour segment counts as of segment 0.

        Args:
            view: n customers.
            groups: (g,) numbers, other than those of behaviour segments, of what a customer may be in beside.
            inside: (n, g) who is in what.
        """
        r = view.r
        if not len(r):
            return
        numbers = r["behaviour"].astype(np.int64)
        values = np.empty((len(r), len(COLUMNS)), np.int64)
        for j, field in enumerate(_TOTALS):
            values[:, j] = r[field]
        values[:, -4] = 1
        values[:, -3] = r["orders"] > 0
        values[:, -2] = r["money_gross"] - r["money_refunded"]
        values[:, -1] = view.since("last_seen") > SILENT_DAYS
        self._review = self._review.plus(Review.counted(COLUMNS, numbers, values))
        favourites = {what: view.top(what, f"{what}_weight") for what in NAMED}
        for what, codes in favourites.items():
            self._favourites[what].add(numbers, codes)
        if groups is None or inside is None or not inside.any():
            return
        self._review = self._review.plus(Review.counted(COLUMNS, groups, inside.T.astype(np.int64) @ values))
        who, group = np.nonzero(inside)
        for what, codes in favourites.items():
            self._of_groups[what].add(groups[group], codes[who])

    def review(self, names: Names) -> Review:
        """Return the sums by number.

        Of the favourites of groups those are named that are among those of a behaviour segment, or of who is
        in none: so groups add no columns.

        Args:
            names: what the partition's codes mean.
        """
        total = self._review
        for what, pairs in self._favourites.items():
            kept = _most(pairs.counts(), what, names)
            if kept:
                columns = sorted({name for _, name, _ in kept})
                kept += _most(self._of_groups[what].counts(), what, names, frozenset(columns))
                values = np.zeros((len(kept), len(columns)), np.int64)
                for i, (_, name, count) in enumerate(kept):
                    values[i, columns.index(name)] = count
                of = np.array([number for number, _, _ in kept])
                total = total.plus(Review.counted([f"{what}:{name}" for name in columns], of, values))
        return total


class _Pairs:
    """How often each pair of a number and a code came, NaN codes left out."""

    __slots__ = ("_counts", "_pairs")

    def __init__(self) -> None:
        self._pairs: list[I64] = []
        self._counts: list[I64] = []

    def add(self, numbers: I64, codes: F64) -> None:
        """Count pairs (n,)."""
        known = ~np.isnan(codes)
        pairs, counts = np.unique(numbers[known] << 16 | codes[known].astype(np.int64), return_counts=True)
        self._pairs.append(pairs)
        self._counts.append(counts)
        if len(self._pairs) > MERGED:
            self._merge()

    def _merge(self) -> None:
        pairs, place = np.unique(np.concatenate(self._pairs), return_inverse=True)
        counts = np.zeros(len(pairs), np.int64)
        np.add.at(counts, place, np.concatenate(self._counts))
        self._pairs, self._counts = [pairs], [counts]

    def counts(self) -> dict[tuple[int, int], int]:
        """Return (number, code) to count."""
        if not self._pairs:
            return {}
        self._merge()
        found = zip(self._pairs[0].tolist(), self._counts[0].tolist(), strict=True)
        return {(pair >> 16, pair & 0xFFFF): count for pair, count in found}


def _most(
    counts: Mapping[tuple[int, int], int], what: str, names: Names, among: Container[str] | None = None
) -> list[tuple[int, str, int]]:
    """Return (number, name, customers) of the favourites of most customers of each segment."""
    taken: Counter[int] = Counter()
    found = []
    named = [(-count, names.name(what, code), number) for (number, code), count in counts.items()]
    for count, name, number in sorted((c, name, n) for c, name, n in named if name is not None):
        if taken[number] < FAVOURITES and (among is None or name in among):
            taken[number] += 1
            found.append((number, name, -count))
    return found
