"""The reasons in a change record as JSON: made where a change is decided, a column at a time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgspec
import numpy as np

from streams.codec.json_columns import json_of
from streams.codec.main_features import Json
from streams.codec.output_records import Reason, Scalar
from streams.codec.pieces import Pieces, join
from streams.codec.sentence_columns import Reasons

MAX_REASONS = 5
NO_REASONS = Json("[]")
_encode = msgspec.json.Encoder(enc_hook=lambda scalar: scalar.item()).encode
"""The hook is for numpy's numbers."""


def reasons_json(reasons: Sequence[Reason]) -> Json:
    """Return the heaviest reasons, largest weight first; equal ones in the order given."""
    heaviest = sorted(reasons, key=lambda reason: reason.weight or 0.0, reverse=True)
    return Json(_encode(heaviest[:MAX_REASONS]).decode())


def reasons_table(reasons: Reasons) -> Pieces:
    """Return the reasons of each change as JSON."""
    n, r = reasons.feature.shape
    there = (np.arange(r) < reasons.count[:, None]).reshape(-1)
    openings = [
        f'{comma}{{"feature":{json_of(name)},"value":' for comma in ("", ",") for name in reasons.features
    ]
    behind = (np.arange(r) > 0) * len(reasons.features)
    each = join(
        n * r,
        Pieces.one_of(openings, (reasons.feature + behind).reshape(-1)).only(there),
        Pieces.numbers(reasons.value.reshape(-1)).only(there),
        Pieces.one_of(["", ',"previous":'], there.astype(np.intp)),
        Pieces.numbers(reasons.previous.reshape(-1)).only(there),
        Pieces.one_of(["", ',"weight":'], there.astype(np.intp)),
        Pieces.numbers(reasons.weight.reshape(-1)).only(there),
        Pieces.one_of(["", "}"], there.astype(np.intp)),
    )
    ends = np.append(0, each.ends)[::r]
    return Pieces.packed(join(n, "[", Pieces(each.letters, ends[:-1], np.diff(ends)), "]"))


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
