"""How definitions of audiences come into force, and stay there."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import orjson
import pytest

from models.audiences import Column, Definitions, DefinitionsError, Kind, Problem, catalogue, parse
from models.clusterer import Accumulator, Model
from streams.codec.activation import KEY, decode_numbered, encode_activation, is_definitions
from streams.codec.definitions import decode_definition
from streams.codec.output_records import Definition
from streams.errors import ExitCode, InputFileError
from streams.merging import DEFINITIONS, MODELS, WARMUP_ROWS, Merging
from streams.metrics import Metrics
from streams.records import Record
from streams.segments_file import BrokenFileError, read_definitions, segments_file
from streams.settings import Settings
from streams.versions import FEATURE_NAMES, TAIL, Versions, is_tail
from streams.wiring import make_merging


def audiences(*wanted: tuple[str, str]) -> Definitions:
    """Return definitions, version 0, of (id, condition to enter)."""
    return parse(
        "".join(
            f'[[audience]]\nid = "{name}"\nname = "The {name}"\nenter = "{enter}"\nmin_stay = "36h"\n'
            for name, enter in wanted
        ),
        catalogue(),
    )


ONE = audiences(("buyers", "orders_total >= 1"), ("lookers", "views_7d > 2"))
TWO = audiences(("buyers", "orders_total >= 2"), ("phones", "top_category = 'phones'"))


def unread() -> Definitions:
    """Stand for a file that nobody may look at."""
    raise AssertionError("the file was read")


class Merged:
    """A merger, and the log as it leaves it."""

    def __init__(self, log: Sequence[bytes] = (), first: Definitions | None = ONE) -> None:
        self.refused = 0
        self.merging = Merging(unread if first is None else lambda: first, definitions_refused=self._refuse)
        self.log = list(log)
        self.records: list[Record] = []
        models = [value for value in self.log if not is_definitions(value)]
        definitions = [value for value in self.log if is_definitions(value)]
        self.merging.open(models[-1] if models else None)
        self.merging.define(definitions[-1] if definitions else None)

    def _refuse(self) -> None:
        self.refused += 1

    def tick(self) -> list[Record]:
        """Return what comes out, and put it on the log."""
        made = self.merging.take() or self.merging.take_definitions() or []
        self.log += [record.value for record in made if record.topic == MODELS and record.value is not None]
        return made

    def ask(self, offset: int, wanted: Definitions) -> Merged:
        """Ask for definitions."""
        self.merging.process(offset, encode_activation(wanted))
        return self

    def learn(self, offset: int) -> None:
        """Merge a delta with as many rows as a first model needs."""
        accumulator = Accumulator(FEATURE_NAMES)
        rows = np.random.default_rng(offset).normal(size=(4 * WARMUP_ROWS, len(FEATURE_NAMES)))
        accumulator.learn(rows)
        for delta in accumulator.take():
            self.merging.process(offset, delta.to_bytes())

    def versions(self) -> list[int]:
        """Return the versions of the definitions on the log."""
        return [decode_numbered(value)[0].version for value in self.log if is_definitions(value)]


def described(records: Sequence[Record]) -> dict[str, Definition]:
    """Return what is said of each segment."""
    return {
        (record.key or b"").decode(): decode_definition(record.value or b"")
        for record in records
        if record.topic == DEFINITIONS
    }


def test_the_first_start_puts_the_file_in_force_at_once_as_version_1() -> None:
    """There is no model yet, and nothing has been asked for."""
    merged = Merged()

    made = merged.tick()
    assert [(record.topic, record.key) for record in made[:1]] == [(MODELS, KEY)]
    assert merged.versions() == [1]
    found = described(made)
    assert list(found) == ["buyers", "lookers"]
    assert found["buyers"].rule == {
        "enter": "orders_total >= 1",
        "leave": "NOT COALESCE(orders_total >= 1, FALSE)",
        "min_stay": "36h",
        "cooldown": "0s",
    }
    assert [(step.event, step.version) for step in found["buyers"].lineage] == [("born", 1)]
    assert (found["buyers"].set, found["buyers"].definitions_version) == ("audience", 1)
    assert merged.tick() == []


def test_a_restart_with_another_file_changes_nothing_and_says_once_how_to_put_it_in_force(
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = Merged()
    first.tick()

    with caplog.at_level(logging.INFO):
        again = Merged(first.log, first=TWO)
        again.merging.define(first.log[-1])  # after a rebalance
    assert again.tick() == []
    (said,) = caplog.messages
    assert said.startswith("the segments file of this worker is not what is in force (definitions version 1)")
    assert "`live-segments definitions activate`" in said
    assert again.refused == 0


def test_a_restart_with_the_file_that_is_in_force_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    first = Merged()
    first.tick()

    with caplog.at_level(logging.INFO):
        again = Merged(first.log)
    assert again.tick() == []
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[audience]]\nid = "a"\nname = "A"\nenter = "x > 1"\nleave = "y > 1"\n', ["{}:4: ", "{}:5: "]),
        (None, ["{}: No such file"]),
    ],
)
def test_a_restart_with_a_file_that_cannot_be_used_is_an_error_in_log_and_metric_and_changes_nothing(
    text: str | None, said: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every problem has its line; what is in force stays."""
    before = Merged()
    before.tick()
    file, metrics = tmp_path / "own.toml", Metrics()
    if text is not None:
        file.write_text(text, encoding="utf-8")
    merging = make_merging(Settings(segments_file=str(file)), metrics.definitions_refused_total.inc)

    with caplog.at_level(logging.INFO):
        merging.define(before.log[-1])
    assert [record.levelname for record in caplog.records] == ["ERROR"] * len(said)
    for line, start in zip(caplog.messages, said, strict=True):
        assert line.startswith(start.format(file))
    assert metrics.registry.get_sample_value("live_segments_definitions_refused_total") == 1
    assert merging.take_definitions() is None
    merging.process(3, encode_activation(TWO))
    assert merging.take_definitions() is not None


