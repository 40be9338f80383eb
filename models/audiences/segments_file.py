"""The definitions file: TOML in which each `[[audience]]` table is one audience."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from typing import Any

from models.audiences.columns import Column, reference
from models.audiences.definitions import Definition, Definitions
from models.audiences.expressions import Logical, members_of
from models.audiences.grammar import read
from models.audiences.lines import Place, places
from models.audiences.problems import DefinitionsError, Problem, nearest
from models.profiles.layout import AUDIENCES

MAX_NAME_CHARS = 80
"""Longest name of an audience."""
MAX_TEXT_CHARS = 1000
"""Longest description, or use."""
MAX_DURATION_S = 3650 * 86_400
"""Longest min_stay or cooldown: ten years."""

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")
_DURATION = re.compile(r"(\d{1,9})([smhd])")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_REQUIRED = ("id", "name", "enter")
_KEYS = (*_REQUIRED, "leave", "min_stay", "cooldown", "description", "use")
_LENGTHS = {"name": MAX_NAME_CHARS, "description": MAX_TEXT_CHARS, "use": MAX_TEXT_CHARS}
_AT_LINE = re.compile(r"\s*\(at line (\d+), column \d+\)")


def check(text: str, columns: Mapping[str, Column], reserved: Collection[str] = ()) -> list[Problem]:
    """Return everything that is wrong with a definitions file, in the order of lines; empty when all is well.

    Args:
        text: the file.
        columns: those that conditions may name.
        reserved: ids that no audience may have, since records use these names for something else.
    """
    return _read(text, columns, reserved)[1]


def parse(text: str, columns: Mapping[str, Column], reserved: Collection[str] = ()) -> Definitions:
    """Return the definitions of a file, version 0, their slots in the order of the file.

    Raises:
        DefinitionsError: there are problems; see `check`.
    """
    definitions, problems = _read(text, columns, reserved)
    if problems:
        raise DefinitionsError(problems)
    slots = {definition.id: slot for slot, definition in enumerate(definitions)}
    return Definitions(tuple(definitions), slots)


def _read(
    text: str, columns: Mapping[str, Column], reserved: Collection[str]
) -> tuple[list[Definition], list[Problem]]:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return [], [_not_toml(text, str(error))]
    outside, found = places(text)
    problems = [_outside(key, outside.get(key, 1)) for key in content if key != "audience"]
    tables = content.get("audience", [])
    if not isinstance(tables, list) or len(tables) != len(found):
        line = outside.get("audience", 1)
        return [], [*problems, Problem(line, "", "write each audience as a table under [[audience]]")]
    if len(tables) > AUDIENCES:
        line = found[AUDIENCES].line
        problems.append(Problem(line, "", f"{len(tables)} audiences, at most {AUDIENCES} are possible"))
    readers = [
        _Reader(number, table, place)
        for number, (table, place) in enumerate(zip(tables, found, strict=True), 1)
    ]
    for reader in readers:
        reader.check_keys(columns, reserved)
    _check_unique(readers)
    _check_conditions(readers, columns)
    problems += [problem for reader in readers for problem in reader.problems]
    problems.sort(key=lambda problem: problem.line)
    return ([] if problems else [reader.definition() for reader in readers]), problems


def _not_toml(text: str, message: str) -> Problem:
    at = _AT_LINE.search(message)
    line = int(at[1]) if at else max(1, len(text.splitlines()))
    return Problem(
        line, "", f"not TOML: {_AT_LINE.sub('', message).replace('(at end of document)', '').strip()}"
    )


def _outside(key: str, line: int) -> Problem:
    return Problem(line, "", f"{key} stands outside [[audience]]", nearest(key, ("audience",)))


class _Reader:
    """Checks one `[[audience]]` table."""

    def __init__(self, number: int, table: Mapping[str, Any], place: Place) -> None:
        self.table = table
        self.place = place
        self.problems: list[Problem] = []
        self.conditions: dict[str, Logical] = {}
        name = self.text("id")
        self.title = f"audience {name}" if name else f"audience number {number}"

    def text(self, key: str) -> str:
        """Return a key's text, empty when there is none."""
        value = self.table.get(key)
        return value.strip() if isinstance(value, str) else ""

    def note(self, key: str, message: str, near: tuple[str, ...] = (), line: int | None = None) -> None:
        """Keep a problem."""
        at = self.place.of(key) if line is None else line
        where = f"{self.title}, {key}" if key in self.table else self.title
        self.problems.append(Problem(at, where, message, near))

    def check_keys(self, columns: Mapping[str, Column], reserved: Collection[str]) -> None:
        """Check everything but the conditions."""
        for key, value in self.table.items():
            if key not in _KEYS:
                self.note(key, "unknown key", nearest(key, _KEYS))
            elif not isinstance(value, str):
                self.note(key, f'{value!r} is no text: write {key} = "..."')
            elif len(value) > _LENGTHS.get(key, len(value)):
                self.note(key, f"{len(value)} characters, at most {_LENGTHS[key]} are allowed")
        for key in _REQUIRED:
            if not self.text(key) and isinstance(self.table.get(key, ""), str):
                self.note(key, f"{key} is missing")
        for key in ("min_stay", "cooldown"):
            if isinstance(self.table.get(key), str) and self.duration(key) is None:
                self.note(
                    key, f"{self.table[key]!r} is no duration such as 2d, 12h, 30m or 0s, of at most 3650d"
                )
        self._check_id(columns, reserved)

    def _check_id(self, columns: Mapping[str, Column], reserved: Collection[str]) -> None:
        name = self.text("id")
        if not name:
            return
        if not _ID.fullmatch(name):
            self.note("id", "an id has lower-case letters, digits and -, at most 48, and begins with no -")
        elif name.startswith("b-"):
            self.note("id", "ids that begin with b- are those of behaviour segments")
        elif name in reserved:
            self.note("id", "change records use this name for something else")
        elif name in columns:
            self.note("id", "this is the name of a column")
        elif reference(name) in columns:
            self.note("id", f"{reference(name)}, the column of this audience, is already a column")

    def duration(self, key: str) -> int | None:
        """Return a duration in seconds, 0 when it is not given, None when it is none."""
        text = self.text(key)
        if key not in self.table:
            return 0
        found = _DURATION.fullmatch(text)
        length = int(found[1]) * _UNIT_S[found[2]] if found else MAX_DURATION_S + 1
        return length if length <= MAX_DURATION_S else None

    def check_condition(self, key: str, columns: Mapping[str, Column], audiences: Mapping[str, str]) -> None:
        """Check a condition that is there."""
        text = self.table.get(key)
        if not isinstance(text, str) or not text.strip():
            return
        found, errors = read(text, columns, audiences)
        first = self.place.values.get(key, self.place.line)
        for error in errors:
            self.note(key, error.message, error.nearest, first + error.line - 1)
        if found is not None:
            self.conditions[key] = found

    def definition(self) -> Definition:
        """Return the audience; only when it has no problems."""
        return Definition(
            id=self.text("id"),
            name=self.text("name"),
            enter=self.text("enter"),
            leave=self.text("leave") or None,
            min_stay_s=self.duration("min_stay") or 0,
            cooldown_s=self.duration("cooldown") or 0,
            description=self.text("description"),
            use=self.text("use"),
        )


