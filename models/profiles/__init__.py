"""Customer profiles as columns: the row, the slab that holds the rows, and their update.

A row is a fixed record of counters, sums and small rings. Each customer's events are applied one after the
other in delivery order, so the result does not depend on how the stream was cut into chunks. Called by
`streams.engine` alone.
"""

from models.profiles.attributes import newest_time
from models.profiles.columns import Columns
from models.profiles.layout import COLD_BYTES, HOT_BYTES, ROW, ROW_BYTES, SCHEMA_VERSION, gather, scatter
from models.profiles.slab import Slab
from models.profiles.update import Updated, prepare, update

__all__ = [
    "COLD_BYTES",
    "HOT_BYTES",
    "ROW",
    "ROW_BYTES",
    "SCHEMA_VERSION",
    "Columns",
    "Slab",
    "Updated",
    "gather",
    "newest_time",
    "prepare",
    "scatter",
    "update",
]
