"""The byte frame of models and deltas: magic, lengths, SHA-256, JSON header, little-endian arrays."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT = 1
"""Version of the frame; another one is refused."""
PREFIX = struct.Struct("<4sHHIQ")
"""Magic, format, reserved (0), lengths of header and arrays; the digest of all the rest follows."""
DIGEST_BYTES = 32
DTYPES = ("<f8", "<i8", "<i4", "|u1")
MAX_SIDE = 1 << 28
"""Largest side of an array in a frame."""


class FormatError(ValueError):
    """The bytes are not what they should be: another format, cut off, changed on the way, or inconsistent."""


def pack(magic: bytes, header: Mapping[str, Any], arrays: Sequence[NDArray[Any]]) -> bytes:
    """Return one frame; the same content gives the same bytes."""
    little = [np.ascontiguousarray(array, array.dtype.newbyteorder("<")) for array in arrays]
    shapes = [[array.dtype.str, list(array.shape)] for array in little]
    text = json.dumps(
        {**header, "arrays": shapes},
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    ).encode()
    body = b"".join(array.tobytes() for array in little)
    prefix = PREFIX.pack(magic, FORMAT, 0, len(text), len(body))
    return b"".join((prefix, hashlib.sha256(prefix + text + body).digest(), text, body))


def unpack(magic: bytes, data: bytes) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """Return header and arrays (read-only views of `data`) of a frame.

    Raises:
        FormatError: anything is wrong.
    """
    start = PREFIX.size + DIGEST_BYTES
    if len(data) < start:
        raise FormatError(f"{len(data)} bytes are too few for a frame")
    found, version, reserved, header_bytes, body_bytes = PREFIX.unpack_from(data)
    if found != magic:
        raise FormatError(f"magic is {found!r}, expected {magic!r}")
    if version != FORMAT or reserved != 0:
        raise FormatError(f"format {version}.{reserved} is unknown, this program reads format {FORMAT}")
    if len(data) != start + header_bytes + body_bytes:
        raise FormatError(f"{len(data)} bytes, but the prefix promises {start + header_bytes + body_bytes}")
    digest = hashlib.sha256(data[: PREFIX.size])
    digest.update(memoryview(data)[start:])
    if digest.digest() != data[PREFIX.size : start]:
        raise FormatError("the checksum does not fit: the bytes were changed on the way")
    header = _header(data[start : start + header_bytes])
    return header, _arrays(header.pop("arrays", None), memoryview(data)[start + header_bytes :])


def _header(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"the header is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise FormatError("the header is not an object")
    return header


def _arrays(shapes: object, body: memoryview) -> list[NDArray[Any]]:
    if not isinstance(shapes, list):
        raise FormatError("the header lists no arrays")
    arrays, offset = [], 0
    for entry in shapes:
        dtype, shape = _shape(entry)
        size = dtype.itemsize * math.prod(shape)
        if offset + size > len(body):
            raise FormatError("the arrays are longer than the frame")
        arrays.append(np.frombuffer(body[offset : offset + size], dtype).reshape(shape))
        offset += size
    if offset != len(body):
        raise FormatError("the arrays are shorter than the frame")
    return arrays


def _shape(entry: object) -> tuple[np.dtype[Any], list[int]]:
    match entry:
        case [str(name), list(shape)] if name in DTYPES and len(shape) <= 2:
            if all(type(side) is int and 0 <= side <= MAX_SIDE for side in shape):
                return np.dtype(name), shape
    raise FormatError(f"unknown kind of array: {entry!r}"[:200])
