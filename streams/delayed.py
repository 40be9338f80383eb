"""Do something only if a block of code takes long."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def delayed(after_s: float, call: Callable[[], object]) -> Iterator[None]:
    """Call from another thread if the block takes longer than `after_s` seconds."""
    timer = threading.Timer(after_s, call)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
