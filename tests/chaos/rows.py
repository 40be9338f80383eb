"""Where the checker finds what it checks in the bytes of the state, without the product's code.

A copy on purpose: a worker and a checker that read with the same code could be wrong together. A test
compares this table with the product's layout.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

ROW_VERSION = 1
"""First byte of each block."""
HOT_BYTES, COLD_BYTES = 584, 632
HOT = {"events": 208, "views": 212, "clicks": 216, "sequence": 264, "behaviour": 268}
"""Name to offset in the hot block; u32 little endian."""
COLD = {"orders": 320, "refunds": 324, "items": 328, "audience_bits": 340}
"""The same of the cold block."""
COLD_MONEY = {"money_gross": 16, "money_refunded": 24}
"""i64 little endian, in 1/10,000."""

_U32, _I64 = struct.Struct("<I"), struct.Struct("<q")
_ERASED = struct.Struct("<qI")
_FRAME = struct.Struct("<4sHHIQ")
_DIGEST_BYTES = 32
_TXN_KEY = struct.Struct(">hh")
_TXN_STATUS = struct.Struct(">hqhib")


class FormError(ValueError):
    """Bytes are not what this checker can read."""


def hot(value: bytes) -> dict[str, int]:
    """Return what is checked of a hot block."""
    return _fields(value, HOT_BYTES, HOT, _U32)


def cold(value: bytes) -> dict[str, int]:
    """Return what is checked of a cold block."""
    return _fields(value, COLD_BYTES, COLD, _U32) | _fields(value, COLD_BYTES, COLD_MONEY, _I64)


def _fields(value: bytes, size: int, table: dict[str, int], form: struct.Struct) -> dict[str, int]:
    if len(value) != size + 1 or value[0] != ROW_VERSION:
        raise FormError(f"a block of {len(value)} bytes and version {value[0]}: adapt tests/chaos/rows.py")
    return {name: form.unpack_from(value, offset + 1)[0] for name, offset in table.items()}


def erased_key(customer: str, secret: str = "live-segments") -> bytes:  # noqa: S107 - the product's default
    """Return the changelog's key of an erased customer's marker."""
    return b"e" + blake2b(customer.encode(), digest_size=16, key=secret.encode()).digest()


def erased_sequence(value: bytes) -> int:
    """Return the last sequence number in an erasure marker."""
    sequence: int = _ERASED.unpack(value)[1]
    return sequence


def frame_header(value: bytes) -> dict[str, Any]:
    """Return the JSON header of a model or a delta."""
    _, _, _, header_bytes, _ = _FRAME.unpack_from(value)
    start = _FRAME.size + _DIGEST_BYTES
    header: dict[str, Any] = json.loads(value[start : start + header_bytes])
    return header


@dataclass(frozen=True, slots=True)
class TransactionMark:
    """One entry of Kafka's own log of transactions."""

    transactional_id: str
    status: int
    """2: about to commit; 3: about to abort."""


def transaction_mark(key: bytes, value: bytes) -> TransactionMark | None:
    """Return an entry of `__transaction_state`; None for what is no transaction's."""
    version, length = _TXN_KEY.unpack_from(key)
    if version != 0:
        return None
    name = key[_TXN_KEY.size : _TXN_KEY.size + length].decode()
    return TransactionMark(name, _TXN_STATUS.unpack_from(value)[4])
