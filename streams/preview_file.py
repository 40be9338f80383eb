"""A preview over a file of exported profiles: polars reads the conditions as they are written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from models.audiences import (
    BEHAVIOUR_SEGMENT,
    BEHAVIOUR_SEGMENT_NAME,
    Definitions,
    Kind,
    Rule,
    Rules,
    catalogue,
    reference,
)
from models.events import Bool
from streams.errors import InputFileError
from streams.preview import Preview, Tally

_RENAMED = {"behaviour": BEHAVIOUR_SEGMENT, "behaviour_name": BEHAVIOUR_SEGMENT_NAME}


def preview_file(path: Path, made: Definitions) -> Preview:
    """Return what definitions would do to the customers of a file that `profiles export` has written.

    The file does not say since when customers are in audiences: minimum stays and cooldowns are over.

    Raises:
        InputFileError: the file cannot be read, or is of another kind.
    """
    frame = _read(path)
    rules = Rules(made, catalogue())
    missing = sorted(set(rules.columns) - set(frame.columns))
    if missing:
        raise InputFileError(f"{path}: column {missing[0]} is missing; export the file again")
    held_now = {name for names in frame["audiences"].to_list() for name in names or ()}
    ended = sorted(held_now - made.slots.keys())
    tally = Tally(made, {audience: audience for audience in ended})
    held = {name: pl.col("audiences").list.contains(name).fill_null(value=False) for name in tally.ids}
    frame = frame.with_columns(column.alias(reference(name)) for name, column in held.items())
    before = _matrix(frame, tally.ids)
    for rule in _ordered(rules):
        frame = frame.with_columns(_decided(rule))
    frame = frame.with_columns(pl.lit(value=False).alias(reference(name)) for name in ended)
    tally.add(frame["customer_id"].to_list(), before, _matrix(frame, tally.ids))
    return tally.result()


def _matrix(frame: pl.DataFrame, audiences: Sequence[str]) -> Bool:
    """Return (n, a) who is in which audience."""
    columns = [frame[reference(name)].to_numpy() for name in audiences]
    return np.stack(columns, axis=1) if columns else np.zeros((frame.height, 0), np.bool_)


def _read(path: Path) -> pl.DataFrame:
    """Return the profiles as conditions see them: NaN is NULL, yes/no are booleans."""
    try:
        with path.open("rb"):  # its error says what is wrong in one phrase
            frame = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        why = (isinstance(error, OSError) and error.strerror) or str(error).rstrip(".")
        raise InputFileError(
            f"{path}: {why}; name a Parquet file of `live-segments profiles export`"
        ) from error
    for name in ("customer_id", "audiences", *_RENAMED):
        if name not in frame.columns:
            raise InputFileError(
                f"{path}: there is no column {name}; name a Parquet file of `live-segments profiles export`"
            )
    frame = frame.rename(_RENAMED)
    columns = catalogue()
    numbers = [name for name in frame.columns if name in columns and columns[name].kind is not Kind.TEXT]
    frame = frame.with_columns(pl.col(name).cast(pl.Float64).fill_nan(None) for name in numbers)
    flags = [name for name in numbers if columns[name].kind is Kind.BOOLEAN]
    return frame.with_columns(pl.col(name) != 0 for name in flags)


def _decided(rule: Rule) -> pl.Expr:
    """Return who is in an audience after a decision; its column holds who is now."""
    definition, now = rule.definition, pl.col(reference(rule.definition.id))
    enter = pl.sql_expr(definition.enter).fill_null(value=False)
    leave = pl.sql_expr(definition.leave_text).fill_null(value=False)
    return ((now & ~leave) | (~now & enter & ~leave)).alias(reference(definition.id))


def _ordered(rules: Rules) -> Iterator[Rule]:
    """Yield the rules such that each comes after those that it refers to."""
    left, done = dict(rules.rules), set[str]()
    while left:
        for audience in [name for name, rule in left.items() if rule.refers_to <= done]:
            done.add(audience)
            yield left.pop(audience)
