"""Definitions on their way into force: asked for on `model-deltas`, numbered on `models`; both JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from models.audiences import Definitions, DefinitionsError, Problem

KEY = b"definitions"
"""Key of both kinds of records."""
START = b"{"
"""Deltas and models are binary: no frame of theirs begins like this."""
FORMAT = 1
FROM_FILE = -1
"""Offset of definitions that nobody has asked for: those of the first start."""
_OFFSET = "activated_at"


def is_definitions(value: bytes) -> bool:
    """Return whether a record of `models` holds definitions, or one of `model-deltas` asks for some."""
    return value.startswith(START)


def encode_activation(definitions: Definitions) -> bytes:
    """Return what asks the merger to put definitions (version 0) in force."""
    return _json({"kind": "activate", "format": FORMAT, "definitions": json.loads(definitions.to_bytes())})


def decode_activation(value: bytes) -> Definitions:
    """Return what is to be put in force.

    Raises:
        DefinitionsError: this asks for nothing, or for what is no definitions.
    """
    content = _object(value)
    if content.get("kind") != "activate" or content.get("format") != FORMAT:
        kind = f"kind {content.get('kind')}, format {content.get('format')}"
        raise DefinitionsError([Problem(0, "", f"this record asks for no definitions: {kind}")])
    return Definitions.from_bytes(_json(content.get("definitions")))


def encode_numbered(definitions: Definitions, offset: int) -> bytes:
    """Return definitions in force, with the offset on `model-deltas` at which they were asked for."""
    return _json(json.loads(definitions.to_bytes()) | {_OFFSET: offset})


def decode_numbered(value: bytes) -> tuple[Definitions, int]:
    """Return definitions in force and the offset at which they were asked for, `FROM_FILE` for nowhere.

    Raises:
        DefinitionsError: the bytes are no definitions.
    """
    definitions = Definitions.from_bytes(value)
    offset = _object(value).get(_OFFSET, FROM_FILE)
    return definitions, offset if isinstance(offset, int) else FROM_FILE


def _object(value: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise DefinitionsError([Problem(0, "", f"these bytes are no definitions: {error}")]) from error
    if not isinstance(content, dict):
        raise DefinitionsError([Problem(0, "", "these bytes are no definitions: no JSON object")])
    return content


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
