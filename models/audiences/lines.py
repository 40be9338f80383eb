"""Where in a definitions file each audience and each of its keys stands; TOML's parser does not tell."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_HEADER = re.compile(r"\s*\[\[\s*(?P<name>[^\]]*?)\s*\]\]")
_TABLE = re.compile(r"\s*\[[^\[]")
_KEY = re.compile(r"\s*[\"']?(?P<key>[A-Za-z0-9_-]+)[\"']?\s*=\s*(?P<rest>.*)", re.DOTALL)
_LONG = ('"""', "'''")


@dataclass(slots=True)
class Place:
    """Lines of one audience.

    Attributes:
        line: of its header.
        keys: line of each key.
        values: line on which each key's text begins: below the key for a text in three quotes.
    """

    line: int
    keys: dict[str, int] = field(default_factory=dict)
    values: dict[str, int] = field(default_factory=dict)

    def of(self, key: str) -> int:
        """Return the line of a key, of the header when it is not there."""
        return self.keys.get(key, self.line)


def places(text: str) -> tuple[dict[str, int], list[Place]]:
    """Return the lines of the keys outside `[[audience]]` tables, and the place of each such table.

    Args:
        text: valid TOML.
    """
    outside: dict[str, int] = {}
    found: list[Place] = []
    here: Place | None = None
    open_quote = ""
    for number, line in enumerate(text.splitlines(), 1):
        if open_quote:
            open_quote = "" if open_quote in line else open_quote
            continue
        if header := _HEADER.match(line):
            here = None
            if header["name"].strip("\"'") == "audience":
                here = Place(number)
                found.append(here)
            else:
                outside.setdefault(header["name"], number)
        elif _TABLE.match(line):
            here = None
            outside.setdefault(line.strip().strip("[] "), number)
        elif assignment := _KEY.match(line):
            open_quote = _opened(assignment["rest"])
            _note(assignment, number, here, outside)
    return outside, found


def _note(assignment: re.Match[str], number: int, here: Place | None, outside: dict[str, int]) -> None:
    key = assignment["key"]
    if here is None:
        outside.setdefault(key, number)
        return
    below = assignment["rest"].strip() in _LONG  # TOML drops the line break after the quotes
    here.keys.setdefault(key, number)
    here.values.setdefault(key, number + below)


def _opened(rest: str) -> str:
    """Return the three quotes that a value opens and does not close on its line."""
    for quote in _LONG:
        if rest.startswith(quote) and quote not in rest[3:]:
            return quote
    return ""
