"""Bytes that say what they are and whether they were changed: what models and samples of value travel in."""

from __future__ import annotations

import hashlib
import struct

FORMAT = 1
"""Version of the layout; another one is refused."""
PREFIX = struct.Struct("<4sHHQ")
"""Magic, format, reserved (0), length of the body; the SHA-256 of prefix and body follows, then the body."""
DIGEST_BYTES = 32


class ValueFormatError(ValueError):
    """The bytes are no value model or sample of this format, or were changed."""


def seal(magic: bytes, body: bytes) -> bytes:
    """Return a body with its prefix and digest."""
    prefix = PREFIX.pack(magic, FORMAT, 0, len(body))
    return prefix + hashlib.sha256(prefix + body).digest() + body


def unseal(magic: bytes, data: bytes) -> bytes:
    """Return the body.

    Raises:
        ValueFormatError: anything is wrong.
    """
    start = PREFIX.size + DIGEST_BYTES
    if len(data) < start:
        raise ValueFormatError(f"{len(data)} bytes are too few")
    prefix, body = data[: PREFIX.size], data[start:]
    found, version, reserved, length = PREFIX.unpack(prefix)
    if found != magic:
        raise ValueFormatError(f"magic is {found!r}, expected {magic!r}")
    if version != FORMAT or reserved != 0:
        raise ValueFormatError(f"format {version}.{reserved} is unknown, this program reads format {FORMAT}")
    if length != len(body):
        raise ValueFormatError(f"{len(body)} bytes follow the prefix, which promises {length}")
    if hashlib.sha256(prefix + body).digest() != data[PREFIX.size : start]:
        raise ValueFormatError("the checksum does not fit: the bytes were changed on the way")
    return body
