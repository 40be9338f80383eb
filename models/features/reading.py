"""What features read of rows, as columns: all of it in one pass, compiled, see `models.compiled`.

A row has 19 cache lines, and rows lie far apart: whoever takes field by field waits for memory each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.compiled import bare, bare_kernel
from models.events import F64, I64
from models.profiles.layout import ROW, ROW_BYTES

CELL, DAYS, ORDER_DAYS, TOTAL, SQUARES, HEAVIEST, USED, TOP = range(8)
"""What is read of a field: one cell; the sum of a day ring, or of a column of the order ring, over a window;
of the weights of slots the sum, the sum of squares and the greatest; the number of slots in use; the code in
the slot whose weight, in the field of that name, is the greatest."""
WIDTHS = (8, 4, 2, 1)
LINE = 8
"""Numbers of a cache line."""
BLOCK = 32
"""Rows worked on at a time, cell by cell: they stay in the first-level cache."""

Column: TypeAlias = NDArray[np.float64]
Cells: TypeAlias = Any  # (n, w) rows as cells of one type
Whole: TypeAlias = Any  # np.int64
Reading: TypeAlias = tuple[int, str, int]
"""What is read, of which field, and which cell of it, or over how many days."""


class Plan(NamedTuple):
    """Readings as the kernel takes them; columns come out in this order."""

    by_width: tuple[NDArray[np.uintp], ...]
    """Cells of each of `WIDTHS`."""
    sums: I64
    """(s, 5) what, bytes of a cell, first cell, number of cells; the window, or the first weight."""


@lru_cache(maxsize=256)
def _plan(readings: tuple[Reading, ...]) -> tuple[Plan, tuple[tuple[Reading, np.dtype[Any] | None], ...]]:
    """Return the plan of some readings, and these in its order, each with its `_kind`."""
    cells: dict[int, list[Reading]] = {width: [] for width in WIDTHS}
    others: list[Reading] = []
    for reading in readings:
        (cells[ROW[reading[1]].base.itemsize] if reading[0] == CELL else others).append(reading)
    by_width = tuple(
        np.array([_first(field) + cell for _, field, cell in cells[width]], np.uintp) for width in WIDTHS
    )
    sums = [
        (what, ROW[field].base.itemsize, _first(field), ROW[field].shape[0], _last(what, field, window))
        for what, field, window in others
    ]
    order = (*(reading for width in WIDTHS for reading in cells[width]), *others)
    plan = Plan(by_width, np.array(sums, np.int64).reshape(len(sums), 5))
    return plan, tuple((reading, _kind(reading)) for reading in order)


def _first(field: str) -> int:
    """Return the place of a field in its row, in cells of its own type."""
    _, offset, *_ = ROW.fields[field]  # type: ignore[index] # ROW has fields
    return int(offset) // ROW[field].base.itemsize


def _last(what: int, field: str, window: int) -> int:
    return _first(f"{field}_weight") if what == TOP else window


_DAYS = _first("ring_day"), _first("order_day")


def read(
    rows: NDArray[np.void],
    today: I64,
    readings: Sequence[Reading],
    index: NDArray[np.intp] | None = None,
) -> dict[Reading, Any]:
    """Return columns (n,): of cells with whole numbers as int64, anything else as float64.

    Args:
        rows: of dtype ROW.
        today: (n,) the last day of windows.
        readings: each once.
        index: (n,) which rows, None for all.
    """
    n, (plan, order) = len(today), _plan(tuple(readings))
    rows = np.require(rows, None, ["C", "W"])  # one type of array: the kernel is compiled once
    cells = [rows.view(f"u{width}").reshape(len(rows), ROW_BYTES // width) for width in WIDTHS]
    index = np.arange(n) if index is None else np.ascontiguousarray(index)
    whole = np.empty((len(order), n // LINE * LINE + 3 * LINE), np.int64)  # no two columns 4 KiB apart
    real = whole.view(np.float64)
    weights, by_width = cells[0].view(np.float64), plan.by_width
    in_widths = cells[0], cells[1], cells[2], cells[3]
    _read(*in_widths, weights, index, by_width, plan.sums, _DAYS, today, whole, real)
    return {
        reading: real[k, :n] if kind is None else _whole(whole[k, :n], kind)
        for k, (reading, kind) in enumerate(order)
    }


def cell_of(rows: NDArray[np.void], field: str, cell: int, index: NDArray[np.intp] | None = None) -> Any:
    """Return the column (n,) that `read` would return for a cell."""
    values = rows[field] if ROW[field].shape == () else rows[field][:, cell]
    values = values if index is None else values[index]
    return values if ROW[field].base.kind == "f" else values.astype(np.int64)


def _whole(column: I64, kind: np.dtype[Any]) -> I64:
    """Return whole numbers, which were read without their sign."""
    return column if kind is _WHOLE else column.astype(kind).astype(np.int64)


def _kind(reading: Reading) -> np.dtype[Any] | None:
    """Return the type by which whole numbers have their sign, None for real numbers."""
    what, field, _ = reading
    base = ROW[field].base
    if what != CELL or base.kind == "f":
        return None
    return _WHOLE if base.kind == "u" or base == _WHOLE else base


_WHOLE = np.dtype(np.int64)


@bare_kernel
def _read(
    cells8: Cells,
    cells4: Cells,
    cells2: Cells,
    cells1: Cells,
    weights: F64,
    index: NDArray[np.intp],
    by_width: tuple[NDArray[np.uintp], ...],
    sums: I64,
    days: tuple[int, int],
    today: I64,
    whole: I64,
    real: F64,
) -> None:
    """Read rows; see `read` and `Plan`.

    Args:
        cells8: (rows, w) the rows as cells of eight bytes.
        cells4: of four.
        cells2: of two.
        cells1: of one.
        weights: (rows, w) as `cells8`, real numbers.
        index: (n,) the rows to read.
        by_width: cells to copy of each.
        sums: what else is read.
        days: where rows have the newest day of their day rings, and the days of their order ring.
        today: (n,)
        whole: (k, n or more) receives the columns.
        real: the same memory.
    """
    for begin in range(0, len(today), BLOCK):
        end = min(begin + BLOCK, len(today))
        at = _copy(cells8, index, begin, end, by_width[0], whole, 0)
        at = _copy(cells4, index, begin, end, by_width[1], whole, at)
        at = _copy(cells2, index, begin, end, by_width[2], whole, at)
        at = _copy(cells1, index, begin, end, by_width[3], whole, at)
        for k in range(len(sums)):
            what, width, first, size, window = sums[k]
            if what == DAYS and width == WIDTHS[2]:
                _ring(cells2, cells2, days[0], index, begin, end, today, first, size, window, real, at + k)
            elif what == DAYS:
                _ring(cells1, cells2, days[0], index, begin, end, today, first, size, window, real, at + k)
            elif what == ORDER_DAYS and width == WIDTHS[0]:
                _orders(cells8, cells2, days[1], index, begin, end, today, first, size, window, real, at + k)
            elif what == ORDER_DAYS and width == WIDTHS[2]:
                _orders(cells2, cells2, days[1], index, begin, end, today, first, size, window, real, at + k)
            elif what == ORDER_DAYS:
                _orders(cells1, cells2, days[1], index, begin, end, today, first, size, window, real, at + k)
            elif what == USED:
                _used(cells2, index, begin, end, first, size, real, at + k)
            elif what == TOP:
                _top(cells2, weights, index, begin, end, first, size, window, real, at + k)
            else:
                _weighed(weights, index, begin, end, first, size, what, real, at + k)


@bare
def _copy(
    cells: Cells, index: NDArray[np.intp], begin: int, end: int, wanted: Cells, whole: I64, at: int
) -> int:
    """Copy cells of rows into columns from `at` on; return the column after them."""
    for k in range(len(wanted)):
        cell, to = wanted[k], np.uintp(at + k)  # without a sign loops become shorter
        for i in range(np.uintp(begin), np.uintp(end)):
            whole[to, i] = np.int64(cells[np.uintp(index[i]), cell])
    return at + len(wanted)


@bare
def _ring(
    cells: Cells,
    days: Cells,
    newest_day: int,
    index: NDArray[np.intp],
    begin: int,
    end: int,
    today: I64,
    first: int,
    size: int,
    window: int,
    real: F64,
    to: int,
) -> None:
    """Sum up a day ring over the last days."""
    for i in range(np.uintp(begin), np.uintp(end)):
        row = np.uintp(index[i])
        found: Whole = 0
        newest: Whole = np.int64(days[row, newest_day])
        kept = min(max(window - (today[i] - newest), 0), size)
        if kept > 0:
            stop = newest % size + 1
            start = stop - kept
            for cell in range(np.uintp(first + max(start, 0)), np.uintp(first + stop)):
                found += np.int64(cells[row, cell])
            for cell in range(np.uintp(first + size + min(start, 0)), np.uintp(first + size)):
                found += np.int64(cells[row, cell])
        real[to, i] = found


@bare
def _orders(
    cells: Cells,
    days: Cells,
    first_day: int,
    index: NDArray[np.intp],
    begin: int,
    end: int,
    today: I64,
    first: int,
    size: int,
    window: int,
    real: F64,
    to: int,
) -> None:
    """Sum up a column of the order ring over the entries of the last days."""
    cell, day = np.uintp(first), np.uintp(first_day)
    for i in range(np.uintp(begin), np.uintp(end)):
        row, before = np.uintp(index[i]), max(today[i] - window, 0)
        found: Whole = 0
        for entry in range(np.uintp(size)):
            if days[row, day + entry] == 0:
                break  # the free entries are the last
            found += np.int64(cells[row, cell + entry]) if days[row, day + entry] > before else 0
        real[to, i] = found


@bare
def _used(
    cells: Cells, index: NDArray[np.intp], begin: int, end: int, first: int, size: int, real: F64, to: int
) -> None:
    """Count the slots in use."""
    for i in range(np.uintp(begin), np.uintp(end)):
        row = np.uintp(index[i])
        found: Whole = 0
        for slot in range(np.uintp(first), np.uintp(first + size)):
            found += cells[row, slot] > 0
        real[to, i] = found


@bare
def _top(
    cells: Cells,
    weights: F64,
    index: NDArray[np.intp],
    begin: int,
    end: int,
    first: int,
    size: int,
    first_weight: int,
    real: F64,
    to: int,
) -> None:
    """Find the code in the heaviest slot, the first of equals."""
    code, weight = np.uintp(first), np.uintp(first_weight)
    for i in range(np.uintp(begin), np.uintp(end)):
        row = np.uintp(index[i])
        best: Whole = np.uintp(0)
        for slot in range(np.uintp(1), np.uintp(size)):
            best = slot if weights[row, weight + slot] > weights[row, weight + best] else best
        real[to, i] = cells[row, code + best]


@bare
def _weighed(
    weights: F64,
    index: NDArray[np.intp],
    begin: int,
    end: int,
    first: int,
    size: int,
    what: int,
    real: F64,
    to: int,
) -> None:
    """Find the sum of weights, of their squares, or the greatest one."""
    for i in range(np.uintp(begin), np.uintp(end)):
        row = np.uintp(index[i])
        weight = weights[row, np.uintp(first)]
        found = weight * weight if what == SQUARES else weight
        for slot in range(np.uintp(first + 1), np.uintp(first + size)):
            weight = weights[row, slot]
            if what == TOTAL:
                found += weight
            elif what == SQUARES:
                found += weight * weight
            else:
                found = max(found, weight)
        real[to, i] = found
