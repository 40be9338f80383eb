"""Have all kernels compiled and kept: `python -m streams.compiling`, so that no first start waits for it."""

from __future__ import annotations

from models import audiences, clusterer, features, hysteresis, packed, profiles, steadiness
from models.calendar import Calendar
from models.features import tally
from streams import coding
from streams.codec import changes, sentence_columns
from streams.codec.events import Decoder, InputRules
from streams.row_cache import RowCache
from streams.transport import alignment, fetch, record_batch


def compile_kernels() -> None:
    """Compile what is not kept yet; see `models.compiled`."""
    profiles.prepare(profiles.Slab(1).rows, Calendar.utc())
    clusterer.prepare()
    coding.prepare()
    packed.prepare()
    RowCache()
    changes.prepare()
    sentence_columns.prepare()
    features.prepare()
    tally.prepare()
    audiences.prepare()
    steadiness.prepare()
    hysteresis.prepare()
    Decoder(InputRules(1, "murmur2", "EUR", {}, check_future=True))
    fetch.prepare()
    alignment.prepare()
    record_batch.prepare()


if __name__ == "__main__":
    compile_kernels()
