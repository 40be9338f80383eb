"""Records of the compacted topic `segment-definitions`: what each segment is and where it came from."""

from __future__ import annotations

import msgspec
import orjson

from streams.codec.output_records import Definition, Lineage

__all__ = ["Definition", "Lineage", "decode_definition", "encode_definition"]


def encode_definition(definition: Definition) -> bytes:
    """Return the value for one segment; the key is the segment's id as UTF-8.

    NaN and infinite numbers become null.
    """
    return orjson.dumps(msgspec.to_builtins(definition))


_decode = msgspec.json.Decoder(Definition).decode


def decode_definition(value: bytes) -> Definition:
    """Return a definition as types; unknown fields of later versions are ignored.

    Raises:
        msgspec.ValidationError: the bytes are JSON but no definition.
        msgspec.DecodeError: they are not JSON.
    """
    return _decode(value)
