"""The reasons in a change record as JSON: made where a change is decided, a column at a time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgspec

from streams.codec.json_columns import json_of, lists
from streams.codec.main_features import Json
from streams.codec.output_records import Reason, Scalar

MAX_REASONS = 5
NO_REASONS = Json("[]")
_encode = msgspec.json.Encoder(enc_hook=lambda scalar: scalar.item()).encode
"""The hook is for numpy's numbers."""


def reasons_json(reasons: Sequence[Reason]) -> Json:
    """Return the heaviest reasons, largest weight first; equal ones in the order given."""
    heaviest = sorted(reasons, key=lambda reason: reason.weight or 0.0, reverse=True)
    return reasons_of([heaviest[:MAX_REASONS]])[0]


def reasons_of(changes: Sequence[Sequence[Reason]]) -> list[Json]:
    """Return the reasons of each change, of which there are MAX_REASONS at most, the heaviest first."""
    return [Json(f"[{text}]") for text in lists(changes, _encode)]


def reasons_by_column(columns: Sequence[tuple[str, Sequence[Scalar], Sequence[Scalar]]]) -> list[Json]:
    """Return reasons without weights of k changes that have the same ones.

    Args:
        columns: name, values (k,) and values before (k,) of each feature; at least one, at most MAX_REASONS.
    """
    texts = []
    for name, values, before in columns:
        opening = _opening(name)
        texts.append(
            [
                f'{opening}{value},"previous":{was},"weight":null}}'
                for value, was in zip(_scalars(values), _scalars(before), strict=True)
            ]
        )
    return [Json(f"[{','.join(row)}]") for row in zip(*texts, strict=True)]


@lru_cache(maxsize=512)
def _opening(name: str) -> str:
    return f'{{"feature":{json_of(name)},"value":'


def _scalars(values: Sequence[Scalar]) -> list[str]:
    """Return each value as JSON."""
    texts = _encode(values).decode()[1:-1].split(",")
    return texts if len(texts) == len(values) else [_encode(value).decode() for value in values]
