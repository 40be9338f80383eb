"""Faust's transport of this product: chunks in, one transaction per partition out.

Here live the partitions' life, the reading of records as columns, their order, and the transactions.
Nothing here knows what a customer is: the engine is behind `ports`. Faust finds `Transport` through the
entry point `chunk` and asks the app for `app.ownership` and `app.merge_part`.
"""

from __future__ import annotations

import faust.streams

from streams.transport.consumer import Transport

__all__ = ["Transport"]

if faust.streams._CStreamIterator is None:  # noqa: SLF001 - there is no other way to ask
    # the pure Python iterator acks messages that it skips at a rebalance
    raise ImportError(
        "Faust's compiled stream iterator is missing: unset NO_CYTHON and install faust-streaming's wheel"
    )
