"""Numbers for names: categories, brands and the like are codes in a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from models.value import SEGMENTS

NAMESPACES = ("category", "brand", "channel", "device", "country", "city", "gender", "loyalty_tier")
"""Dictionaries of a partition; the position is the namespace's number in the changelog."""
MAX_NAMES = 60_000
"""Names of one namespace and partition; further ones share the code OTHER."""
RFM_SEGMENT = "rfm_segment"
FIXED = {RFM_SEGMENT: SEGMENTS}
"""Dictionaries that are the same everywhere and never grow: the code of a name is its place, from 1."""
OTHER = 0xFFFF
OTHER_NAME = "(other)"


class _Codes(dict[str | None, int]):
    """Codes by name, 0 for None; asks for the code of a name that is new."""

    def __init__(self, ask: Callable[[str], int]) -> None:
        super().__init__({None: 0})
        self._ask = ask

    def __missing__(self, name: str | None) -> int:
        """Return the code of a new name; the one that further names share is not remembered."""
        return 0 if name is None else self._ask(name)


class Names:
    """The dictionaries of one partition. Codes start at 1 in the order of first sight; 0 is none."""

    def __init__(self) -> None:
        self._codes: dict[str, dict[str, int]] = {space: {} for space in NAMESPACES}
        self._names: dict[str, dict[int, str]] = {space: {OTHER: OTHER_NAME} for space in NAMESPACES}
        for space, names in FIXED.items():
            self._codes[space] = {name: code for code, name in enumerate(names, 1)}
            self._names[space] = dict(enumerate(names, 1))
        self._lookup = {space: _Codes(partial(self.code, space)) for space in NAMESPACES}
        self.fresh: list[tuple[str, int, str]] = []
        """(namespace, code, name) given since the list was last emptied."""

    def code(self, space: str, name: str) -> int:
        """Return the code of a name, a new one when it is new."""
        codes = self._codes[space]
        code = codes.get(name)
        if code is None:
            if len(codes) >= MAX_NAMES:
                return OTHER
            code = len(codes) + 1
            self.put(space, code, name)
            self.fresh.append((space, code, name))
        return code

    def codes(self, space: str, names: Iterable[str | None]) -> list[int]:
        """Return the code of each name, new ones in the order of their first place; 0 for None."""
        return list(map(self._lookup[space].__getitem__, names))

    def find(self, space: str, name: str) -> int | None:
        """Return the code of a name, None when it has none."""
        return self._codes[space].get(name)

    def put(self, space: str, code: int, name: str) -> None:
        """Take over a name and its code from the changelog."""
        self._codes[space][name] = self._lookup[space][name] = code
        self._names[space][code] = name

    def name(self, space: str, code: float) -> str | None:
        """Return the name of a code, None for 0, NaN or an unknown one."""
        return self._names[space].get(int(code)) if code > 0 else None

    def all(self) -> list[tuple[str, int, str]]:
        """Return (namespace, code, name) of all names that were given."""
        return [(space, code, name) for space in NAMESPACES for name, code in self._codes[space].items()]
