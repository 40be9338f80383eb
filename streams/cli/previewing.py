"""A preview of definitions as people read it: first what is new or changed, and who would come or go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from streams.cli.output import print_table, wrapped
from streams.words import counted

if TYPE_CHECKING:
    from streams.activating import Difference
    from streams.preview import Preview

SHORT = 8
"""Audiences up to which all are shown."""
NAMED = 5
"""Other audiences that a line on overlaps names."""
SAID = {"added": "new", "changed": "changed", "removed": "removed"}


def print_preview(found: Preview, difference: Difference | None, *, everything: bool) -> None:
    """Print the audiences that matter, or all, and which share their customers.

    Args:
        found: the preview.
        difference: what the file changes; None where that is not known.
        everything: also those that stay as they are.
    """
    notes = _notes(difference)
    touched = [i for i, a in enumerate(found.audiences) if a.id in notes or a.entering or a.leaving]
    touched.sort(key=lambda i: found.audiences[i].id not in notes)
    whole = everything or len(found.audiences) <= SHORT
    shown = range(len(found.audiences)) if whole else touched
    if shown:
        _print_rows(found, shown, notes)
    if difference is not None and not notes:
        print("The file says the same as the definitions in force.")
    print(f"{found.changing:,} of {counted(found.customers, 'customer')} would change.")
    if whole:
        _print_matrix(found)
        return
    for line in overlaps(found, touched):
        print(line)
    left = len(found.audiences) - len(touched)
    if left:
        print(f"\n{counted(left, 'audience')} as before: `--all` shows all, and how each overlaps with each.")


def _notes(difference: Difference | None) -> dict[str, str]:
    """Return what the file does to an audience, by id."""
    if difference is None:
        return {}
    return {name: said for what, said in SAID.items() for name in getattr(difference, what)}


def _print_rows(found: Preview, shown: Sequence[int], notes: dict[str, str]) -> None:
    rows = [(i + 1, found.audiences[i]) for i in shown]
    print_table(
        "",
        (">", "audience", ">size", ">share", ">enter", ">leave", "for example"),
        [
            (
                number,
                f"{a.name} ({notes[a.id]})" if a.id in notes else a.name,
                a.size,
                f"{a.share:.1%}",
                a.entering,
                a.leaving,
                ", ".join(a.sample),
            )
            for number, a in rows
        ],
    )


def overlaps(found: Preview, shown: Sequence[int]) -> Iterator[str]:
    """Yield for each of these audiences those that most of its customers are in too."""
    told = []
    for i in shown:
        if i >= len(found.overlap) or not found.overlap[i][i]:  # one that would be no more, or is empty
            continue
        row = found.overlap[i]
        others = sorted((j for j in range(len(row)) if j != i and row[j]), key=lambda j: -row[j])[:NAMED]
        if others:
            named = ", ".join(f"{found.audiences[j].name} {100 * row[j] / row[i]:.0f} %" for j in others)
            told.append(wrapped(f"{found.audiences[i].name}: {named}"))
    if told:
        yield "\nOf their customers are in other audiences too:"
        yield from told


def _print_matrix(found: Preview) -> None:
    if len(found.overlap) > 1:
        print("\nOf the customers of each audience (row), % that are in the others too:\n")
        for line in overlap_lines(found):
            print(line)


def overlap_lines(found: Preview) -> Iterator[str]:
    """Yield the matrix of overlaps as lines; audiences go by their numbers, empty ones are left out."""
    shown = [i for i, row in enumerate(found.overlap) if row[i]]
    yield "    " + "".join(f"{i + 1:>4}" for i in shown)
    for i in shown:
        cells = ["" if i == j else f"{100 * found.overlap[i][j] / found.overlap[i][i]:.0f}" for j in shown]
        yield f"{i + 1:>4}" + "".join(f"{cell:>4}" for cell in cells)
