"""Audiences as data: what is in force, its slots in rows, its version, its bytes on the `models` log."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any

from models.audiences.problems import DefinitionsError, Problem
from models.profiles.layout import AUDIENCES

FORMAT = 1
"""Version of the bytes."""


@dataclass(frozen=True, slots=True)
class Definition:
    """One audience.

    Attributes:
        id: as in change records.
        name: for people.
        enter: SQL condition: who is in.
        leave: SQL condition: who goes; None for whoever no longer fulfils `enter`.
        min_stay_s: seconds that a member stays at least.
        cooldown_s: seconds that who has left stays out at least.
        description: who is in it, in a sentence.
        use: what a marketer does with it.
    """

    id: str
    name: str
    enter: str
    leave: str | None = None
    min_stay_s: int = 0
    cooldown_s: int = 0
    description: str = ""
    use: str = ""

    @property
    def leave_text(self) -> str:
        """Return the condition to leave, the default written out."""
        return f"NOT COALESCE({self.enter}, FALSE)" if self.leave is None else self.leave


@dataclass(frozen=True)
class Definitions:
    """The audiences of one version.

    Attributes:
        audiences: in the order of the file.
        slots: of each audience, by id: 0 to 31, its place in the rows.
        retired: slots of audiences that were once in force, by id; they wait for their id to come back.
        version: 0 before they are in force, then from 1.
    """

    audiences: tuple[Definition, ...]
    slots: Mapping[str, int]
    retired: Mapping[str, int] = field(default_factory=dict)
    version: int = 0

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 of what the audiences say: not of their order, slots or version."""
        content = sorted((asdict(definition) for definition in self.audiences), key=lambda d: d["id"])
        return hashlib.sha256(_json(content)).hexdigest()

    @cached_property
    def by_slot(self) -> dict[int, Definition]:
        """Return the audiences by slot, ascending."""
        return dict(sorted((self.slots[definition.id], definition) for definition in self.audiences))

    def get(self, audience_id: str) -> Definition:
        """Return the audience of this id.

        Raises:
            KeyError: there is none.
        """
        return self.by_slot[self.slots[audience_id]]

    def to_bytes(self) -> bytes:
        """Return the definitions as JSON; equal definitions of a version have equal bytes."""
        return _json(
            {
                "kind": "definitions",
                "format": FORMAT,
                "version": self.version,
                "digest": self.digest,
                "audiences": [{**asdict(d), "slot": self.slots[d.id]} for d in self.audiences],
                "retired": dict(self.retired),
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Definitions:
        """Return the definitions of these bytes.

        The conditions are not looked at: `Rules` does that, against the columns that this program has.

        Raises:
            DefinitionsError: they are no definitions, or were changed.
        """
        try:
            return _decoded(json.loads(data))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise DefinitionsError([Problem(0, "", f"these bytes are no definitions: {error}")]) from error


def successor(previous: Definitions | None, parsed: Definitions) -> Definitions | None:
    """Return what is put in force after `previous`; None when it says the same.

    An audience keeps its slot while its id lives, and gets it back when its id returns. A slot never goes
    to another id, since rows of any age are read by it; a new audience takes the lowest that nobody had.

    Args:
        previous: in force; None for none.
        parsed: from a file.

    Raises:
        DefinitionsError: more than 32 ids would have been given a slot since the first version.
    """
    if previous is not None and previous.digest == parsed.digest:
        return None
    owned = {} if previous is None else {**previous.retired, **previous.slots}
    fresh = [definition.id for definition in parsed.audiences if definition.id not in owned]
    free = sorted(set(range(AUDIENCES)) - set(owned.values()))
    if len(fresh) > len(free):
        raise DefinitionsError([Problem(0, "", _no_slots(fresh, len(free), owned, parsed))])
    owned |= dict(zip(fresh, free, strict=False))
    slots = {definition.id: owned[definition.id] for definition in parsed.audiences}
    retired = {audience: slot for audience, slot in owned.items() if audience not in slots}
    version = 1 if previous is None else previous.version + 1
    return replace(parsed, slots=slots, retired=retired, version=version)


def _no_slots(fresh: list[str], free: int, owned: Mapping[str, int], parsed: Definitions) -> str:
    gone = sorted(owned.keys() - parsed.slots.keys())
    return (
        f"{len(fresh)} new audiences ({', '.join(fresh)}), but {free} of {AUDIENCES} slots are free; "
        f"{len(gone)} belong to audiences that were removed: give a new audience the id of one of them "
        f"({', '.join(gone) or 'none'})"
    )


def _json(value: object) -> bytes:
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


_TYPES: dict[str, tuple[type, ...]] = {
    "id": (str,),
    "name": (str,),
    "enter": (str,),
    "leave": (str, type(None)),
    "min_stay_s": (int,),
    "cooldown_s": (int,),
    "description": (str,),
    "use": (str,),
}
assert set(_TYPES) == {f.name for f in fields(Definition)}  # noqa: S101 - a field without a type would go unchecked


def _decoded(content: Any) -> Definitions:
    """Return definitions from decoded JSON; whatever is wrong raises a ValueError, TypeError or KeyError."""
    if content["kind"] != "definitions" or content["format"] != FORMAT:
        raise ValueError(f"kind {content['kind']}, format {content['format']}")
    audiences = tuple(_definition(item) for item in content["audiences"])
    slots = {item["id"]: _count(item["slot"]) for item in content["audiences"]}
    retired = {str(audience): _count(slot) for audience, slot in content["retired"].items()}
    taken = [*slots.values(), *retired.values()]
    if len(slots) < len(audiences) or len(set(taken)) < len(taken) or max(taken, default=0) >= AUDIENCES:
        raise ValueError("two audiences share an id or a slot")
    found = Definitions(audiences, slots, retired, _count(content["version"]))
    if found.digest != content["digest"]:
        raise ValueError("the digest does not fit")
    return found


def _definition(item: Mapping[str, Any]) -> Definition:
    values = {name: item[name] for name in _TYPES}
    for name, value in values.items():
        if not isinstance(value, _TYPES[name]) or isinstance(value, bool):
            raise TypeError(f"{name} is {value!r}")
    return Definition(**values)


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{value!r} is no count")
    return value
