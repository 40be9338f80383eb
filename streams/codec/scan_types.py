"""What `streams.codec.scan` takes and returns, as types of records."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

Record: TypeAlias = Any
Records: TypeAlias = Any

FIELDS = 32
"""Room for so many fields; all schemas together have fewer."""
TERMS = np.dtype(
    [
        ("names", "<u8", (FIELDS, 2)),
        ("masks", "<u8", (FIELDS, 2)),
        ("lengths", "<i8", (FIELDS,)),
        ("kinds", "<i8", (FIELDS,)),
        ("least", "<f8", (FIELDS,)),
        ("most", "<f8", (FIELDS,)),
        ("known", "<i8", (4,)),
        ("required", "<i8", (4,)),
        ("span", "<i8", (4, FIELDS)),
        ("number", "<i8", (4, FIELDS)),
        ("fields", "<i8"),
        ("max_bytes", "<i8"),
        ("max_lines", "<i8"),
        ("after", "<i8", (4, FIELDS + 1)),
        ("seen", "<i8"),
        ("previous", "<i8"),
        ("unknown", "<i8"),
    ],
    align=True,
)
"""What the schemas say of the fields of clicks, views, purchases and lines.

names: in ASCII, zeros behind them; masks: the bytes of the names; lengths: of the names; kinds: TEXT to
LINES; least, most: bounds of the number, or of the text's length; known, required: bit masks by object; span,
number: by object, column of `spans` and `numbers` that a text or number goes to, -1 for none; fields: how
many there are. What follows is the kernel's own. after: by object, the field that came last after each; seen,
previous: mask of the fields met in the object, and the last of them; unknown: a field of the record is
unknown.
"""
RECORD = np.dtype(
    [
        ("spans", "<i4", (14, 2)),
        ("numbers", "<f8", (4,)),
        ("lines", "<i4"),
        ("status", "<i4"),
    ],
    align=True,
)
"""What is read of a record; of one that is not ordinary, nothing.

spans: where a text begins in the buffer, and how long it is, 0 when absent, null or empty; numbers: NaN when
absent or null; lines: number of order lines; status: OTHER, ORDINARY or EXTENDED.
"""
LINE = np.dtype([("spans", "<i4", (2, 2)), ("numbers", "<f8", (3,))], align=True)
"""An order line, in the same way."""
