"""One slab of rows per worker, in pages that each belong to one partition."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from models.profiles.layout import ROW, ROW_BYTES

PAGE_ROWS = 256
"""Rows of a page; 256 rows of 1,216 bytes are a whole number of 4 KiB memory pages."""
_MAP_NORESERVE = 0x4000


def _reserve(rows: int) -> mmap.mmap:
    """Reserve address space for that many rows; memory is taken only as rows are written."""
    size = rows * ROW_BYTES
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    try:
        return mmap.mmap(-1, size, flags=flags | _MAP_NORESERVE)
    except (OSError, ValueError):
        return mmap.mmap(-1, size, flags=flags)


class Slab:
    """Rows of all customers of a worker, addressed by row number.

    Row numbers stay valid until their partition is dropped. A partition's rows lie in pages of its own, so
    that dropping the partition gives the pages back to the system at once.

    Args:
        capacity: most rows the slab can hold; only address space until they are used.
    """

    def __init__(self, capacity: int = 1 << 23) -> None:
        self.capacity = -(-capacity // PAGE_ROWS) * PAGE_ROWS
        self._memory = _reserve(self.capacity)
        self.rows: NDArray[np.void] = np.frombuffer(self._memory, ROW)
        self.bytes: NDArray[np.uint8] = np.frombuffer(self._memory, np.uint8).reshape(-1, ROW_BYTES)
        self.hashes = np.zeros(self.capacity, np.uint64)
        """By row: a hash of the customer id, for whoever puts it there; 0 for a row that is new."""
        self._keys: list[bytes | None] = []  # by row
        self._pages: dict[int, list[int]] = {}
        self._free: dict[int, list[int]] = {}
        self._free_pages: list[int] = []
        self._next_page = 0

    def new(self, partition: int, key: bytes) -> int:
        """Return the number of a fresh, zeroed row for a customer of the partition.

        Raises:
            MemoryError: the slab's capacity is used up.
        """
        free = self._free.setdefault(partition, [])
        if not free:
            page = self._add_page(partition, [None] * PAGE_ROWS)
            free.extend(range((page + 1) * PAGE_ROWS - 1, page * PAGE_ROWS - 1, -1))
        row = free.pop()
        self._keys[row] = key
        return row

    def new_many(self, partition: int, keys: Sequence[bytes]) -> list[int]:
        """Return the numbers of fresh, zeroed rows for customers of the partition, one each.

        Raises:
            MemoryError: the slab's capacity is used up.
        """
        begun = min(len(self._free.get(partition, ())), len(keys))
        rows = [self.new(partition, key) for key in keys[:begun]]
        whole = begun + (len(keys) - begun) // PAGE_ROWS * PAGE_ROWS
        for start in range(begun, whole, PAGE_ROWS):
            page = self._add_page(partition, list(keys[start : start + PAGE_ROWS]))
            rows.extend(range(page * PAGE_ROWS, (page + 1) * PAGE_ROWS))
        rows.extend(self.new(partition, key) for key in keys[whole:])
        return rows

    def _add_page(self, partition: int, keys: list[bytes | None]) -> int:
        page = self._take_page()
        self._pages.setdefault(partition, []).append(page)
        self._keys[page * PAGE_ROWS : (page + 1) * PAGE_ROWS] = keys  # the newest page lies behind the others
        return page

    def _take_page(self) -> int:
        if self._free_pages:
            return self._free_pages.pop()
        page = self._next_page
        if (page + 1) * PAGE_ROWS > self.capacity:
            raise MemoryError(f"the slab is full at {self.capacity} customers: add workers")
        self._next_page += 1
        return page

    def key(self, row: int) -> bytes:
        """Return the customer id of a row in use.

        Raises:
            KeyError: the row is not in use.
        """
        return self.keys([row])[0]

    def in_use(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return those of the rows that belong to a customer."""
        used = [key is not None for key in map(self._keys.__getitem__, rows.tolist())]
        return rows if all(used) else rows[np.array(used)]

    def release(self, partition: int, row: int) -> None:
        """Zero a row and take it back."""
        self._keys[row] = None
        self.bytes[row] = 0
        self.hashes[row] = 0
        self._free[partition].append(row)

    def drop(self, partition: int) -> None:
        """Give back all pages of a partition; its row numbers are void from here on."""
        self._free.pop(partition, None)
        for page in self._pages.pop(partition, []):
            self._keys[page * PAGE_ROWS : (page + 1) * PAGE_ROWS] = [None] * PAGE_ROWS
            start = page * PAGE_ROWS * ROW_BYTES
            # an anonymous private mapping reads as zeros after MADV_DONTNEED (Linux); else zero by hand
            if hasattr(mmap, "MADV_DONTNEED") and start % mmap.PAGESIZE == 0:
                self._memory.madvise(mmap.MADV_DONTNEED, start, PAGE_ROWS * ROW_BYTES)
            if self.bytes[page * PAGE_ROWS : (page + 1) * PAGE_ROWS].any():
                self.bytes[page * PAGE_ROWS : (page + 1) * PAGE_ROWS] = 0
            self.hashes[page * PAGE_ROWS : (page + 1) * PAGE_ROWS] = 0
            self._free_pages.append(page)

    def used(self, partition: int) -> NDArray[np.int64]:
        """Return the numbers of the partition's rows in use, in the order of their creation, roughly."""
        found: list[int] = []
        for page in self._pages.get(partition, []):
            base = page * PAGE_ROWS
            keys = self._keys[base : base + PAGE_ROWS]
            found.extend(base + i for i, key in enumerate(keys) if key is not None)
        return np.array(found, np.int64)

    def keys(self, rows: Iterable[int]) -> list[bytes]:
        """Return the customer ids of rows in use.

        Raises:
            KeyError: one of the rows is not in use.
        """
        try:
            found = [*map(self._keys.__getitem__, rows)]
        except IndexError as error:
            raise KeyError(*error.args) from error
        if not all(found) and None in found:
            raise KeyError(found.index(None))
        return found  # type: ignore[return-value] # there is no None
