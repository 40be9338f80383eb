"""Numbers with their nouns, as people read them."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return `1 change`, `2,000 changes`; the plural is the noun with an s unless it is given."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
