"""Every change record says why, and the shares behind the words are exact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

import numpy as np
import orjson
import pytest

from models.clusterer import Model
from models.events import F64, I64
from streams.codec.changes import Reason
from streams.deciding import records
from streams.deciding.moves import BehaviourMoves
from tests.engine_runs import AUDIENCES, Driver, definitions, in_chunks, trained_model
from tests.oracle.synthetic import stream


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
    given: list[list[tuple[Reason, ...]]] = field(default_factory=list)
    moves: BehaviourMoves | None = None

    def changes_of(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """Remember the moves that reasons are asked for."""

        def heard(moves: BehaviourMoves, *args: Any) -> Any:
            self.moves = moves
            return real(moves, *args)

        return heard

    def reasons(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """Keep the parts that go in, and the reasons that come out."""

        def heard(parts: F64, *args: Any) -> Sequence[tuple[Reason, ...]]:
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
        for row, change, reasons in zip(parts, total.tolist(), given, strict=True):
            largest = sorted(row[row > 0].tolist(), reverse=True)[:5]
            shares = [reason.weight * change for reason in reasons if reason.weight is not None]
            assert np.abs(np.array(shares) - largest[: len(shares)]).max(initial=0) <= 1e-9
            assert len(shares) == len(reasons) == len(largest) or change <= 0
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
