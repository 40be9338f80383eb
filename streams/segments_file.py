"""The file that declares the audiences: read, checked, and its problems with their places."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from models.audiences import Definitions, DefinitionsError, Problem, catalogue, check, parse
from streams.codec.changes import FIXED_PROPERTIES
from streams.errors import InputFileError
from streams.settings import Settings
from streams.words import counted

SHIPPED = "segments.toml"


def segments_file(settings: Settings) -> Path:
    """Return the file of the settings, or the shipped one."""
    return Path(settings.segments_file or str(files("streams") / SHIPPED))


def problems_of(path: Path) -> list[Problem]:
    """Return everything that is wrong with a file, in the order of lines.

    Raises:
        InputFileError: it cannot be read.
    """
    return check(_text(path), catalogue(), FIXED_PROPERTIES)


def read_definitions(path: Path) -> Definitions:
    """Return the definitions of a file, version 0.

    Raises:
        BrokenFileError: something is wrong with it.
        InputFileError: it cannot be read.
    """
    try:
        return parse(_text(path), catalogue(), FIXED_PROPERTIES)
    except DefinitionsError as error:
        raise BrokenFileError(path, error.problems) from error


class BrokenFileError(InputFileError):
    """A file with problems.

    Args:
        path: the file.
        problems: one or more.
        told: all of them have been told: the message counts them only.

    Attributes:
        lines: one for each problem, as `said` has it.
    """

    def __init__(self, path: Path, problems: tuple[Problem, ...], *, told: bool = False) -> None:
        self._path, self._problems = path, problems
        self.lines = [said(path, problem) for problem in problems]
        count = len(problems)
        if told:
            wrong = f"{path}: {counted(count, 'problem')}, as told above"
        else:
            wrong = self.lines[0] + (f" (and {count - 1} more)" if count > 1 else "")
        link = " Correct" if wrong.endswith("?") else "; correct"
        super().__init__(
            f"{wrong}{link} the file, `live-segments definitions check {path}` says when it is right"
        )

    def once_told(self) -> BrokenFileError:
        """Return the error for whoever has told all lines."""
        return BrokenFileError(self._path, self._problems, told=True)


def said(path: Path, problem: Problem) -> str:
    """Return a problem as FILE:LINE: what is wrong, and what may have been meant."""
    what = str(problem).removeprefix(f"line {problem.line}: ")
    place = f"{path}:{problem.line}" if problem.line else str(path)
    return f"{place}: {' '.join(what.split())}"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputFileError(f"{path}: {error.strerror}; name a TOML file that can be read") from error
    except UnicodeDecodeError as error:
        raise InputFileError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
