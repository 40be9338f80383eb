"""What the kernel reads of rows is what numpy finds in them, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.features import FEATURES, View, prepare
from models.features.reading import (
    CELL,
    DAYS,
    HEAVIEST,
    ORDER_DAYS,
    SQUARES,
    TOTAL,
    USED,
    Reading,
    cell_of,
    read,
)
from models.features.view import readings_of
from models.profiles.layout import ROW, ROW_BYTES
from streams.calendars import calendar_of

prepare()  # takes longer than an example may

DAY = 20_000
WEIGHTS = ("category_weight", "brand_weight")
CELLS: list[Reading] = [
    (CELL, name, cell)
    for name in ROW.names or ()
    for cell in range(ROW[name].shape[0] if ROW[name].shape else 1)
]
RINGS: list[Reading] = [
    (DAYS, ring, window)
    for ring in ("views_day", "clicks_day", "dwell_day", "sessions_day", "carts_day", "campaigns_day")
    for window in (1, 7, 30)
]
ORDERS: list[Reading] = [
    (ORDER_DAYS, column, window)
    for column in ("order_count", "order_money", "order_campaigns")
    for window in (30, 90, 365)
]
SLOTS: list[Reading] = [
    *((what, weights, 0) for what in (TOTAL, SQUARES, HEAVIEST) for weights in WEIGHTS),
    *((USED, slots, 0) for slots in ("category", "brand", "channel", "device")),
]


def _rows(n: int, seed: int) -> NDArray[np.void]:
    """Return rows of any bytes whose days lie near `DAY` and whose weights are numbers."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 256, n * ROW_BYTES, np.uint8).view(ROW)
    rows["ring_day"] = rng.integers(DAY - 40, DAY + 3, n)
    rows["order_day"] = rng.integers(DAY - 400, DAY + 3, rows["order_day"].shape) * rng.integers(0, 2, (n, 1))
    rows["order_money"] = rng.integers(-(10**9), 10**9, rows["order_money"].shape)
    for name in (*WEIGHTS, "views_half", "clicks_half", "orders_half", "money_half"):
        rows[name] = rng.exponential(3.0, rows[name].shape) * rng.integers(0, 2, rows[name].shape)
    return rows


def _expected(r: NDArray[np.void], today: NDArray[np.int64], reading: Reading) -> NDArray[np.generic]:
    """Return a column as numpy finds it."""
    what, field, which = reading
    if what == CELL:
        return cell_of(r, field, which)
    if what == DAYS:
        age = (r["ring_day"].astype(np.int64)[:, None] - np.arange(30)) % 30
        inside = age < np.clip(which - (today - r["ring_day"]), 0, 30)[:, None]
        return (r[field].astype(np.int64) * inside).sum(axis=1).astype(np.float64)
    if what == ORDER_DAYS:
        inside = r["order_day"] > np.maximum(today - which, 0)[:, None]
        return (r[field].astype(np.int64) * inside).sum(axis=1).astype(np.float64)
    if what == USED:
        return (r[field] > 0).sum(axis=1).astype(np.float64)
    if what == HEAVIEST:
        return r[field].max(axis=1)
    return (r[field] if what == TOTAL else r[field] * r[field]).sum(axis=1)


@given(st.integers(0, 40), st.integers(0, 2**32 - 1), st.permutations([*RINGS, *ORDERS, *SLOTS, *CELLS[::7]]))
def test_a_pass_reads_what_numpy_finds(n: int, seed: int, readings: list[Reading]) -> None:
    """Of any rows, in any order of what is asked for, read-only or not."""
    rows = _rows(n, seed)
    rows.flags.writeable = seed % 2 == 0
    today = np.random.default_rng(seed).integers(DAY - 45, DAY + 45, n)
    found = read(rows, today, readings)

    assert set(found) == set(readings)
    for reading in readings:
        expected = _expected(rows, today, reading)
        assert found[reading].dtype == expected.dtype
        assert found[reading].tobytes() == expected.tobytes()


def test_every_cell_can_be_read() -> None:
    """Whole numbers of any size come as they are, signed ones too."""
    rows, today = _rows(300, 1), np.full(300, DAY)
    found = read(rows, today, CELLS)

    for reading in CELLS:
        assert found[reading].tobytes() == _expected(rows, today, reading).tobytes()


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_features_read_in_one_pass_are_the_same(zone: str) -> None:
    """A feature is the same to the last bit whether its cells were read with others or one by one."""
    rows = _rows(500, 2)
    times = [name for name in ROW.names or () if name.startswith(("first_", "last_")) or name.endswith("_at")]
    rng = np.random.default_rng(3)
    for name in times:
        rows[name] = rng.integers(0, DAY * 86_400_000, len(rows)) * rng.integers(0, 2, len(rows))
    now = rng.integers(DAY * 86_400_000, (DAY + 40) * 86_400_000, len(rows))
    together, one_by_one = View(rows, now, calendar_of(zone)), View(rows, now, calendar_of(zone))
    together.read(FEATURES)

    for feature in FEATURES:
        assert together.column(feature).tobytes() == one_by_one.column(feature).tobytes(), feature.name
    assert all(readings_of(feature) for feature in FEATURES if feature.family == "purchases")
