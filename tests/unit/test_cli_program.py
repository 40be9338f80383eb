"""The program: quick help, exit codes, and errors in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from streams.admin import Admin
from streams.cli import main
from streams.cli.command import Command, Group
from streams.cli.program import THREADS, program
from streams.errors import InterlockError

PROGRAM = str(Path(sys.executable).with_name("live-segments"))
HEAVY = ("faust", "numpy", "pyarrow", "aiokafka", "confluent_kafka", "river", "scipy", "msgspec", "rich")


def commands(
    group: click.Group, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


COMMANDS = dict(commands(program))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a machine where nothing is set; what main sets goes again."""
    for name in [name for name in os.environ if name.startswith(("LIVE_SEGMENTS_", "KAFKA_"))]:
        monkeypatch.delenv(name)
    for name in THREADS:
        monkeypatch.setenv(name, "2")


def test_loading_the_command_line_loads_nothing_heavy() -> None:
    """Help answers at once because what does the work is imported when it is called."""
    code = "import streams.cli, sys, json; print(json.dumps(sorted(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert set() == set(HEAVY) & set(json.loads(ran.stdout))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """The example begins with the program and names the command or one of its own."""
    assert main([*path, "--help"]) == 0

    command = COMMANDS[path]
    assert isinstance(command, Command | Group)
    assert f"live-segments {' '.join(path)}" in command.example
    out = capsys.readouterr().out
    assert out.startswith(f"Usage: live-segments {' '.join(path)}")
    assert "Example:\n  " in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_examples_use_options_that_exist(path: tuple[str, ...]) -> None:
    """Each option of an example belongs to the command that it calls."""
    command = COMMANDS[path]
    assert isinstance(command, Command | Group)
    words = command.example.split()
    words = words[words.index("live-segments") + 1 :]
    depth = max(n for n in range(1, len(words) + 1) if tuple(words[:n]) in COMMANDS)
    called = COMMANDS[tuple(words[:depth])]
    known = {name for parameter in called.params for name in parameter.opts}

    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tail", "--limit", "none"], "'none' is not a valid integer range"),
        (["tail", "--nothing"], "No such option"),
        (["nothing"], "No such command"),
        (["produce", "x.csv"], "Missing option '--format'"),
        (["produce", "x.csv", "--format", "csv"], "'csv' is not one of"),
        (["produce", "x.csv", "--format", "taobao", "--rate", "0"], "'0' is not a number above 0"),
        (["produce", "x.csv", "--format", "taobao"], "KAFKA_BOOTSTRAP is not set"),
        (["simulate"], "KAFKA_BOOTSTRAP is not set"),
        (["segments"], "KAFKA_BOOTSTRAP is not set"),
        (["topics", "check"], "KAFKA_BOOTSTRAP is not set"),
        (["replay", "run", "x.csv", "--format", "taobao", "--sweep-interval", "1x"], "is not a time span"),
        (["replay", "run", "x.csv", "--format", "taobao", "--mode", "files"], "--mode files needs --out"),
        (["replay", "run", "x.csv", "--format", "taobao", "--mode", "report", "--out", "y"], "goes with"),
        (["profiles", "export", "--out", "x", "--at", "noon"], "is not a time"),
        (["profiles", "export", "--out", "x.xlsx"], "name a file that ends in .parquet or .csv"),
        (["features", "--json", "--markdown"], "exclude each other"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names what is wrong; there is no usage text and no traceback around it."""
    assert main(arguments) == 2

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert said in captured.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--end", "2026-01-01"], "--end needs --start or --days"),
        (["--start", "2026-01-01", "--days", "3"], "--start and --days exclude each other"),
    ],
)
def test_a_span_that_is_none_is_refused(
    options: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A simulated span needs one start, before any broker is asked."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("LIVE_SEGMENTS_CURRENCY", "GBP")

    assert main(["simulate", *options]) == 2
    assert capsys.readouterr().err == f"error: {said}" + (
        "; give one of them\n" if "exclude" in said else "\n"
    )


def test_a_wrong_setting_is_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names the variable, its value and what is allowed."""
    monkeypatch.setenv("LIVE_SEGMENTS_PARTITIONS", "many")

    assert main(["settings"]) == 2
    assert capsys.readouterr().err.startswith(
        "error: LIVE_SEGMENTS_PARTITIONS=many: allowed is a whole number"
    )


def test_a_missing_broker_is_exit_code_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody waits for ever: the request is bounded, and the line names the address."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setattr(Admin.__init__, "__defaults__", (1.0,))

    assert main(["segments"]) == 3
    assert capsys.readouterr().err.startswith("error: no answer from Kafka at 127.0.0.1:1 in 1 s")


def test_who_waits_for_a_broker_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Long before the request is given up."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setattr(Admin.__init__, "__defaults__", (1.5,))
    monkeypatch.setattr("streams.admin.PATIENCE_S", 0.5)

    assert main(["segments"]) == 3
    assert caplog.messages == ["no answer from Kafka at 127.0.0.1:1 yet; waiting 1 s more"]


def test_an_unexpected_error_is_one_line_and_debug_shows_where(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A user sees what it was; an engineer gets the traceback on request."""

    def fail(*_: object) -> None:
        raise RuntimeError("the disk\nis full")

    monkeypatch.setattr("streams.settings.load_settings", fail)

    assert main(["settings"]) == 1
    line = "error: unexpected RuntimeError: the disk is full"
    assert capsys.readouterr().err == f"{line}; `live-segments --debug …` shows where\n"
    assert main(["--debug", "settings"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("Traceback (most recent call last):")
    assert err.endswith(f"{line}\n")


def test_the_products_errors_keep_their_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An interlock is exit code 5 and its message is the line."""

    def refuse(*_: object) -> None:
        raise InterlockError("that would do harm; set X to allow it")

    monkeypatch.setattr("streams.settings.load_settings", refuse)

    assert main(["settings"]) == 5
    assert capsys.readouterr().err == "error: that would do harm; set X to allow it\n"


def test_ctrl_c_is_exit_code_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is printed: the user knows what they did."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("streams.settings.load_settings", interrupt)

    assert main(["settings"]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_reader_that_leaves_early_is_no_error() -> None:
    """`live-segments features --json | head -c 1` ends quietly."""
    with subprocess.Popen(
        [PROGRAM, "features", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 0


def test_no_thread_pools_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The numeric libraries get one thread each, and a user's own choice stands."""
    monkeypatch.delenv(THREADS[0])

    assert main(["--version"]) == 0
    assert [os.environ[name] for name in THREADS] == ["1", "2", "2"]


def test_without_a_command_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    """The list of commands, each with one whole sentence, and the exit code of wrong usage."""
    assert main([]) == 2

    listed = capsys.readouterr().err.partition("Commands:\n")[2].splitlines()
    assert list(program.commands) == [line.split()[0] for line in listed]
    assert all(line.endswith(".") and not line.endswith("...") for line in listed)


@pytest.mark.parametrize(
    "path", [path for path in COMMANDS if isinstance(COMMANDS[path], click.Group)], ids=" ".join
)
def test_a_group_lists_its_commands_in_whole_sentences(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """None is cut off."""
    assert main([*path, "--help"]) == 0

    listed = capsys.readouterr().out.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    assert listed
    assert all(line.endswith(".") and not line.endswith("...") for line in listed)


def test_a_complaint_has_no_full_stop_before_its_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    """The program's own words end without one."""
    assert main(["produce"]) == 2

    assert capsys.readouterr().err == "error: Missing argument 'FILE...' (see live-segments produce --help)\n"


def test_a_file_for_which_there_is_no_folder_is_refused_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder is named, before a broker is asked for anything."""
    assert main(["profiles", "export", "--out", str(tmp_path / "none" / "x.parquet")]) == 2

    assert f"there is no folder {tmp_path / 'none'}; make it" in capsys.readouterr().err


def test_the_demo_says_what_is_wrong_with_a_definitions_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is started; it used to end with its worker, whose log nobody sees."""

    def start(*_: object, **__: object) -> None:
        raise AssertionError("a broker was started")

    file = tmp_path / "own.toml"
    file.write_text('[[audience]]\nid = "a"\nname = "A"\nenter = "orders_totl > 1"\n', encoding="utf-8")
    monkeypatch.setenv("LIVE_SEGMENTS_SEGMENTS_FILE", str(file))
    monkeypatch.setattr("streams.demo.run.start_broker", start)

    assert main(["demo", "--json", "--events", "100"]) == 4
    assert f"{file}:4: audience a, enter: unknown column orders_totl" in capsys.readouterr().err
