"""Every change record says why, and the shares behind the words are exact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

import numpy as np
import orjson
import pytest

from models.clusterer import Model
from models.events import F64, I64
from streams.codec.sentence_columns import Reasons
from streams.deciding import records
from streams.deciding.moves import BehaviourMoves
from streams.records import VIEWS
from tests.engine_runs import AUDIENCES, HOUR_MS, Driver, definitions, in_chunks, record, trained_model
from tests.oracle.synthetic import START_MS, stream


def shifted() -> bytes:
    """Return a later version of the model, whose centres lie elsewhere."""
    model = Model.from_bytes(trained_model())
    return replace(model, version=model.version + 1, centres=np.roll(model.centres, 1, axis=0)).to_bytes()


def eventful() -> Driver:
    """Return an engine whose customers have moved for every cause."""
    driver = Driver()
    chunks = in_chunks(stream(seed=11, customers=20, days=12), 200)
    for place, chunk in enumerate(chunks):
        if place == len(chunks) // 2:
            driver.offer(shifted())
            driver.offer(
                definitions(AUDIENCES.replace("orders_total >= 1", "orders_total >= 3"), definitions())
            )
        driver.feed(chunk)
    return driver.finish().commit()


@dataclass
class Spy:
    """Listens to how the reasons of behaviour changes are made."""

    parts: list[tuple[BehaviourMoves, F64]] = field(default_factory=list)
    given: list[Reasons] = field(default_factory=list)
    moves: BehaviourMoves | None = None

    def changes_of(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """Remember the moves that reasons are asked for."""

        def heard(moves: BehaviourMoves, *args: Any) -> Any:
            self.moves = moves
            return real(moves, *args)

        return heard

    def reasons(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """Keep the parts that go in, and the reasons that come out."""

        def heard(parts: F64, *args: Any) -> Reasons:
            assert self.moves is not None
            self.parts.append((self.moves, parts))
            self.given.append(real(parts, *args))
            return self.given[-1]

        return heard


def squares(moves: BehaviourMoves, numbers: I64) -> F64:
    """Return d² of each row to the segment of its number; to the average customer for none."""
    model = moves.model
    standard = model.scale.to_grid(moves.seen)
    centres = {int(number): centre for number, centre in zip(model.numbers, model.centres, strict=True)}
    nobody = np.zeros(standard.shape[1])
    held = np.array([centres.get(number, nobody) for number in numbers.tolist()])
    return np.asarray(((standard - held) ** 2).sum(axis=1))


def test_every_change_record_of_every_cause_has_a_reason() -> None:
    """A sentence that names the segment; moves from one behaviour segment to another name features too."""
    told = [orjson.loads(value or b"{}") for _, value in eventful().changes()]

    assert {one["properties"]["cause"] for one in told} >= {"event", "time", "model", "definition"}
    for one in told:
        said = one["properties"]
        assert said["reason"].strip()
        assert said["segment_name"] in said["reason"]
        moved = said["segment_set"] == "behaviour" and said["move_id"] is not None
        assert one["context"]["reasons"] or not moved or said["cause"] == "erasure"


def test_the_shares_behind_a_reason_add_up_to_the_change_of_distance() -> None:
    """Before the cut to five, parts add up to d²(old) - d²(new) within 1e-9; the shares are of that."""
    spy = Spy()
    with (
        patch("streams.deciding.journal.changes_of", spy.changes_of(records.changes_of)),
        patch.object(records, "_reasons", spy.reasons(records._reasons)),
    ):
        eventful()
    told = 0
    for (moves, parts), given in zip(spy.parts, spy.given, strict=True):
        total = squares(moves, moves.old) - squares(moves, moves.new)
        assert np.abs(parts.sum(axis=1) - total).max(initial=0) <= 1e-9
        for row, change, weights, count in zip(parts, total, given.weight, given.count, strict=True):
            largest = np.array(sorted(row[row > 0].tolist(), reverse=True)[:5])
            assert count == len(largest)
            assert change <= 0 or np.abs(weights[:count] * change - largest).max(initial=0) <= 1e-9
            assert change > 0 or np.isnan(weights).all()
            told += 1

    assert told > 20


def renumbered(departed: dict[int, str]) -> bytes:
    """Return a later version of the model, in which all segments have other numbers."""
    model = Model.from_bytes(trained_model())
    numbers = model.numbers + model.next_number
    later = replace(model, version=model.version + 1, numbers=numbers, lineage=(), departed=departed)
    return replace(later, next_number=2 * model.next_number + 1).to_bytes()


@pytest.mark.parametrize("known", [True, False])
def test_a_segment_that_is_no_more_is_called_by_its_name(*, known: bool) -> None:
    """Its last name; marked where another one bears it now; an earlier segment where nobody knows it."""
    before = Model.from_bytes(trained_model())
    names = dict(zip(before.numbers.tolist(), before.names, strict=True))
    names[1] = "Big baskets"
    driver = Driver()
    chunks = in_chunks(stream(seed=11, customers=20, days=12), 200)
    for chunk in chunks[: len(chunks) // 2]:
        driver.feed(chunk)
    driver.offer(renumbered(names if known else {}))
    for chunk in chunks[len(chunks) // 2 :]:
        driver.feed(chunk)
    driver.finish().commit()
    told = [orjson.loads(value or b"")["properties"] for _, value in driver.changes()]
    moved = [p for p in told if p["cause"] == "model" and p["segment_set"] == "behaviour"]
    left = [p for p in moved if p["change"] == "left"]

    assert left
    for p in left:
        number = int(p["audience_key"].removeprefix("b-"))
        former = names[number] if number == 1 else f"{names[number]} (former)"
        expected = former if known else "an earlier segment"
        assert p["segment_name"] == expected
        assert p["reason"].startswith(f"Moved from {expected} to ")


def reasons_of(driver: Driver, audience: str) -> list[tuple[str, dict[str, tuple[Any, Any]]]]:
    """Return the sentence of each change of an audience, and value and previous value of its columns."""
    told = [orjson.loads(value or b"") for _, value in driver.commit().changes()]
    return [
        (
            one["properties"]["reason"],
            {r["feature"]: (r["value"], r["previous"]) for r in one["context"]["reasons"]},
        )
        for one in told
        if one["properties"]["audience_key"] == audience
    ]


def test_a_figure_that_is_beyond_its_limit_by_a_millisecond_is_told_as_beyond_it() -> None:
    """Figures are rounded where they are shown, not where it is asked which conditions decided."""
    text = '[[audience]]\nid = "quiet"\nname = "Quiet"\nenter = "days_since_seen > 3"\n'
    driver = Driver([trained_model(), definitions(text)])
    start_ms = START_MS // HOUR_MS * HOUR_MS
    driver.feed([record(VIEWS, "ann", 1, start_ms - 1)])
    for hour in range(74):
        driver.feed([record(VIEWS, "bob", f"b{hour}", start_ms + hour * HOUR_MS)])

    ((sentence, values),) = [one for one in reasons_of(driver, "quiet") if "as time passed" in one[0]]
    assert sentence == "Entered Quiet as time passed: days since last event 3.00000001 (above 3)."
    assert values["days_since_seen"][0] == 3.0


def test_what_turned_in_the_same_decision_is_told_as_it_was_before() -> None:
    """A membership, and a behaviour segment by id and by name: after events in any chunks, by a new model."""
    text = """
    [[audience]]
    id = "keen"
    name = "Keen"
    enter = "views_total >= 4"

    [[audience]]
    id = "also-keen"
    name = "Also keen"
    enter = "is_keen AND behaviour_segment IS NOT NULL"

    [[audience]]
    id = "placed"
    name = "Placed"
    enter = "behaviour_segment_name IS NOT NULL"
    """
    views = [record(VIEWS, "ann", i, START_MS + i) for i in range(6)]
    first, later = Model.from_bytes(trained_model()), START_MS + 2 * HOUR_MS
    for chunk in (1, 2, 6):
        driver = Driver([trained_model(), definitions(text)])
        driver.feed([record(VIEWS, "bob", "b", START_MS - HOUR_MS), record(VIEWS, "cyd", "c", START_MS - 1)])
        for part in in_chunks(views, chunk):
            driver.feed(part)

        ((_, keen),) = reasons_of(driver, "also-keen")
        assert keen["is_keen"] == (True, False)
        assert len({*keen["behaviour_segment"]}) == 1
        placed = reasons_of(driver, "placed")[-1][1]["behaviour_segment_name"]
        assert placed[0] in first.names
        assert placed[1] is None
    renamed = replace(first, version=first.version + 1, names=tuple(f"New {name}" for name in first.names))
    named = " OR ".join(f"behaviour_segment_name = '{name}'" for name in renamed.names)
    renaming = f'[[audience]]\nid = "new"\nname = "New"\nenter = "{named}"\n'
    driver = Driver([trained_model(), definitions(renaming)])
    driver.feed([record(VIEWS, "ann", "a", START_MS - HOUR_MS), *views])
    driver.offer(renamed.to_bytes()).feed([record(VIEWS, "ann", "z", later)])

    ((_, new),) = reasons_of(driver, "new")
    value, previous = new["behaviour_segment_name"]
    assert value == f"New {previous}"
