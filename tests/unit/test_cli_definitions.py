"""`definitions check` and `preview`: what is wrong with a file, and what it would do."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest

import streams.preview
from models.audiences import Definitions, catalogue, parse, successor
from models.features import FEATURES
from streams.activating import Difference, difference
from streams.cli import main
from streams.cli.definitions import difference_lines
from streams.cli.previewing import overlap_lines, print_preview
from streams.cli.program import THREADS
from streams.clock import ManualClock
from streams.engine import Engine
from streams.preview import Audience, Preview, preview_live
from streams.preview_file import preview_file
from streams.profiles import tables
from tests.engine_runs import AUDIENCES, SETTINGS, Driver, driven, in_chunks
from tests.oracle.synthetic import DAY_MS, stream

SHIPPED = Path(__file__).parents[2] / "streams" / "segments.toml"
KEPT = """
[[audience]]
id = "lapsed"
name = "Lapsed"
enter = "days_since_seen > 3"

[[audience]]
id = "phones"
name = "Phone fans"
enter = "top_category = 'phones'"
"""
CHANGED = """
[[audience]]
id = "lookers"
name = "Lookers"
enter = "views_7d >= 1 AND NOT is_buyers"

[[audience]]
id = "buyers"
name = "Buyers"
enter = "orders_total >= 2"

[[audience]]
id = "given"
name = "Given their consent"
enter = "COALESCE(consent_marketing, FALSE) OR top_category = 'phones' OR behaviour_segment = 'b-1'"

[[audience]]
id = "nobody"
name = "Nobody"
enter = "age > 500"
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a machine where nothing is set."""
    for name in [name for name in os.environ if name.startswith(("LIVE_SEGMENTS_", "KAFKA_"))]:
        monkeypatch.delenv(name)
    for name in THREADS:
        monkeypatch.setenv(name, "1")


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """Give a file with problems in lines 4 and 7."""
    file = tmp_path / "broken.toml"
    file.write_text(
        '[[audience]]\nid = "a"\nname = "A"\nenter = "orders_totl > 1"\n[[audience]]\nid = "b"\nname = "A"\n'
        'enter = "orders_total > 1"\n',
        encoding="utf-8",
    )
    return file


def test_the_shipped_file_is_right(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["definitions", "check", str(SHIPPED)]) == 0
    assert capsys.readouterr().out.endswith(" audiences, nothing is wrong\n")


def test_every_problem_is_a_line_with_its_place(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An editor jumps to FILE:LINE; the nearest name stands at the end."""
    assert main(["definitions", "check", str(broken)]) == 1

    first, second, last = capsys.readouterr().out.splitlines()
    assert first.startswith(
        f"{broken}:4: audience a, enter: unknown column orders_totl; did you mean orders_"
    )
    assert second.startswith(f"{broken}:7: audience b, name: ")
    assert last == "2 problems"


def test_problems_as_json(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["definitions", "check", str(broken), "--json"]) == 1

    found = json.loads(capsys.readouterr().out)
    assert [problem["line"] for problem in found["problems"]] == [4, 7]
    assert found["problems"][0]["nearest"][0] == "orders_total"


@pytest.mark.parametrize("command", [["preview"], ["activate"]])
def test_a_broken_file_is_refused_before_anything_is_asked_of_a_broker(
    command: list[str], broken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["definitions", *command, str(broken)]) == 4
    assert f"{broken}:4: audience a, enter: unknown column" in capsys.readouterr().err


