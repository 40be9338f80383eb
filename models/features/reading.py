"""What features read of rows, as columns: all of it in one pass, compiled, see `models.compiled`.

A row has 19 cache lines, and rows lie far apart: whoever takes field by field waits for memory each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.compiled import compiled, kernel
from models.events import F64, I64
from models.profiles.layout import ROW, ROW_BYTES

CELL, DAYS, ORDER_DAYS, TOTAL, SQUARES, HEAVIEST, USED = range(7)
"""What is read of a field: one cell; the sum of a day ring, or of a column of the order ring, over a window;
of the weights of slots the sum, the sum of squares and the greatest; the number of slots in use."""
WIDTHS = (8, 4, 2, 1)
LINE = 8
"""Numbers of a cache line."""

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
    """(s, 5) what, bytes of a cell, first cell, number of cells, window."""


@lru_cache(maxsize=256)
def _plan(readings: tuple[Reading, ...]) -> tuple[Plan, tuple[Reading, ...]]:
    """Return the plan of some readings, and their order in it."""
    cells: dict[int, list[Reading]] = {width: [] for width in WIDTHS}
    others: list[Reading] = []
    for reading in readings:
        (cells[ROW[reading[1]].base.itemsize] if reading[0] == CELL else others).append(reading)
    by_width = tuple(
        np.array([_first(field) + cell for _, field, cell in cells[width]], np.uintp) for width in WIDTHS
    )
    sums = [
        (what, ROW[field].base.itemsize, _first(field), ROW[field].shape[0], window)
        for what, field, window in others
    ]
    order = (*(reading for width in WIDTHS for reading in cells[width]), *others)
    return Plan(by_width, np.array(sums, np.int64).reshape(len(sums), 5)), order


def _first(field: str) -> int:
    """Return the place of a field in its row, in cells of its own type."""
    _, offset, *_ = ROW.fields[field]  # type: ignore[index] # ROW has fields
    return int(offset) // ROW[field].base.itemsize


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
    _read(cells[0], cells[1], cells[2], cells[3], index, plan.by_width, plan.sums, _DAYS, today, whole, real)
    return {reading: _column(reading, whole[k, :n], real[k, :n]) for k, reading in enumerate(order)}


def cell_of(rows: NDArray[np.void], field: str, cell: int, index: NDArray[np.intp] | None = None) -> Any:
    """Return the column (n,) that `read` would return for a cell."""
    values = rows[field] if ROW[field].shape == () else rows[field][:, cell]
    values = values if index is None else values[index]
    return values if ROW[field].base.kind == "f" else values.astype(np.int64)


def _column(reading: Reading, whole: I64, real: F64) -> Any:
    what, field, _ = reading
    base = ROW[field].base
    if what != CELL or base.kind == "f":
        return real
    return whole if base.kind == "u" or base.itemsize == WIDTHS[0] else whole.astype(base).astype(np.int64)


@kernel
def _read(
    cells8: Cells,
    cells4: Cells,
    cells2: Cells,
    cells1: Cells,
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
        index: (n,) the rows to read.
        by_width: cells to copy of each.
        sums: what else is read.
        days: where rows have the newest day of their day rings, and the days of their order ring.
        today: (n,)
        whole: (k, n or more) receives the columns.
        real: the same memory.
    """
    weights = cells8.view(np.float64)
    for i in range(len(today)):
        row = np.uintp(index[i])  # without a sign loops become vector instructions
        at = _copy(cells8, row, by_width[0], whole, 0, i)
        at = _copy(cells4, row, by_width[1], whole, at, i)
        at = _copy(cells2, row, by_width[2], whole, at, i)
        at = _copy(cells1, row, by_width[3], whole, at, i)
        newest: Whole = np.int64(cells2[row, days[0]])
        for k in range(len(sums)):
            what, width, first, size, window = sums[k]
            if what == DAYS:
                kept = min(max(window - (today[i] - newest), 0), size)
                if width == 2:
                    real[at + k, i] = _newest(cells2, row, first, size, newest, kept)
                else:
                    real[at + k, i] = _newest(cells1, row, first, size, newest, kept)
            elif what == ORDER_DAYS:
                before = max(today[i] - window, 0)  # a free entry has day 0
                if width == 8:
                    real[at + k, i] = _later(cells8, row, first, size, cells2, days[1], before)
                elif width == 2:
                    real[at + k, i] = _later(cells2, row, first, size, cells2, days[1], before)
                else:
                    real[at + k, i] = _later(cells1, row, first, size, cells2, days[1], before)
            elif what == USED:
                real[at + k, i] = _used(cells2, row, first, size)
            else:
                real[at + k, i] = _weighed(weights, row, first, size, what)


@compiled
def _copy(cells: Cells, row: Whole, wanted: Cells, whole: I64, at: int, i: int) -> int:
    """Copy cells of a row into columns from `at` on; return the column after them."""
    for k in range(len(wanted)):
        whole[at + k, i] = np.int64(cells[row, wanted[k]])
    return at + len(wanted)


@compiled
def _newest(cells: Cells, i: Whole, first: int, size: int, newest: Whole, kept: Whole) -> Whole:
    """Return the sum of the newest days of a day ring."""
    end = newest % size + 1
    begin = end - kept
    found: Whole = 0
    for cell in range(np.uintp(first + max(begin, 0)), np.uintp(first + end)):
        found += np.int64(cells[i, cell])
    for cell in range(np.uintp(first + size + min(begin, 0)), np.uintp(first + size)):
        found += np.int64(cells[i, cell])
    return found


@compiled
def _later(cells: Cells, i: Whole, first: int, size: int, days: Cells, first_day: int, before: int) -> int:
    """Return the sum of a column of the order ring over the entries of later days."""
    found: Whole = 0
    cell, day = np.uintp(first), np.uintp(first_day)
    for entry in range(np.uintp(size)):
        found += np.int64(cells[i, cell + entry]) if days[i, day + entry] > before else 0
    return found


@compiled
def _used(cells: Cells, i: Whole, first: int, size: int) -> int:
    """Return the number of slots in use."""
    found: Whole = 0
    for slot in range(np.uintp(first), np.uintp(first + size)):
        found += cells[i, slot] > 0
    return found


@compiled
def _weighed(weights: F64, i: Whole, first: int, size: int, what: int) -> float:
    """Return the sum of weights, of their squares, or the greatest one."""
    weight = weights[i, np.uintp(first)]
    found = weight * weight if what == SQUARES else weight
    for slot in range(np.uintp(first + 1), np.uintp(first + size)):
        weight = weights[i, slot]
        if what == TOTAL:
            found += weight
        elif what == SQUARES:
            found += weight * weight
        else:
            found = max(found, weight)
    return float(found)
