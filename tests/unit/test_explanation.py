"""What `explain` says would be enough for a move."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import cache

import msgspec
import numpy as np
import pytest

import streams.explanation
import streams.reader
from models.features import BY_NAME, View, vectors
from models.profiles import gather
from streams.cli import main
from streams.cli.explaining import outlook_lines
from streams.explanation import Explanation, WouldMove, explanation_of
from tests.engine_runs import SETTINGS, Driver, definitions, in_chunks, trained_model
from tests.oracle.synthetic import stream


@cache
def explained(audiences: str | None = None) -> tuple[Driver, list[Explanation]]:
    """Return an engine after some weeks of a shop, and what is said of each of its customers."""
    driver = Driver(None if audiences is None else [trained_model(), definitions(audiences)])
    for chunk in in_chunks(stream(seed=11, customers=20, days=30), 500):
        driver.feed(chunk)
    driver.finish()
    engine = driver.engine
    found = [
        explanation_of(engine, part, key, SETTINGS) for part in engine.parts.values() for key in part.index
    ]
    return driver, [one for one in found if one is not None]


def test_what_is_said_to_be_enough_moves_the_customer_in_the_worker() -> None:
    """With the value in the place of the feature's, the partition's own model decides for that segment."""
    driver, customers = explained()
    for one in customers:
        part = driver.engine.parts[one.partition]
        row = gather(driver.engine.slab.rows, np.array([part.index[one.customer_id.encode()]]))
        seen = vectors(View(row, np.array([one.as_of_ms]), driver.engine.calendar))
        for change in one.would_move:
            assert part.model is not None
            tried, feature = seen.copy(), BY_NAME[change.feature]
            value = np.log1p(change.value) if feature.transform == "log1p" else change.value
            tried[0, part.model.features.index(change.feature)] = value
            moved = part.model.decide(tried, row["behaviour"].astype(np.int64), SETTINGS.margin)
            assert [f"b-{number}" for number in moved] == [change.segment_id] != [one.segment_id]

    assert any(one.would_move for one in customers)
    assert {"feature", "value", "segment_id", "segment_name"} == set(
        msgspec.to_builtins(next(one for one in customers if one.would_move))["would_move"][0]
    )


def test_it_is_said_in_a_line_for_each_feature() -> None:
    """With what the feature is now; and when no feature alone would be enough, that is said."""
    _, customers = explained()
    one = next(one for one in customers if one.would_move)
    told = (
        WouldMove("orders_total", 5.0, "b-9", "Loyal"),
        WouldMove("average_order", 402.5, "b-2", "Big baskets"),
    )
    features = one.features | {"orders_total": 2, "average_order": 1214.0625}

    assert list(outlook_lines(replace(one, would_move=told, features=features))) == [
        "would be enough for a move, all else equal:",
        "  orders 2 -> 5, to Loyal",
        "  average order 1,214.06 -> 402.50, to Big baskets",
    ]
    assert list(outlook_lines(replace(one, would_move=()))) == [
        "No single feature, changed alone, would be enough for a move."
    ]
    assert list(outlook_lines(replace(one, distances=()))) == []


def test_conditions_are_asked_of_exact_figures() -> None:
    """As workers do, not of the rounded ones that are shown; the figure beside a condition bears it out."""
    driver, customers = explained()

    def exact(one: Explanation) -> float:
        part = driver.engine.parts[one.partition]
        row = gather(driver.engine.slab.rows, np.array([part.index[one.customer_id.encode()]]))
        view = View(row, np.array([one.as_of_ms]), driver.engine.calendar)
        return float(BY_NAME["views_half90d"].value(view)[0])

    one = next(one for one in customers if round(exact(one), 6) > exact(one) + 1e-8)
    shown = one.features["views_half90d"]
    text = f'[[audience]]\nid = "most"\nname = "Most"\nenter = "views_half90d >= {shown:.6f}"\n'

    _, again = explained(text)
    (standing,) = next(other for other in again if other.customer_id == one.customer_id).audiences
    assert standing.enter.holds is False
    ((_, value),) = standing.enter.values
    assert isinstance(value, float)
    assert value < shown


def printed(
    one: Explanation,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: Sequence[str],
) -> str:
    """Return what `explain` prints of a customer."""
    monkeypatch.setattr(streams.reader, "Reader", lambda _: nullcontext())
    monkeypatch.setattr(streams.explanation, "explain", lambda *_: one)
    assert main(["explain", one.customer_id, *options]) == 0
    return capsys.readouterr().out


def test_the_answer_stands_before_all_else_and_features_come_on_request(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """110 lines of features stood before it; as JSON they are always there."""
    _, customers = explained()
    one = next(one for one in customers if one.distances and any(a.member for a in one.audiences))
    held = ", ".join(standing.name for standing in one.audiences if standing.member)

    out = printed(one, monkeypatch, capsys, [])
    head = out.splitlines()[:8]
    assert f"segment         {one.segment_name} ({one.segment_id})" in head
    assert f"audiences       {held}" in head
    assert "views_half90d" not in out
    more = printed(one, monkeypatch, capsys, ["--features"])
    assert more.startswith(out)
    assert "views_half90d" in more[len(out) :]
    assert len(json.loads(printed(one, monkeypatch, capsys, ["--json"]))["features"]) == len(BY_NAME)