@pytest.mark.parametrize(("count", "left"), [(1, None), (27, None), (28, 4), (31, 1), (32, 0)])
def test_who_uses_most_of_the_places_is_told_how_many_are_left(
    count: int, left: int | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A place is never given to another id, so the 33rd audience ever is refused."""
    file = tmp_path / "many.toml"
    audience = '[[audience]]\nid = "a{0}"\nname = "A{0}"\nenter = "orders_total > {0}"\n'
    file.write_text("".join(audience.format(i) for i in range(count)), encoding="utf-8")

    assert main(["definitions", "check", str(file)]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{count} {'audience' if count == 1 else 'audiences'}, nothing is wrong\n"
    assert (f"{count} of 32 places are taken" in captured.err) == (left is not None)
    can_come = f": {left} new {'audience' if left == 1 else 'audiences'} can still come"
    assert left is None or can_come in captured.err


@pytest.mark.parametrize("content", ["", "# nothing yet\n"])
def test_a_file_without_any_audience_is_refused(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failed redirection must not end all audiences; no broker is asked."""
    file = tmp_path / "empty.toml"
    file.write_text(content, encoding="utf-8")
    told = f"{file}: there is no [[audience]] in it: it would end all that are in force; name one"

    assert main(["definitions", "check", str(file)]) == 1
    assert capsys.readouterr().out.splitlines() == [told, "1 problem"]
    assert main(["definitions", "activate", str(file)]) == 4
    assert told in capsys.readouterr().err


def test_a_file_that_is_not_there_is_exit_code_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["definitions", "check", str(tmp_path / "none.toml")]) == 4
    assert "No such file" in capsys.readouterr().err


@cache
def shop() -> Driver:
    """Return customers that were decided by the audiences of `engine_runs`, and nothing is due."""
    driver = driven(in_chunks(stream(seed=5, customers=40, days=20), 500))
    parts = driver.engine.parts
    end = max(part.stream_ms for part in parts.values()) // DAY_MS * DAY_MS + DAY_MS
    for part in parts.values():
        part.stream_ms = min(part.stream_ms, end - 1)
    driver.clock.set(end)
    driver.engine.advance_to(parts, end, end)
    return driver.finish().commit()


def in_force() -> Definitions:
    """Return what is in force there."""
    return Definitions.from_bytes(shop().log[-1])


def made_of(text: str) -> Definitions:
    """Return what comes after it."""
    made = successor(in_force(), parse(text, catalogue()))
    assert made is not None
    return made


