"""One of a kind is said as one."""

from __future__ import annotations

from streams.words import counted


def test_only_one_is_singular_and_thousands_are_grouped() -> None:
    assert [counted(n, "change") for n in (0, 1, 2, 12_345)] == [
        "0 changes",
        "1 change",
        "2 changes",
        "12,345 changes",
    ]
    assert [counted(n, "copy", "copies") for n in (1, 3)] == ["1 copy", "3 copies"]
