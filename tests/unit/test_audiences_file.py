"""A definitions file is refused with each problem, its line, and what may have been meant."""

from __future__ import annotations

import pytest

from models.audiences import DefinitionsError, catalogue, check, parse

COLUMNS = catalogue()
GOOD = """\
# comment
[[audience]]
id = "loyal"
name = "Loyal"
enter = "orders_total > 3"
min_stay = "2d"
cooldown = "12h"

[[audience]]
id = "loyal-abroad"
name = "Loyal, abroad"
enter = \"\"\"
    is_loyal
    AND country <> 'DE'
\"\"\"
leave = "NOT is_loyal"
"""


def test_a_good_file_has_no_problems_and_says_what_it_says() -> None:
    definitions = parse(GOOD, COLUMNS)

    assert check(GOOD, COLUMNS) == []
    assert [d.id for d in definitions.audiences] == ["loyal", "loyal-abroad"]
    loyal = definitions.get("loyal")
    assert (loyal.min_stay_s, loyal.cooldown_s, loyal.leave) == (172_800, 43_200, None)
    assert loyal.leave_text == "NOT COALESCE(orders_total > 3, FALSE)"
    assert definitions.get("loyal-abroad").min_stay_s == 0


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ('name = "Loyal"', 'name = "Loyal', 4, "not TOML"),
        (
            "[[audience]]\nid",
            "[[audiences]]\nid",
            2,
            "audiences stands outside [[audience]]; did you mean audience?",
        ),
        ("# comment", "version = 2", 1, "version stands outside"),
        ('min_stay = "2d"', 'minstay = "2d"', 6, "minstay: unknown key; did you mean min_stay?"),
        ('min_stay = "2d"', 'min_stay = "2 days"', 6, "'2 days' is no duration such as 2d"),
        ('min_stay = "2d"', 'min_stay = "3651d"', 6, "of at most 3650d"),
        ('min_stay = "2d"', "min_stay = 2", 6, '2 is no text: write min_stay = "..."'),
        ('id = "loyal"', 'id = "Loyal"', 3, "an id has lower-case letters"),
        ('id = "loyal"', 'id = "-loyal"', 3, "an id has lower-case letters"),
        ('id = "loyal"', f'id = "{"a" * 49}"', 3, "an id has lower-case letters"),
        ('id = "loyal"', 'id = "b-3"', 3, "ids that begin with b-"),
        ('id = "loyal"', 'id = "reason"', 3, "change records use this name"),
        ('id = "loyal"', 'id = "country"', 3, "this is the name of a column"),
        ('id = "loyal-abroad"', 'id = "loyal"', 10, "loyal is already the id of the one in line 2"),
        ('name = "Loyal, abroad"', 'name = "loyal"', 11, "loyal is already the name of the one in line 2"),
        ('id = "loyal"\n', "", 2, "audience number 1: id is missing"),
        ('name = "Loyal"\n', "", 2, "audience loyal: name is missing"),
        ('name = "Loyal"', f'name = "{"n" * 81}"', 4, "81 characters, at most 80 are allowed"),
        ('enter = "orders_total > 3"\n', "", 2, "audience loyal: enter is missing"),
        ('leave = "NOT is_loyal"', 'leave = ""', 16, "leave is empty"),
        ("orders_total > 3", "order_total > 3", 5, "unknown column order_total; did you mean orders_total"),
        ("country <> 'DE'", "contry <> 'DE'", 14, "unknown column contry; did you mean country"),
        ("is_loyal\n", "is_loyl\n", 13, "unknown column is_loyl; did you mean is_loyal"),
        ("country <> 'DE'", "country <> 5", 14, "country <> 5 compares a text with a number"),
        ("AND country", "AND AND country", 14, "it is not a complete condition"),
        ("AND country <> 'DE'", "AND sum(orders_total) > 1", 14, "function sum is not allowed"),
        ("orders_total > 3", "orders_total", 5, "orders_total is a number: compare it"),
        ("orders_total > 3", "orders_total > 1; DROP", 5, "; is not allowed in conditions"),
        ("orders_total > 3", "orders_total > (SELECT 1)", 5, "SELECT is not allowed in conditions"),
        ("orders_total > 3", "orders_total > 1e3", 5, "1e3 is not a number such as 12"),
        ("orders_total > 3", "orders_total = NULL", 5, "nothing equals NULL: write IS NULL"),
        ("orders_total > 3", "money_30d / orders_30d > 5", 5, "write / NULLIF(orders_30d, 0)"),
        ("orders_total > 3", "money_30d / 5 > 5", 5, "divides by a constant: multiply the other side by 5"),
        ("orders_total > 3", "cart_open = 1", 5, "cart_open = 1 compares a yes/no with a number"),
        ("orders_total > 3", "cart_open IS TRUE", 5, "COALESCE(x, FALSE) for IS TRUE"),
        ("orders_total > 3", "country > 'DE'", 5, "a text has no order"),
        ("orders_total > 3", "orders_total > 3 IS NULL", 5, "compares a number with a yes/no"),
        ("orders_total > 3", "1 = 1", 5, "1 = 1 is the same for every customer"),
        ("orders_total > 3", "(" * 500 + "cart_open" + ")" * 500, 5, "nested more than 60 deep"),
        ("orders_total > 3", "cart_open OR " * 400 + "cart_open", 5, "at most 4000 are allowed"),
        ("orders_total > 3", "NOT is_loyal_abroad", 5, "it refers to itself: loyal -> loyal-abroad -> loyal"),
        ('cooldown = "12h"', 'leave = "is_loyal"', 7, "it refers to itself: loyal -> loyal"),
    ],
)
def test_a_problem_is_told_with_its_line(old: str, new: str, line: int, message: str) -> None:
    text = GOOD.replace(old, new, 1)

    problems = check(text, COLUMNS, reserved={"reason"})

    told = [str(problem) for problem in problems if problem.line == line]
    assert any(message in text for text in told), [*map(str, problems)]


