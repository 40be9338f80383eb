"""Definitions in force: versions, slots and bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from models.audiences import Definition, Definitions, DefinitionsError, Rules, catalogue, successor


def parsed(*ids: str, enter: str = "orders_total > 3") -> Definitions:
    audiences = tuple(Definition(audience, audience.title(), enter, min_stay_s=60) for audience in ids)
    return Definitions(audiences, {audience: slot for slot, audience in enumerate(ids)})


def in_force(previous: Definitions | None, *ids: str) -> Definitions:
    found = successor(previous, parsed(*ids))
    assert found is not None
    return found


def test_an_unchanged_file_has_no_successor_in_whatever_order() -> None:
    first = in_force(None, "one", "two")

    assert first.version == 1
    assert successor(first, parsed("two", "one")) is None


@pytest.mark.parametrize(
    "change",
    [{"enter": "cart_open"}, {"name": "Other"}, {"cooldown_s": 1}, {"leave": "cart_open"}, {"use": "mail"}],
)
def test_any_change_of_an_audience_is_a_new_version(change: dict[str, Any]) -> None:
    first = in_force(None, "one")
    changed = replace(first.audiences[0], **change)

    second = successor(first, Definitions((changed,), {"one": 0}))

    assert second is not None
    assert second.version == 2


def test_slots_stay_with_their_ids_and_are_not_given_to_others() -> None:
    first = in_force(None, "one", "two", "three")
    second = in_force(first, "four", "three", "one")
    third = in_force(second, "two", "five")

    assert second.slots == {"one": 0, "three": 2, "four": 3}
    assert second.retired == {"two": 1}
    assert third.slots == {"two": 1, "five": 4}
    assert third.retired == {"one": 0, "three": 2, "four": 3}


def test_without_a_free_slot_new_audiences_are_refused_and_old_ones_may_return() -> None:
    first = in_force(None, *(f"a{i}" for i in range(31)))
    second = in_force(first, "a1", "b1")

    with pytest.raises(
        DefinitionsError, match=r"1 new audiences \(c1\), but 0 of 32 slots are free; 30 belong"
    ):
        in_force(second, "a1", "b1", "c1")
    assert in_force(second, "a7").slots == {"a7": 7}


def test_bytes_give_the_same_definitions_back() -> None:
    second = in_force(in_force(None, "one", "two"), "two", "three")

    again = Definitions.from_bytes(second.to_bytes())

    assert again == second
    assert again.to_bytes() == second.to_bytes()


def edited(change: Callable[[dict[str, Any]], object]) -> bytes:
    content = json.loads(in_force(None, "one", "two").to_bytes())
    change(content)
    return json.dumps(content).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\x00",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"kind": "definitions"}',
        edited(lambda c: c.update(kind="model")),
        edited(lambda c: c.update(format=2)),
        edited(lambda c: c.update(version=-1)),
        edited(lambda c: c.update(version=True)),
        edited(lambda c: c["audiences"][0].update(enter="cart_open")),
        edited(lambda c: c["audiences"][0].update(enter=5)),
        edited(lambda c: c["audiences"][0].update(slot=1)),
        edited(lambda c: c["audiences"][0].update(slot=32)),
        edited(lambda c: c["audiences"].append(c["audiences"][0])),
        edited(lambda c: c.update(retired={"three": 0})),
        edited(lambda c: c.update(retired=[])),
    ],
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(DefinitionsError, match="these bytes are no definitions"):
        Definitions.from_bytes(data)


def test_definitions_of_a_newer_program_are_refused_by_name() -> None:
    newer = Definitions((Definition("one", "One", "colour = 'red'"),), {"one": 0}, version=1)

    with pytest.raises(DefinitionsError, match="audience one, enter: unknown column colour"):
        Rules(newer, catalogue())


def test_audiences_that_refer_to_each_other_in_a_circle_are_refused() -> None:
    circle = (Definition("one", "One", "is_two"), Definition("two", "Two", "is_one"))

    with pytest.raises(DefinitionsError, match="in a circle: one, two"):
        Rules(Definitions(circle, {"one": 0, "two": 1}), catalogue())
