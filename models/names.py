"""Numbers for names: categories, brands and the like are codes in a row."""

from __future__ import annotations

import numpy as np

from models.events import I32, Texts
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


class Names:
    """The dictionaries of one partition. Codes start at 1 in the order of first sight; 0 is none."""

    def __init__(self) -> None:
        self._codes: dict[str, dict[str, int]] = {space: {} for space in NAMESPACES}
        self._names: dict[str, dict[int, str]] = {space: {OTHER: OTHER_NAME} for space in NAMESPACES}
        for space, names in FIXED.items():
            self._codes[space] = {name: code for code, name in enumerate(names, 1)}
            self._names[space] = dict(enumerate(names, 1))
        self._known: dict[str, I32] = {}
        """Codes by the number of a text, 0 for those without."""
        self._numbered: list[str | None] = []
        """The texts that have these numbers."""
        self.fresh: list[tuple[str, int, str]] = []
        """(namespace, code, name) given since the list was last emptied."""

    def code(self, space: str, name: str) -> int:
        """Return the code of a name, a new one when it is new."""
        code = self.find(space, name)
        if code is None:
            if len(self._codes[space]) >= MAX_NAMES:
                return OTHER
            code = len(self._codes[space]) + 1
            self.put(space, code, name)
            self.fresh.append((space, code, name))
        return code

    def codes(self, space: str, texts: Texts) -> I32:
        """Return (n,) the code of each text, new ones in the order of their first place; 0 for None."""
        numbers, known = texts.numbers, self._codes_by_number(space, texts.names)
        codes = np.where(numbers > 0, known[np.maximum(numbers, 0)], 0) if texts.others else known[numbers]
        unknown = np.flatnonzero((codes == 0) & (numbers != 0))
        if len(unknown):
            asked = numbers[unknown].tolist()
            given = {number: self.code(space, texts.text(number) or "") for number in dict.fromkeys(asked)}
            codes[unknown] = [given[number] for number in asked]
            for number, code in given.items():
                if number > 0 and code != OTHER:
                    known[number] = code
        return codes

    def _codes_by_number(self, space: str, texts: list[str | None]) -> I32:
        """Return what is known of the codes of numbered texts."""
        if self._numbered is not texts:
            self._numbered, self._known = texts, {}
        known = self._known.get(space)
        if known is None or len(known) < len(texts):
            longer = np.zeros(2 * len(texts), np.int32)
            if known is not None:
                longer[: len(known)] = known
            self._known[space] = known = longer
        return known

    def find(self, space: str, name: str) -> int | None:
        """Return the code of a name, None when it has none; the further names are found by OTHER_NAME."""
        code = self._codes[space].get(name)
        return OTHER if code is None and name == OTHER_NAME and space not in FIXED else code

    def put(self, space: str, code: int, name: str) -> None:
        """Take over a name and its code from the changelog."""
        self._codes[space][name] = code
        self._names[space][code] = name

    def name(self, space: str, code: float) -> str | None:
        """Return the name of a code, None for 0, NaN or an unknown one."""
        return self._names[space].get(int(code)) if code > 0 else None

    def all(self) -> list[tuple[str, int, str]]:
        """Return (namespace, code, name) of all names that were given."""
        return [(space, code, name) for space in NAMESPACES for name, code in self._codes[space].items()]