def previewed(monkeypatch: pytest.MonkeyPatch, made: Definitions) -> Preview:
    """Return the live preview of the shop."""

    def engines(*_: object) -> Iterator[Engine]:
        yield shop().engine

    monkeypatch.setattr(streams.preview, "partitions", engines)
    return preview_live(SETTINGS, None, ManualClock(0), in_force(), made)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [KEPT + CHANGED, CHANGED],
    ids=["all kept", "two removed"],
)
def test_a_preview_says_exactly_who_will_change(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it counts is what the engine then writes with cause `definition`, audience by audience."""
    made = made_of(text)
    before = previewed(monkeypatch, made)

    driver = shop().successor()
    driver.written.clear()
    driver.offer(made.to_bytes())
    parts = driver.engine.parts
    driver.engine.sweeper.begin(
        parts.values(), next(iter(parts.values())).tick_ms, None, driver.engine.versions.newest_rules
    )
    driver.finish().commit()
    told = [orjson.loads(value or b"{}") for _, value in driver.changes()]
    counts = Counter(
        (change["properties"]["audience_key"], change["properties"]["change"])
        for change in told
        if change["properties"]["cause"] == "definition"
    )
    assert counts == +Counter(
        {
            **{(a.id, "entered"): a.entering for a in before.audiences},
            **{(a.id, "left"): a.leaving for a in before.audiences},
        }
    )
    assert before.changing == len({change["userId"] for change in told}) > 0


def test_a_preview_of_what_is_in_force_changes_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    assert previewed(monkeypatch, in_force()).changing == 0


def test_a_preview_over_exported_profiles_says_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Polars reads the very same text; without minimum stays and cooldowns both must agree."""
    file = tmp_path / "profiles.parquet"
    table = list(tables(shop().engine))
    with pq.ParquetWriter(file, table[0].schema) as writer:
        for part in table:
            writer.write_table(part)
    made = made_of(CHANGED)
    live = previewed(monkeypatch, made)

    found = preview_file(file, made)
    assert found.customers == live.customers > 0
    assert found.changing == live.changing
    assert found.overlap == live.overlap
    sizes = {a.id: (a.size, a.entering, a.leaving, a.sample) for a in live.audiences}
    assert {a.id: (a.size, a.entering, a.leaving, a.sample) for a in found.audiences} == sizes
    assert sizes["given"][0] > 0
    assert sizes["lapsed"][0] == 0


def test_a_preview_over_a_file_is_a_table_for_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profiles, file = tmp_path / "profiles.parquet", tmp_path / "own.toml"
    file.write_text(AUDIENCES, encoding="utf-8")
    with pq.ParquetWriter(profiles, next(tables(shop().engine)).schema) as writer:
        for part in tables(shop().engine):
            writer.write_table(part)
    command = ["definitions", "preview", str(file), "--profiles", str(profiles)]

    assert main(command) == 0
    out = capsys.readouterr().out
    assert "Buyers" in out
    assert "customers would change" in out
    assert main([*command, "--json"]) == 0
    assert [row["id"] for row in json.loads(capsys.readouterr().out)["audiences"]] == [
        "buyers",
        "lapsed",
        "lookers",
        "phones",
    ]


@pytest.mark.parametrize("content", [b"no parquet", None])
def test_a_preview_over_another_file_is_refused(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "profiles.parquet"
    if content is None:
        import pyarrow as pa  # noqa: PLC0415 - only here

        pq.write_table(pa.table({FEATURES[0].name: [1.0]}), file)
    else:
        file.write_bytes(content)

    assert main(["definitions", "preview", str(SHIPPED), "--profiles", str(file)]) == 4
    assert "live-segments profiles export" in capsys.readouterr().err


def test_overlaps_are_shares_of_the_row_and_empty_audiences_are_left_out() -> None:
    audiences = tuple(Audience(name, name, 1, 0.1, 0, 0, ()) for name in "abc")
    lines = list(overlap_lines(Preview(10, 0, audiences, ((4, 0, 1), (0, 0, 0), (1, 0, 2)))))

    assert lines == ["       1   3", "   1      25", "   3  50    "]


def test_a_difference_names_what_is_new_changed_and_gone() -> None:
    found = difference(in_force(), made_of(CHANGED))

    assert found == Difference(
        added=("given", "nobody"), changed=("lookers", "buyers"), removed=("lapsed", "phones")
    )
    assert next(difference_lines(found)) == "added: given, nobody"
    assert difference(None, in_force()).added == ("buyers", "lapsed", "lookers", "phones")


def many(*, entering: int, gone: bool = True) -> Preview:
    """Return a preview of ten audiences; three who are in a6 are also in a2, and customers enter a6."""
    size = [[0] * 10 for _ in range(10)]
    for i in range(10):
        size[i][i] = 4
    size[6][2] = size[2][6] = 3
    audiences = [
        Audience(f"a{i}", f"Audience {i}", 4, 0.4, entering if i == 6 else 0, 0, ("ann",)) for i in range(10)
    ]
    audiences += [Audience("old", "Old one", 0, 0.0, 0, 2, ())] if gone else []
    return Preview(10, entering, tuple(audiences), tuple(map(tuple, size)))


def test_of_many_audiences_those_are_shown_that_the_file_touches(capsys: pytest.CaptureFixture[str]) -> None:
    """With what it does to them, and who of theirs is elsewhere; who changes otherwise comes after them."""
    print_preview(many(entering=1), Difference(("a9",), (), ("old",)), everything=False)

    lines = capsys.readouterr().out.splitlines()
    told = [" ".join(line.split()) for line in lines]
    shown = [line for line in told if line.endswith(" ann") or "Old one (removed)" in line]
    assert [line.split(" 4 ")[0] for line in shown] == [
        "10 Audience 9 (new)",
        "11 Old one (removed) 0 0.0% 0 2",
        "7 Audience 6",
    ]
    assert "1 of 10 customers would change." in told
    assert "Audience 6: Audience 2 75 %" in told
    assert told[-1].startswith("8 audiences as before: `--all` shows all")
    assert max(map(len, lines)) <= 80


def test_all_audiences_are_shown_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    """With the matrix of overlaps."""
    print_preview(many(entering=1), Difference(("a9",), (), ("old",)), everything=True)

    out = capsys.readouterr().out
    assert all(f"Audience {i}" in out for i in range(10))
    assert "Of the customers of each audience (row), %" in out
    assert "--all" not in out


def test_a_file_that_changes_nothing_is_said_to(capsys: pytest.CaptureFixture[str]) -> None:
    """No table of what stays as it is."""
    print_preview(many(entering=0, gone=False), Difference((), (), ()), everything=False)

    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "The file says the same as the definitions in force.",
        "0 of 10 customers would change.",
    ]
    assert lines[-1].startswith("10 audiences as before")
    assert len(lines) == 4
