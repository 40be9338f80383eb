"""Customer profiles as columns: the row, the slab that holds the rows, and their update.

A row is a fixed record of counters, sums and small rings. Events are applied in *rank passes*: the first
event of each customer in the chunk, then the second of those that have one, and so on, each elementwise
operations. So each customer's events are applied in delivery order, and the result does not depend on how
the stream was cut into chunks. Called by `streams.engine` alone.
"""

from models.profiles.layout import COLD_BYTES, HOT_BYTES, ROW, ROW_BYTES, SCHEMA_VERSION, gather, scatter
from models.profiles.slab import Slab
from models.profiles.update import Columns, Updated, update

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
    "scatter",
    "update",
]
