"""`segments` and `definitions show` as people read them: everything there, in 80 columns."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import Self

import numpy as np
import pytest

import streams.reader
from models.audiences import catalogue, parse, successor
from models.clusterer import Review
from models.packed import Packed
from streams.advising import newest_advice, sentence
from streams.cli import main
from streams.cli.program import THREADS
from streams.codec.activation import FROM_FILE, encode_numbered
from streams.codec.membership import (
    Behaviour,
    audiences_json,
    behaviours_json,
    encode_memberships,
)
from streams.codec.pieces import Pieces
from streams.defining import Defining
from streams.merging import DEFINITIONS, definitions
from streams.reader import Row
from streams.reviewing import AUDIENCE
from streams.segments_file import read_definitions, segments_file
from streams.settings import Settings
from tests.clusterer_samples import FEATURES, first_model

NOON_MS = 1_773_489_600_000
MODEL = first_model(np.random.default_rng(3).normal(size=(800, len(FEATURES))))
SHIPPED = successor(None, read_definitions(segments_file(Settings())))


class Deployment:
    """The topics of a deployment, as a reader gives them."""

    def __init__(self, *, members: int) -> None:
        model, self.members = MODEL, members
        assert SHIPPED is not None
        self.log = [model.to_bytes(), encode_numbered(SHIPPED, FROM_FILE)]
        self.defined = {record.key or b"": record.value or b"" for record in definitions(model)}

    def __call__(self, _settings: Settings) -> Self:
        """Stand in for the class of readers."""
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def latest(self, _topic: str) -> dict[bytes, bytes]:
        """Return memberships: everybody in one segment and one audience."""
        segment = MODEL.segments[0]
        n, known = self.members, {1: Behaviour(segment.id, segment.name, 1)}
        one, nothing = np.ones(n, np.int64), np.zeros(n, np.int64)
        everybody = Packed.of_strings([str(i) for i in range(n)])
        values = encode_memberships(
            everybody,
            2 * one,
            nothing,
            behaviours_json(known, one, nothing, np.full(n, np.nan)),
            audiences_json(["window-shoppers"], nothing, nothing, one),
            Pieces.of([""] * n),
        )
        return dict(zip(everybody.filled(), values.filled(), strict=True))

    def latest_rows(self, topic: str) -> dict[bytes, Row]:
        """Return definitions as they were written at noon of a day."""
        return {
            key: Row(topic, 0, i, NOON_MS, key, value) for i, (key, value) in enumerate(self.defined.items())
        }

    def last(self, _topic: str, count: int) -> list[bytes]:
        """Return the end of the model log."""
        return self.log[-count:]


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """Give a deployment that commands read, and a terminal of 80 columns."""
    for name in [name for name in os.environ if name.startswith(("LIVE_SEGMENTS_", "KAFKA_"))]:
        monkeypatch.delenv(name)
    for name in THREADS:
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("COLUMNS", "80")
    made = Deployment(members=1234)
    monkeypatch.setattr(streams.reader, "Reader", made)
    return made


def printed(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    """Return what a command prints; no line is wider than the terminal."""
    assert main(list(command)) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    return out


def test_segments_are_two_tables_and_the_advice_stands_below_the_first(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    """The advice is that on the newest model of the log; sizes are those of the memberships."""
    advice = newest_advice(deployment.log)
    assert advice is not None

    lines = printed(capsys, "segments").splitlines()
    behaviour, audiences = (
        lines.index(title)
        for title in (
            "Behaviour segments: a customer is in one",
            "Audiences: a customer is in any number of them",
        )
    )
    assert behaviour < lines.index(sentence(advice)) < audiences
    assert not any("count" in line for line in lines)  # there was none yet
    assert lines[behaviour + 2].split() == ["id", "segment", "size", "share"]
    assert lines[behaviour + 4].split()[0] == MODEL.segments[0].id
    assert lines[behaviour + 4].split()[-2:] == ["1,234", "100.0%"]
    assert lines[audiences + 2].split() == ["id", "audience", "size", "share"]
    assert lines[audiences + 4].split() == ["window-shoppers", "window-shoppers", "1,234", "100.0%"]


def test_what_a_behaviour_segment_is_stands_below_the_tables(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    """With revenue and moves in the table, and the other figures in a paragraph, once they are counted."""
    numbers = MODEL.numbers
    columns = ("customers", "orders", "money", "entered", "left")
    counted = Review.counted(
        columns, numbers, np.array([[i + 1, 2, 15_000_000, 30 + i, 40] for i in range(8)])
    )
    model = replace(MODEL, review=counted, standing=counted)
    deployment.defined = {record.key or b"": record.value or b"" for record in definitions(model)}

    out = printed(capsys, "segments")
    lines = out.splitlines()
    assert lines[2].split() == ["id", "segment", "size", "share", "revenue", "in", "out"]
    assert lines[4].split()[-3:] == ["1,500", "30", "40"]
    first = MODEL.segments[0]
    at = lines.index(f"{first.name} ({first.id})")
    told = " ".join(line.strip() for line in lines[at + 1 : at + 12])
    assert first.description in told
    assert "revenue 1,500 (12.5%), 2 orders of 750.00" in told
    assert "since the model before: 30 in, 40 out" in told
    told = f"of the last daily count, which came with model {MODEL.version} on 2026-03-14 12:00:00 UTC."
    assert told in " ".join(lines[:at])
    assert main(["segments", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["segments"]
    assert {row["as_of_ms"] for row in rows if row["review"]} == {NOON_MS}
    assert {row["as_of_ms"] for row in rows if not row["review"]} == {None}


def test_audiences_have_figures_once_their_customers_are_counted(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the table of the audiences and in a paragraph, from the records that accompany a model."""
    assert SHIPPED is not None
    number = AUDIENCE + SHIPPED.slots["window-shoppers"]
    columns = ("customers", "orders", "money", "entered", "left")
    sums = np.array([[4, 2, 15_000_000, 31, 7], [8, 0, 60_000_000, 0, 0]])
    counted = Review.counted(columns, np.array([number, 0]), sums)
    defining = Defining(lambda: SHIPPED, lambda: None)
    defining.open(deployment.log[-1])
    records = defining.accompany(replace(MODEL, review=counted, standing=counted))
    deployment.defined |= {r.key or b"": r.value or b"" for r in records if r.topic == DEFINITIONS}

    lines = printed(capsys, "segments").splitlines()
    at = lines.index("Audiences: a customer is in any number of them")
    assert lines[at + 2].split() == ["id", "audience", "size", "share", "revenue", "in", "out"]
    row = next(line.split() for line in lines[at:] if line.split()[:1] == ["window-shoppers"])
    assert row[-3:] == ["1,500", "31", "7"]
    told = lines.index("Window shoppers (window-shoppers)")
    assert lines[told + 1] == "  revenue 1,500 (25.0%), 2 orders of 750.00, 0.0% with a coupon"
    assert "  since the model before: 31 in, 7 out" in lines[told:]


def test_definitions_are_shown_whole(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    """A condition of several lines has all its words."""
    text = (
        '[[audience]]\nid = "long"\nname = "Long"\ndescription = "Much to say."\nmin_stay = "2d"\n'
        f'enter = "{" OR ".join(f"orders_total = {i}" for i in range(1, 40))}"\n'
    )
    made = successor(None, parse(text, catalogue()))
    assert made is not None
    deployment.log.append(encode_numbered(made, FROM_FILE))

    out = printed(capsys, "definitions", "show")
    assert out.startswith(
        "version 1: 1 audience\n\nLong (long)\n  Much to say.\n  enter  orders_total = 1 OR"
    )
    assert made.audiences[0].enter in " ".join(out.split())
    assert out.endswith("\n  leave  when enter no longer holds\n  min_stay 2d\n")


@pytest.mark.usefixtures("deployment")
def test_the_shipped_definitions_are_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert SHIPPED is not None

    told = " ".join(printed(capsys, "definitions", "show").split())
    for definition in SHIPPED.audiences:
        assert f"{definition.name} ({definition.id}) " in told
        assert f" enter {definition.enter} leave {definition.leave or 'when enter no longer holds'}" in told
