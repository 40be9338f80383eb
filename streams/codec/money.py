"""Amounts as whole numbers of 1/10,000."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import numpy as np

from models.events import F64, I64, MONEY_SCALE

_TIE = 2.0**-51
"""Twice the relative error of a decimal text read as a float and multiplied by MONEY_SCALE (2^-53 each)."""


def to_money(amounts: F64) -> I64:
    """Return amounts (any shape, units of a currency, finite, |x| <= 1e11) in 1/10,000, rounded half to even.

    The result is that of rounding the decimal text that the float was read from, as long as the text has at
    most 15 significant digits: only where the float is too close to a tie to tell, the decimal is rebuilt
    from its shortest form. Longer texts may be off by 1/10,000.
    """
    scaled = amounts * MONEY_SCALE
    money = np.rint(scaled).astype(np.int64)
    size = np.abs(scaled)
    unsure = np.flatnonzero(np.abs(size - np.floor(size) - 0.5) <= size * _TIE)
    for i in unsure[size[unsure] > 0].tolist():
        exact = Decimal(repr(float(amounts[i]))) * MONEY_SCALE
        money[i] = int(exact.to_integral_value(ROUND_HALF_EVEN))
    return money


def convert(money: int, rate: Fraction) -> int:
    """Return money times rate, rounded half to even; exact, for any size."""
    return round(money * rate)


def exact_rate(rate: float) -> Fraction:
    """Return the decimal number that a rate was written as: 0.1 is 1/10."""
    return Fraction(repr(float(rate)))
