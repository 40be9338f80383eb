"""Why a customer entered, left, or is where they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import streams
from models.audiences import (
    Definition,
    Definitions,
    Grounds,
    Kind,
    Row,
    Rule,
    Rules,
    Teller,
    Value,
    catalogue,
    explain,
    opening,
    parse,
    sentence,
    successor,
)

LAPSED = Definition(
    "lapsed",
    "Lapsed big spenders",
    "money_365d >= 500 AND days_since_order > 60",
    "days_since_order <= 60 OR money_365d < 400",
    min_stay_s=100,
    cooldown_s=1000,
)
DE = Definition("german", "German", "country IN ('DE', 'AT') AND NOT cart_open AND is_lapsed")
DEAL = Definition("deal", "Deal seekers", "coupon_share >= 0.5 OR COALESCE(nps, 0) >= 9 OR nps IS NULL")
ALL = Definition("all", "All", "TRUE")
LATE = Definition(
    "late",
    "Late",
    "days_since_seen * 24 > 3 AND days_since_order > 2 * order_gap_days",
    "cart_open = is_all OR (COALESCE(nps, 0) + 1) IN (1, 2)",
)


def rule(audience: str) -> Rule:
    definitions = Definitions(
        (LAPSED, DE, DEAL, ALL, LATE),
        {"lapsed": 0, "german": 1, "deal": 2, "all": 3, "late": 4},
        version=1,
    )
    return Rules(definitions, catalogue()).rules[audience]


def said(audience: str, row: Row, before: Row | None, *, entered: bool, cause: str = "event") -> str:
    of = rule(audience)
    grounds = told(of.on_entering if entered else of.on_leaving, row, before)
    beginning = opening(of.definition.name, entered=entered, cause=cause)
    return sentence(beginning, [words for (words,) in grounds.words])


def told(teller: Teller, row: Row, before: Row | None) -> Grounds:
    """Return what decided the change of one customer."""
    now = {name: [value] for name, value in row.items()}
    former = {name: [None if before is None else before[name]] for name in row}
    (grounds,) = teller.tell(now, former, [before is None])
    return grounds


def test_who_enters_fulfils_all_of_the_rule_and_what_turned_comes_first() -> None:
    row = {"money_365d": 812.5, "days_since_order": 60.1}
    before = {"money_365d": 812.5, "days_since_order": 59.9}

    assert said("lapsed", row, before, entered=True, cause="time") == (
        "Entered Lapsed big spenders as time passed: "
        "days since last order 60.1 (above 60), money (365 days) 812.50 (at least 500)."
    )


def test_who_leaves_is_told_the_side_that_holds_only() -> None:
    row = {"money_365d": 812.5, "days_since_order": 0.0}

    assert said("lapsed", row, None, entered=False) == (
        "Left Lapsed big spenders: days since last order 0 (at most 60)."
    )


@pytest.mark.parametrize(
    ("row", "figures"),
    [
        ({"country": "DE", "cart_open": True, "is_lapsed": True}, "open cart: yes"),
        ({"country": "FR", "cart_open": False, "is_lapsed": True}, "country FR (not DE or AT)"),
        ({"country": None, "cart_open": False, "is_lapsed": True}, "country unknown"),
        ({"country": "AT", "cart_open": False, "is_lapsed": False}, "not in lapsed"),
    ],
)
def test_who_no_longer_fulfils_a_rule_without_leave_is_told_what_is_missing(row: Row, figures: str) -> None:
    assert said("german", row, None, entered=False) == f"Left German: {figures}."


def test_a_figure_close_to_its_limit_is_shown_with_the_decimals_that_tell_them_apart() -> None:
    row = {"money_365d": 500.0, "days_since_order": 60.0004}

    assert "days since last order 60.0004 (above 60)" in said("lapsed", row, None, entered=True)
    assert said("lapsed", row | {"money_365d": 399.996}, None, entered=False).endswith("399.996 (below 400).")


def test_shares_show_as_per_cent_and_unknown_as_such() -> None:
    assert said("deal", {"coupon_share": 0.625, "nps": 3.0}, None, entered=True) == (
        "Entered Deal seekers: coupon share 62.5 % (at least 50 %)."
    )
    assert said("deal", {"coupon_share": None, "nps": None}, None, entered=True) == (
        "Entered Deal seekers: survey score (NPS) unknown."
    )


def test_a_condition_that_calculates_is_told_in_words_with_the_figures_that_are_compared() -> None:
    """A factor goes over to the limit; which of two columns is larger could not be seen from their names."""
    row = {"days_since_seen": 0.1304, "days_since_order": 70.0, "order_gap_days": 30.0}
    assert said("late", row, None, entered=True) == (
        "Entered Late: days since last event 0.13 (above 0.125), "
        "days since last order 70 (above 2 \u00d7 days between orders: 60)."
    )
    unknown = said("late", row | {"order_gap_days": None}, None, entered=True)
    assert unknown == "Entered Late: days since last order 70, days between orders unknown."

    left: Row = {"cart_open": True, "is_all": True, "nps": None}
    assert (
        said("late", left, None, entered=False)
        == "Left Late: open cart: yes, in all, survey score (NPS) unknown."
    )


@pytest.mark.parametrize(
    ("cause", "text"),
    [
        ("definition", "Entered All because the definition of the audience changed."),
        ("model", "Entered All because the segments were recalculated."),
    ],
)
def test_a_rule_without_columns_gives_a_sentence_without_figures(cause: str, text: str) -> None:
    assert said("all", {}, None, entered=True, cause=cause) == text


def test_grounds_carry_columns_with_their_values_now_and_before() -> None:
    row: Row = {"money_365d": 812.5, "days_since_order": 61.0}
    before: Row = {"money_365d": 300.0, "days_since_order": None}

    found = told(rule("lapsed").on_entering, row, before)

    assert found.values == [("money_365d", [812.5], [300.0]), ("days_since_order", [61.0], [None])]


def test_customers_who_change_together_are_told_what_decided_for_each() -> None:
    """As if each had changed alone: in the same words, with the same values."""
    rows: list[Row] = [
        {"coupon_share": share, "nps": nps} for share in (0.0, 0.4, 0.625, None) for nps in (None, 3.0, 9.0)
    ]
    teller = rule("deal").on_entering
    now = {name: [row[name] for row in rows] for name in teller.columns}
    before = {name: list(reversed(values)) for name, values in now.items()}
    fresh = [i % 3 == 0 for i in range(len(rows))]

    found = list(teller.tell(now, before, fresh))

    assert sorted(i for grounds in found for i in grounds.at) == list(range(len(rows)))
    for grounds in found:
        for place, i in enumerate(grounds.at):
            alone = told(teller, rows[i], None if fresh[i] else rows[-1 - i])
            assert [words[place] for words in grounds.words] == [words for (words,) in alone.words]
            assert [(name, now[place], was[place]) for name, now, was in grounds.values] == [
                (name, now, was) for name, (now,), (was,) in alone.values
            ]


def test_an_explanation_shows_each_condition_with_its_values() -> None:
    row = {"money_365d": 812.5, "days_since_order": float("nan")}

    found = explain(rule("lapsed"), row, member=False, since_s=0, now_s=50)

    assert (found.enter.joined, found.enter.holds) == ("all", None)
    assert [(p.text, p.holds, p.values) for p in found.enter.parts] == [
        ("money_365d >= 500", True, (("money_365d", 812.5),)),
        ("days_since_order > 60", None, (("days_since_order", None),)),
    ]
    assert (found.leave.text, found.leave.holds) == ("days_since_order <= 60 OR money_365d < 400", None)
    assert (found.member, found.since_s, found.waits_until_s) == (False, 0, 0)


@pytest.mark.parametrize(
    ("member", "since_s", "now_s", "until_s"),
    [(True, 10, 50, 110), (True, 10, 110, 0), (False, 10, 50, 1010), (False, 0, 50, 0)],
)
def test_an_explanation_says_until_when_nothing_can_change(
    member: bool, since_s: int, now_s: int, until_s: int
) -> None:
    row = {"money_365d": 812.5, "days_since_order": 1.0}

    found = explain(rule("lapsed"), row, member=member, since_s=since_s, now_s=now_s)

    assert found.waits_until_s == until_s


def test_the_first_definitions_have_not_changed() -> None:
    first = opening("All", entered=True, cause="definition", first_time=True)
    assert sentence(first, ()) == "Entered All when the audiences came into force."
    assert opening("All", entered=True, cause="event", first_time=True) == "Entered All"


@pytest.mark.parametrize(
    ("condition", "row", "words"),
    [
        ("orders_total <> 0", {"orders_total": 1}, "orders 1 (not 0)"),
        ("NOT orders_total = 0", {"orders_total": 1}, "orders 1 (not 0)"),
        ("orders_total = 1", {"orders_total": 1}, "orders 1"),
        ("orders_total <= 3", {"orders_total": 1}, "orders 1 (at most 3)"),
        ("3 > orders_total", {"orders_total": 1}, "orders 1 (below 3)"),
        ("days_since_seen >= 7", {"days_since_seen": 7.0000003}, "days since last event 7 (at least 7)"),
        (
            "days_since_seen >= 0.34",
            {"days_since_seen": 0.3412},
            "days since last event 0.34 (at least 0.34)",
        ),
        ("nps = 7.125", {"nps": 7.125}, "survey score (NPS) 7.125"),
        ("days_since_seen < 7", {"days_since_seen": 6.9999}, "days since last event 6.9999 (below 7)"),
        (
            "days_since_order > 2 * order_gap_days",
            {"days_since_order": 32.00001, "order_gap_days": 16.0},
            "days since last order 32 (just above 2 \u00d7 days between orders: 32)",
        ),
        ("days_since_seen * 24 > 1", {"days_since_seen": 2.909}, "days since last event 2.9 (above 0.042)"),
        ("days_since_seen * 24 > 1", {"days_since_seen": 2.0}, "days since last event 2 (above 0.042)"),
        (
            "days_since_seen * 24 > 1",
            {"days_since_seen": 0.0417},
            "days since last event 0.042 (just above 0.042)",
        ),
        ("-1 > days_since_seen * -24", {"days_since_seen": 0.5}, "days since last event 0.5 (above 0.042)"),
        ("coupon_share * 100 >= 50", {"coupon_share": 0.625}, "coupon share 62.5 % (at least 50 %)"),
        ("COALESCE(nps, 10) > 6", {"nps": None}, "survey score (NPS) unknown (counted as 10)"),
        ("COALESCE(nps, 10) > 6", {"nps": 7.0}, "survey score (NPS) 7 (above 6)"),
        (
            "money_30d > average_order",
            {"money_30d": 120.0, "average_order": 79.5},
            "money (30 days) 120 (above average order: 79.50)",
        ),
        (
            "views_total / NULLIF(orders_total, 0) >= 2.5",
            {"views_total": 10, "orders_total": 4},
            "product views ÷ orders 2.5 (at least 2.5)",
        ),
        (
            "ABS(orders_30d - 2 * orders_90d) > 1",
            {"orders_30d": 3, "orders_90d": 3},
            "size of (orders (30 days) - (2 \u00d7 orders (90 days))) 3 (above 1)",
        ),
        (
            "orders_30d = orders_90d",
            {"orders_30d": 2, "orders_90d": 2},
            "orders (30 days) 2 (equal to orders (90 days): 2)",
        ),
        (
            "coupon_share > 2 * discount_share",
            {"coupon_share": 0.5, "discount_share": 0.1},
            "coupon share 50 % (above 2 \u00d7 discount share: 20 %)",
        ),
    ],
)
def test_comparisons_are_told_in_words(condition: str, row: Row, words: str) -> None:
    """Nobody who reads a change record has to know SQL."""
    one = Definition("one", "One", condition)
    definitions = Definitions((one,), {"one": 0}, version=1)

    grounds = told(Rules(definitions, catalogue()).rules["one"].on_entering, row, None)
    assert grounds.words == [[words]]


def test_no_sentence_of_the_shipped_audiences_has_a_sign_of_sql() -> None:
    """Whatever decided, of who enters and of who leaves."""
    shipped = parse(
        (Path(streams.__file__).parent / "segments.toml").read_text(encoding="utf-8"), catalogue()
    )
    made = successor(None, shipped)
    assert made is not None
    columns = catalogue()
    said_of = 0
    for rule in Rules(made, columns).rules.values():
        for teller in (rule.on_entering, rule.on_leaving):
            for value in (None, 0.0, 1.0, 1000.0):
                row: dict[str, Value] = dict.fromkeys(teller.columns, value)
                row |= {
                    name: "champions" for name in row if name in columns and columns[name].kind is Kind.TEXT
                }
                for (words,) in told(teller, row, None).words:
                    assert not re.search(r"[<>=*_]|COALESCE", words)
                    said_of += 1
    assert said_of > 100
