"""The grid that makes arithmetic on rows exact, and the map of features onto it.

Rows are standardised, clipped to ±`CLIP` standard deviations and rounded to multiples of 2⁻¹². Products of
two such numbers are multiples of 2⁻²⁴, and sums of them stay exact in float64 up to 2⁵³ · 2⁻²⁴ ≈ 5.4e8. So
neither the order of the rows, nor the size of a batch, nor the BLAS kernel changes a bit of a sum or a dot
product.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from models.clusterer.row_kernels import standardise
from models.events import F64

GRID = 4096.0
"""Grid steps in one standard deviation."""
CLIP = 8.0
"""Largest distance from the mean, in standard deviations; a value further out counts as this far."""
LIMIT = 2.0**40
"""Absolute transformed values from here on are no measure of anything: none enters a mean."""


def quantise(values: F64) -> F64:
    """Return `values` rounded to the grid, never as -0.0, so that equal numbers have equal bytes."""
    rounded: F64 = np.rint(values * GRID) * (1 / GRID) + 0.0
    return rounded


def quantise_clipped(values: F64) -> F64:
    """Return `values` clipped to ±`CLIP` and rounded to the grid."""
    return quantise(np.clip(values, -CLIP, CLIP))


def as_rows(rows: object, width: int) -> F64:
    """Return `rows` as a float64 matrix (n, width).

    Raises:
        ValueError: the shape is another one.
    """
    matrix = np.asarray(rows, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] != width:
        msg = f"rows have the shape {matrix.shape}, expected (n, {width}): one column a feature"
        raise ValueError(msg)
    return matrix


def ordered(rows: F64) -> F64:
    """Return the rows sorted column by column, NaN last: an order that depends on the values alone."""
    clean: F64 = rows + 0.0
    if not len(clean):
        return clean
    return clean[np.lexsort(clean.T[::-1])]


@dataclass(frozen=True, eq=False)
class Scale:
    """Mean and inverse standard deviation of each feature, in transformed units."""

    mean: F64
    """(d,)"""
    inverse: F64
    """(d,) above 0."""

    @cached_property
    def line(self) -> tuple[F64, F64]:
        """Return the mean and the grid steps in a unit, as copies.

        Another kernel would be compiled for arrays that can't be written to, such as those of a model read.
        """
        return self.mean.copy(), self.inverse * GRID

    def to_grid(self, rows: F64) -> F64:
        """Return rows (n, d) in standard deviations on the grid; NaN becomes the mean, ±inf ±`CLIP`."""
        standard = np.empty(rows.shape)
        mean, steps = self.line
        standardise(np.ascontiguousarray(rows), mean, steps, CLIP * GRID, 1 / GRID, standard)
        return standard

    def to_units(self, standard: F64) -> F64:
        """Return points (n, d) given in standard deviations in transformed units."""
        return self.mean + standard / self.inverse
