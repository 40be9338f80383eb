"""Buyers for the sample of the population, from which value is fitted: no ids, only keyed hashes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.clusterer import Accumulator
from models.events import I64
from models.features import order_history
from models.profiles import gather
from streams.codec.hashing import keyed64_many


def show(accumulator: Accumulator, keys: Sequence[bytes], r: NDArray[np.void], now: I64, secret: str) -> None:
    """Show customers who are being learnt, as they are decided.

    Args:
        accumulator: of their partition.
        keys: n customer ids.
        r: (n,) their rows.
        now: (n,) epoch milliseconds of their decisions.
        secret: key of the hash by which customers are known to the sample.
    """
    buyers = np.flatnonzero(r["orders"] > 0)
    if not len(buyers):
        return
    hashes = keyed64_many([keys[i] for i in buyers.tolist()], secret)
    admitted = accumulator.admits(hashes)
    chosen = buyers[admitted]
    if len(chosen):
        accumulator.sample(hashes[admitted], order_history(gather(r, chosen), now[chosen]))
