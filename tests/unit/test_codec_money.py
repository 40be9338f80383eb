"""Amounts in 1/10,000."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from streams.codec.money import convert, exact_rate, to_money


@pytest.mark.parametrize(
    ("text", "money"),
    [
        ("0", 0), ("-0.0", 0), ("19.99", 199_900), ("0.00005", 0), ("0.00015", 2), ("0.00025", 2),
        ("-0.00015", -2), ("1.00005", 10_000), ("1.00015", 10_002), ("2.67505", 26_750),
        ("8911407.90", 89_114_079_000), ("100000000000", 10**15), ("99999999999.9999", 10**15 - 1),
        ("1e-9", 0), ("5e-324", 0),
    ],
)  # fmt: skip
def test_half_to_even_of_the_decimal_text(text: str, money: int) -> None:
    """An amount is rounded half to even as it was written, not as its float happens to lie."""
    assert to_money(np.array([float(text)])).tolist() == [money]


def test_convert_is_exact() -> None:
    """A rate is the decimal that was written; the product is rounded half to even once."""
    assert exact_rate(0.1) == Fraction(1, 10)
    assert convert(5, exact_rate(0.1)) == 0
    assert convert(15, exact_rate(0.1)) == 2
    assert convert(10**15, exact_rate(1.23456789012345)) == 1_234_567_890_123_450