def test_all_problems_are_told_at_once_in_the_order_of_lines() -> None:
    text = GOOD.replace("orders_total > 3", "orders_totl > 3 OR money < 5").replace('"2d"', '"soon"')
    text = text.replace("NOT is_loyal", "NOT is_royal AND country > 5 AND nps")

    with pytest.raises(DefinitionsError) as error:
        parse(text, COLUMNS)

    assert [problem.line for problem in error.value.problems] == [5, 5, 6, 16]
    typed = check(text.replace("is_royal", "is_loyal"), COLUMNS)
    assert [problem.line for problem in typed] == [5, 5, 6, 16, 16]


def test_more_audiences_than_a_row_has_slots_are_refused_at_the_first_too_many() -> None:
    text = "".join(
        f'[[audience]]\nid = "a{i}"\nname = "A {i}"\nenter = "orders_total > {i}"\n' for i in range(33)
    )

    (problem,) = check(text, COLUMNS)

    assert (problem.line, problem.message) == (129, "33 audiences, at most 32 are possible")


def test_audiences_in_another_toml_form_are_refused_with_what_to_write() -> None:
    (problem,) = check('\naudience = [{id = "a", name = "A", enter = "cart_open"}]\n', COLUMNS)

    assert (problem.line, problem.message) == (2, "write each audience as a table under [[audience]]")


def test_lines_are_right_after_texts_that_look_like_tables_and_keys() -> None:
    fake = 'description = """\n[[audience]]\nenter = "x"\n"""\nmin_stay = "2d"'
    text = GOOD.replace('min_stay = "2d"', fake).replace("country <>", "contry <>")

    (problem,) = check(text, COLUMNS)

    assert problem.line == 18


@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_each_column_can_be_named_in_a_condition(name: str) -> None:
    assert check(GOOD.replace("orders_total > 3", f"{name} IS NOT NULL"), COLUMNS) == []