def test_asking_for_what_is_in_force_emits_nothing() -> None:
    merged = Merged()
    merged.tick()

    assert merged.ask(3, ONE).tick() == []


def test_a_new_version_says_who_survived_was_born_and_died() -> None:
    merged = Merged()
    merged.tick()

    found = described(merged.ask(3, TWO).tick())
    assert merged.versions() == [1, 2]
    assert {name: record.lineage[0].event for name, record in found.items()} == {
        "buyers": "survived",
        "phones": "born",
        "lookers": "died",
    }
    assert (found["lookers"].rule, found["lookers"].size) == (None, 0)
    assert found["buyers"].rule is not None
    assert found["buyers"].rule["enter"] == "orders_total >= 2"


def test_slots_stay_with_their_audience() -> None:
    merged = Merged()
    merged.tick()
    merged.ask(3, TWO).tick()
    merged.ask(4, ONE).tick()

    newest, _ = decode_numbered(merged.log[-1])
    assert newest.version == 3
    assert newest.slots == {"buyers": 0, "lookers": 1}
    assert newest.retired == {"phones": 2}


def test_each_model_is_accompanied_by_the_definitions_in_force() -> None:
    """So the last records of the log always have both."""
    merged = Merged()
    merged.tick()
    merged.learn(5)

    made = [record for record in merged.tick() if record.topic == MODELS]
    assert [is_definitions(record.value or b"") for record in made] == [True, False]
    assert merged.versions() == [1, 1]
    assert described([]) == {}
    versions = Versions()
    for value in merged.log:
        versions.offer(value)
    assert versions.model is not None
    assert versions.newest_rules is not None


def test_definitions_that_were_asked_for_come_with_a_model_that_is_due() -> None:
    merged = Merged()
    merged.tick()
    merged.ask(4, TWO)
    merged.learn(5)

    made = merged.tick()
    assert merged.versions() == [1, 2]
    assert Model.from_bytes(merged.log[-1]).version == 1
    assert {"phones", "b-1"} <= set(described(made))


def test_a_merger_that_was_killed_and_reads_the_same_records_again_ends_the_same() -> None:
    """The records that asked for versions 2 and 3 come again: their offsets were never committed."""
    merged = Merged()
    merged.tick()
    for offset, wanted in ((3, TWO), (4, ONE)):
        merged.ask(offset, wanted).tick()

    again = Merged(merged.log)
    for offset, wanted in ((3, TWO), (4, ONE)):
        assert again.ask(offset, wanted).tick() == []
    assert again.versions() == [1, 2, 3]
    assert again.ask(5, TWO).tick() != []
    assert again.versions() == [1, 2, 3, 4]


def test_a_merger_that_was_killed_before_it_published_publishes_then() -> None:
    merged = Merged()
    merged.tick()
    merged.ask(3, TWO).merging.take_definitions()  # taken, and never written

    again = Merged(merged.log)
    assert again.ask(3, TWO).tick() != []
    assert again.versions() == [1, 2]


