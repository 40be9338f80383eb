"""Drafts of change records as the records that a commit sends."""

from __future__ import annotations

from typing import Any, NamedTuple, get_args
from urllib.parse import quote

import numpy as np
import orjson
from numpy.typing import NDArray

from models.packed import Packed
from streams.codec.drafts import Drafts
from streams.codec.json_columns import OPTIONS
from streams.codec.output_records import FIXED_PROPERTIES, Origin, Scalar
from streams.codec.pieces import Pieces, join
from streams.codec.rfc3339 import rfc3339

CHANGE_TYPE = "live-segments.change.v1"
"""CloudEvents type of a change record."""
MAX_VALUE_BYTES = 32_000
"""Largest value: marketing tools refuse calls over 32 KB; what is cut first is in `encode_change`."""
MAX_TEXT = 500
"""Characters left of a sentence, a name or an event id when nothing else makes a record fit."""
ORIGINS: tuple[Origin, ...] = get_args(Origin)
_SPEC = ("ce_specversion", b"1.0")
_TYPE = ("ce_type", CHANGE_TYPE.encode())
_CONTENT = ("content-type", b"application/json")


class Encoded(NamedTuple):
    """Change records as columns."""

    keys: Packed
    values: Packed
    headers: tuple[tuple[str, bytes | Packed], ...]
    """Names, and the text of all records, or that of each."""


def encode_drafts(drafts: Drafts, origin: NDArray[np.intp], *, received_at_ms: int, space_id: str) -> Encoded:
    """Return the change records of a commit, of which there is at least one.

    Args:
        drafts: r of them.
        origin: (r,) places in ORIGINS.
        received_at_ms: wall clock of the commit.
        space_id: the deployment (its app id).

    Raises:
        ValueError: the time is out of range, or an id breaks its own bound so that a record cannot fit.
    """
    pieces = Pieces.packed(drafts.records)
    upto, between, rest = (Pieces(pieces.letters, pieces.start[k::3], pieces.size[k::3]) for k in range(3))
    origins = Pieces.one_of(ORIGINS, origin)
    values = join(len(drafts), upto, rfc3339(received_at_ms), between, origins, rest)
    large = np.flatnonzero(values.sizes() > MAX_VALUE_BYTES)
    if len(large):
        texts: list[bytes | None] = [*values.filled()]
        for i in large.tolist():
            texts[i] = _fit(orjson.loads(texts[i] or b""))
        values = Packed.of(texts)
    headers = (
        _SPEC,
        ("ce_id", Pieces.rows(drafts.idents).packed_up()),
        _TYPE,
        ("ce_source", f"/live-segments/{quote(space_id, safe='')}".encode()),
        ("ce_time", Pieces.rows(drafts.times).packed_up()),
        ("ce_subject", drafts.customers),
        _CONTENT,
        ("origin", _origin_header(origin, origins)),
    )
    return Encoded(drafts.customers, values, headers)


def _origin_header(origin: NDArray[np.intp], origins: Pieces) -> bytes | Packed:
    alike = bool((origin == origin[0]).all())
    return ORIGINS[origin[0]].encode() if alike else origins.packed_up()


def _fit(document: dict[str, Any]) -> bytes:
    """Cut a record until it fits: the reasons, then the main features, then the ends of long texts."""
    context: dict[str, Any] = document["context"]
    properties: dict[str, Scalar] = document["properties"]
    truncated: list[str] = []
    context["truncated"] = truncated

    def cut_reasons() -> None:
        context["reasons"] = []

    def cut_features() -> None:
        for name in properties.keys() - FIXED_PROPERTIES - {properties["audience_key"]}:
            del properties[name]

    def cut_text() -> None:
        for name in ("reason", "segment_name"):
            properties[name] = str(properties[name])[:MAX_TEXT]
        trigger = context.get("trigger")
        if trigger is not None and trigger["event_id"] is not None:
            trigger["event_id"] = trigger["event_id"][:MAX_TEXT]

    for name, cut in (("reasons", cut_reasons), ("features", cut_features), ("text", cut_text)):
        cut()
        truncated.append(name)
        value = orjson.dumps(document, option=OPTIONS)
        if len(value) <= MAX_VALUE_BYTES:
            return value
    raise ValueError(
        f"a change record of {len(value)} bytes cannot be cut to {MAX_VALUE_BYTES}: an id is too long"
    )
