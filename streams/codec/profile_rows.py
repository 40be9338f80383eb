"""The changelog: a partition's state as compacted keys and values.

| key | value |
|---|---|
| `h` + customer id | schema version, hot block |
| `c` + customer id | schema version, cold block |
| `n` + namespace number + code | the name, UTF-8 |
| `e` + keyed hash of an erased customer id | erased_before ms, last sequence |
| `r` | review of the segments of the partition's customers, as of its last day |
| `m` | the partition's meta row, JSON |
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.names import NAMESPACES
from models.profiles import COLD_BYTES, HOT_BYTES, SCHEMA_VERSION
from streams.errors import LiveSegmentsError

HOT_PREFIX = b"h"
COLD_PREFIX = b"c"
NAME_PREFIX = b"n"
ERASED_PREFIX = b"e"
REVIEW_KEY = b"r"
META_KEY = b"m"

VERSION_BYTE = bytes([SCHEMA_VERSION])
_NAME = struct.Struct("<BH")
_ERASED = struct.Struct("<qI")


class UnderWay(msgspec.Struct):
    """A sweep that had not decided everyone yet."""

    since_ms: int
    """The tick before."""
    model_version: int
    """In force until the tick, 0 for none."""
    definitions_version: int
    """As the model."""


class Meta(msgspec.Struct, kw_only=True):
    """What a partition knows besides its customers, as of a commit."""

    stream_ms: int
    """Stream time."""
    anchor_ms: int
    """Wall clock at which stream time was `stream_ms`."""
    tick_ms: int
    """Last tick."""
    sweep: UnderWay | None = None
    """What is left to do of it."""
    model_version: int
    """Model in force, 0 for none."""
    definitions_version: int = 0
    positions: dict[str, int]
    """Next offset of each input topic."""
    counted: int = 0
    """Events counted."""
    dead: int = 0
    """Records sent to the dead letters."""
    duplicates: int = 0
    """Events ignored because their id was known."""
    erased: int = 0
    """Events ignored because their customer was erased later than they happened."""
    inputs: dict[str, list[int]] | None = None
    """By input topic: records delivered, and of those counted, dead, duplicates, erased."""
    flows: dict[str, dict[int, int]] | None = None
    """Customers that have entered and left behaviour segments since the last review, by number."""


def encode_meta(meta: Meta) -> bytes:
    """Return the value of the meta row."""
    return msgspec.json.encode(meta)


def decode_meta(value: bytes) -> Meta:
    """Return the meta row.

    Raises:
        LiveSegmentsError: it cannot be read.
    """
    try:
        return msgspec.json.decode(value, type=Meta)
    except msgspec.DecodeError as error:
        raise LiveSegmentsError(
            f"the changelog's meta row cannot be read ({error}): written by another version?"
        ) from error


def name_key(space: str, code: int) -> bytes:
    """Return the key of a name."""
    return NAME_PREFIX + _NAME.pack(NAMESPACES.index(space), code)


def decode_name_key(key: bytes) -> tuple[str, int]:
    """Return namespace and code of a name's key."""
    space, code = _NAME.unpack(key[1:])
    return NAMESPACES[space], code


def erased_hash(key: bytes, secret: str) -> bytes:
    """Return the keyed hash under which an erased customer is remembered (BLAKE2b, 16 bytes)."""
    return hashlib.blake2b(key, digest_size=16, key=secret.encode()[:64]).digest()


def encode_erased(before_ms: int, sequence: int) -> bytes:
    """Return the value of an erasure marker."""
    return _ERASED.pack(before_ms, sequence)


def decode_erased(value: bytes) -> tuple[int, int]:
    """Return (erased_before ms, last sequence)."""
    before_ms, sequence = _ERASED.unpack(value)
    return before_ms, sequence


Upgrade = Callable[[bytes, bool], bytes]
"""Makes of a block (with its version byte; true: hot) the block of the next version."""
UPGRADES: dict[int, Upgrade] = {}
"""By the schema version that is read. Whoever changes the row's format puts the way from the version before
in here: a restore then reads old rows too, each step by step up to the present version. A row is written in
the present version when its customer changes next, so an entry stays for as long as such changelogs do."""


def decode_blocks(values: Sequence[bytes], *, hot: bool) -> NDArray[np.uint8]:
    """Return the contents of blocks, a line for each.

    Raises:
        LiveSegmentsError: a block was written in a version of the format that is not known here.
    """
    size = (HOT_BYTES if hot else COLD_BYTES) + 1
    joined = b"".join(values)
    if set(map(len, values)) != {size} or joined[::size].count(VERSION_BYTE) != len(values):
        joined = b"".join([_present(value, size, hot=hot) for value in values])
    return np.frombuffer(joined, np.uint8).reshape(-1, size)[:, 1:]


def _present(value: bytes, size: int, *, hot: bool) -> bytes:
    """Return a block as the present version writes it."""
    block = value
    while block and block[0] != SCHEMA_VERSION and (upgrade := UPGRADES.get(block[0])):
        block = upgrade(block, hot)
    if block[:1] != VERSION_BYTE or len(block) != size:
        version = value[0] if value else "none"
        raise LiveSegmentsError(
            f"the changelog holds rows of schema version {version} ({len(value)} bytes), this program writes "
            f"version {SCHEMA_VERSION} ({size} bytes): use the program that wrote them, or start a new "
            "LIVE_SEGMENTS_APP_ID and replay the inputs"
        )
    return block
