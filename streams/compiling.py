"""Have all kernels compiled and kept: `python -m streams.compiling`, so that no first start waits for it."""

from __future__ import annotations

from models.calendar import Calendar
from models.profiles import Slab, prepare
from streams.codec.events import Decoder, InputRules


def compile_kernels() -> None:
    """Compile what is not kept yet; see `models.compiled`."""
    prepare(Slab(1).rows, Calendar.utc())
    Decoder(InputRules(1, "murmur2", "EUR", {}, check_future=True))


if __name__ == "__main__":
    compile_kernels()