@pytest.mark.parametrize(
    "value",
    [
        b"{",
        b"{}",
        b'{"kind": "activate", "format": 2, "definitions": {}}',
        b'{"kind": "activate", "format": 1, "definitions": []}',
        encode_activation(ONE).replace(b"orders_total", b"orders_grand"),
    ],
)
def test_a_record_that_cannot_be_used_is_refused_and_the_old_ones_stay(
    value: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    merged = Merged()
    merged.tick()

    with caplog.at_level(logging.ERROR):
        merged.merging.process(3, value)
    assert merged.tick() == []
    assert merged.refused == 1
    assert "model-deltas offset 3 refused" in caplog.text


def test_conditions_that_this_program_does_not_know_are_refused(caplog: pytest.LogCaptureFixture) -> None:
    """A newer program may have columns that this one has not."""
    columns = catalogue()
    columns["moon_phase"] = Column("moon_phase", Kind.NUMBER, "phase of the moon")
    text = '[[audience]]\nid = "full"\nname = "Full moon"\nenter = "moon_phase > 0"\n'
    merged = Merged()
    merged.tick()

    with caplog.at_level(logging.ERROR):
        merged.ask(3, parse(text, columns))
    assert merged.tick() == []
    assert merged.refused == 1
    assert "unknown column moon_phase" in caplog.text


def test_definitions_of_a_newer_program_stay_whatever_is_asked_for() -> None:
    newer = orjson.dumps({"kind": "definitions", "format": 99, "version": 7})
    merged = Merged([newer], first=None)
    merged.ask(3, ONE)
    merged.learn(5)

    assert [record.value for record in merged.tick() if record.key == KEY] == [newer]
    assert merged.refused == 2


def test_the_end_of_the_log_is_read_until_there_is_a_model() -> None:
    merged = Merged()
    merged.tick()
    merged.learn(1)
    merged.tick()
    for offset in range(2, 2 + 2 * TAIL):
        merged.ask(offset, TWO if offset % 2 else ONE).tick()

    found = merged.log[-TAIL:]
    assert not is_tail(found)
    assert is_tail(merged.log)


def test_the_shipped_file_is_the_one_of_the_first_start() -> None:
    found = read_definitions(segments_file(Settings()))
    assert len(found.audiences) >= 14


def test_a_broken_file_says_where_and_what(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(
        '[[audience]]\nid = "a"\nname = "A"\nenter = "orders_totl > 1"\nleaves = "x"\n', encoding="utf-8"
    )

    with pytest.raises(BrokenFileError) as caught:
        read_definitions(segments_file(Settings(segments_file=str(file))))
    assert caught.value.exit_code == ExitCode.INPUT_FILE
    first = "orders_total or orders_exact or campaign_orders_total"
    assert caught.value.lines == [
        f"{file}:4: audience a, enter: unknown column orders_totl; did you mean {first}?",
        f"{file}:5: audience a, leaves: unknown key; did you mean leave?",
    ]
    assert f"{file}:4: " in str(caught.value)
    assert f"did you mean {first}? (and 1 more); correct the file, " in str(caught.value)


def test_a_file_with_one_problem_asks_and_goes_on_in_a_new_sentence(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('[[audience]]\nid = "a"\nname = "A"\nenter = "nps > 1"\nleaves = "x"\n', encoding="utf-8")

    with pytest.raises(BrokenFileError, match=r"did you mean leave\? Correct the file, `live-segments def"):
        read_definitions(file)


def test_a_first_start_with_a_broken_file_names_every_problem_and_refuses(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "own.toml"
    file.write_text(
        '[[audience]]\nid = "a"\nname = "A"\nenter = "x > 1"\nleave = "y > 1"\n', encoding="utf-8"
    )
    merging = Merging(lambda: read_definitions(file))

    with pytest.raises(BrokenFileError) as caught, caplog.at_level(logging.ERROR):
        merging.define(None)
    assert [line.partition(": ")[0] for line in caplog.messages] == [f"{file}:4", f"{file}:5"]
    assert str(caught.value) == (
        f"{file}: 2 problems, as told above; correct the file, `live-segments definitions check {file}` says "
        "when it is right"
    )


def test_several_problems_in_one_line_have_one_mark_between_them() -> None:
    error = DefinitionsError([Problem(4, "", "a", ("b",)), Problem(5, "", "c"), Problem(6, "", "d")])

    assert str(error) == "line 4: a; did you mean b? line 5: c; line 6: d"


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="No such file"):
        read_definitions(tmp_path / "none.toml")
    odd = tmp_path / "odd.toml"
    odd.write_bytes(b"\xff")
    with pytest.raises(InputFileError, match="not UTF-8"):
        read_definitions(odd)