def _check_unique(readers: list[_Reader]) -> None:
    """Note ids and names that occur twice."""
    for key in ("id", "name"):
        first: dict[str, int] = {}
        for reader in readers:
            text = reader.text(key).lower()
            if text and text in first:
                reader.note(key, f"{reader.text(key)} is already the {key} of the one in line {first[text]}")
            first.setdefault(text, reader.place.line)


def _check_conditions(readers: list[_Reader], columns: Mapping[str, Column]) -> None:
    audiences = {reference(reader.text("id")): reader.text("id") for reader in readers if reader.text("id")}
    for reader in readers:
        for key in ("enter", "leave"):
            reader.check_condition(key, columns, audiences)
        if reader.table.get("leave") == "":
            reader.note("leave", "leave is empty: leave the key out for whoever no longer fulfils enter")
    needs = {
        reader.text("id"): {
            member.audience_id for condition in reader.conditions.values() for member in members_of(condition)
        }
        for reader in readers
    }
    for reader in readers:
        if path := _cycle(reader.text("id"), needs):
            key = "enter" if _refers(reader, "enter", path[1]) else "leave"
            reader.note(key, f"it refers to itself: {' -> '.join(path)}")


def _refers(reader: _Reader, key: str, audience: str) -> bool:
    condition = reader.conditions.get(key)
    return condition is not None and any(m.audience_id == audience for m in members_of(condition))


def _cycle(start: str, needs: Mapping[str, set[str]]) -> list[str]:
    """Return the shortest way from an audience back to itself, empty when there is none."""
    paths, seen = [[start]], set[str]()
    while paths:
        path = paths.pop(0)
        for needed in sorted(needs.get(path[-1], ())):
            if needed == start:
                return [*path, start]
            if needed not in seen:
                seen.add(needed)
                paths.append([*path, needed])
    return []
