"""How `explain` says where a customer stands to an audience, and `tail` what has changed."""

from __future__ import annotations

import pytest

from models.audiences import Definitions, Row, Rules, catalogue, explain, parse, successor
from streams.cli.explaining import audience_lines
from streams.cli.people import change_line
from streams.codec.changes import decode_change
from streams.codec.output_examples import change_records

TEXT = """
[[audience]]
id = "lapsed"
name = "Lapsed"
enter = "money_365d >= 500 AND (days_since_order > 60 OR nps < 3)"
leave = "NOT COALESCE(consent_marketing, FALSE)"
min_stay = "2d"
"""
ROW: Row = {
    "money_365d": 612.5,
    "days_since_order": 61.25,
    "nps": None,
    "consent_marketing": True,
}
DAY_S = 86_400


def lines(*, member: bool, since_s: int, text: str = TEXT, row: Row = ROW) -> list[str]:
    made = successor(None, parse(text, catalogue()))
    assert isinstance(made, Definitions)
    rule = Rules(made, catalogue()).rules["lapsed"]
    return list(audience_lines(explain(rule, row, member=member, since_s=since_s, now_s=3 * DAY_S)))


def test_a_member_is_shown_with_what_brought_them_in_and_what_would_take_them_out() -> None:
    """Each condition says whether it holds, with the figures behind it."""
    assert lines(member=True, since_s=2 * DAY_S) == [
        "in Lapsed (lapsed), since 1970-01-03 00:00:00 UTC, stays so until 1970-01-05 00:00:00 UTC",
        "  + enter: all of",
        "    + money_365d >= 500  [money_365d 612.50]",
        "    + any of",
        "      + days_since_order > 60  [days_since_order 61.25]",
        "      ? nps < 3  [nps unknown]",
        "  - leave: not",
        "    + the first that is known of",
        "      + consent_marketing  [consent_marketing yes]",
        "      - FALSE",
    ]


@pytest.mark.parametrize(
    ("days", "shown"),
    [
        (60.0004, "+ days_since_order > 60  [days_since_order 60.0004]"),
        (60.00000001, "+ days_since_order > 60  [days_since_order 60.00000001]"),
        (59.996, "- days_since_order > 60  [days_since_order 59.996]"),
        (60.0, "- days_since_order > 60  [days_since_order 60.00]"),
        (1234.5678, "+ days_since_order > 60  [days_since_order 1,234.57]"),
    ],
)
def test_a_figure_close_to_its_limit_has_the_decimals_that_tell_them_apart(days: float, shown: str) -> None:
    """Rounded it stood on the other side of the limit, or on it."""
    found = lines(member=False, since_s=0, row={**ROW, "days_since_order": days})

    assert f"      {shown}" in found


def test_whole_scores_have_no_decimals() -> None:
    """A score is 4, not 4.00; money keeps its decimals."""
    text = '[[audience]]\nid = "lapsed"\nname = "L"\nenter = "rfm_r <= 3 AND nps > 8 AND money_30d > 1"\n'
    found = lines(member=False, since_s=0, text=text, row={"rfm_r": 4.0, "nps": 7.5, "money_30d": 4.0})

    assert [line[line.index("[") :] for line in found[2:]] == ["[rfm_r 4]", "[nps 7.50]", "[money_30d 4.00]"]


def test_who_is_out_is_shown_with_the_condition_to_enter_and_when_they_left() -> None:
    found = lines(member=False, since_s=2 * DAY_S)

    assert found[0] == "not in Lapsed (lapsed), left 1970-01-03 00:00:00 UTC"
    assert not any("leave:" in line for line in found)
    assert lines(member=False, since_s=0)[0] == "not in Lapsed (lapsed)"


def test_who_leaves_when_they_no_longer_fulfil_enter_is_said_in_a_line() -> None:
    text = TEXT.replace("leave =", "description =")

    assert lines(member=True, since_s=0, text=text)[-1] == "  - leave: when enter no longer holds"


def test_a_change_says_whether_it_is_of_a_segment_or_of_an_audience() -> None:
    """Both may be called Champions."""
    changes = [decode_change(value).record for _, value, _ in change_records()]
    changes = [one for one in changes if one.properties.change == "entered"]

    assert {one.properties.segment_set for one in changes} == {"behaviour", "audience"}
    for one in changes:
        what = "segment " if one.properties.segment_set == "behaviour" else "audience"
        assert f"  entered {what}  {one.properties.segment_name}  " in change_line(one)
