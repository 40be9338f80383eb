"""Say that kernels are being compiled, when somebody waits for it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from numba.core.event import install_recorder

from streams.delayed import delayed

COMPILING = "compiling kernels, once on this machine: up to a minute"
AFTER_S = 3.0
"""Who waits less is not told."""

log = logging.getLogger(__name__)


@contextmanager
def compiling_told(after_s: float = AFTER_S) -> Iterator[None]:
    """Log one line if the block takes longer than `after_s` and numba has compiled something in it.

    It is a warning, so that people who run a command see it too, whose logs nobody has configured.
    """
    with install_recorder("numba:compile") as compiled:

        def tell() -> None:
            if compiled.buffer:
                log.warning(COMPILING)

        with delayed(after_s, tell):
            yield
