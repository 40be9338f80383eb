"""Why a customer entered, left, or is where they are."""

from __future__ import annotations

import pytest

from models.audiences import (
    Definition,
    Definitions,
    Grounds,
    Row,
    Rule,
    Rules,
    Teller,
    catalogue,
    explain,
    opening,
    sentence,
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
        "days since last order 60.1 > 60, money (365 days) 812.50 >= 500."
    )


def test_who_leaves_is_told_the_side_that_holds_only() -> None:
    row = {"money_365d": 812.5, "days_since_order": 0.0}

    assert said("lapsed", row, None, entered=False) == (
        "Left Lapsed big spenders: days since last order 0 <= 60."
    )


@pytest.mark.parametrize(
    ("row", "figures"),
    [
        ({"country": "DE", "cart_open": True, "is_lapsed": True}, "open cart: yes"),
        ({"country": "FR", "cart_open": False, "is_lapsed": True}, "country FR, not DE or AT"),
        ({"country": None, "cart_open": False, "is_lapsed": True}, "country unknown"),
        ({"country": "AT", "cart_open": False, "is_lapsed": False}, "not in lapsed"),
    ],
)
def test_who_no_longer_fulfils_a_rule_without_leave_is_told_what_is_missing(row: Row, figures: str) -> None:
    assert said("german", row, None, entered=False) == f"Left German: {figures}."


def test_a_figure_close_to_its_limit_is_shown_with_the_decimals_that_tell_them_apart() -> None:
    row = {"money_365d": 500.0, "days_since_order": 60.0004}

    assert "days since last order 60.0004 > 60" in said("lapsed", row, None, entered=True)
    assert said("lapsed", row | {"money_365d": 399.996}, None, entered=False).endswith("399.996 < 400.")


def test_shares_show_as_per_cent_and_unknown_as_such() -> None:
    assert said("deal", {"coupon_share": 0.625, "nps": 3.0}, None, entered=True) == (
        "Entered Deal seekers: coupon share 62.5 % >= 50 %."
    )
    assert said("deal", {"coupon_share": None, "nps": None}, None, entered=True) == (
        "Entered Deal seekers: survey score (NPS) unknown."
    )


def test_a_condition_that_calculates_is_told_by_what_it_calculates_with_not_as_sql() -> None:
    row = {"days_since_seen": 0.1304, "days_since_order": 70.0, "order_gap_days": 30.0}
    assert said("late", row, None, entered=True) == (
        "Entered Late: days since last event 0.1, days since last order 70, days between orders 30."
    )
    assert "days since last event 0.04." in said(
        "late", row | {"days_since_seen": 0.0417}, None, entered=True
    )
    assert "days since last event 0." in said("late", row | {"days_since_seen": 0.0}, None, entered=True)

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
