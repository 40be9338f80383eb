"""Make the extract of Online Retail that the simulated shop is built around.

`python -m streams.shop.extract SOURCE OUT` takes all usable lines of a seeded sample of customers: so many
among those with one order, with several and with many orders (`STRATA`), none with more than `MAX_LINES`
lines, so that many customers fit into a small file. The same source gives the same bytes.
"""

from __future__ import annotations

import csv
import gzip
import io
import random
import sys
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from streams.errors import LiveSegmentsError, UsageError
from streams.shop.online_retail import LAYOUT, Invoice, read_invoices
from streams.shop.record import ReadReport

EXTRACT = Path(__file__).parent / "data" / "online_retail_extract.csv.gz"
"""Where the extract lies in the package."""
SEED = 352
MAX_LINES = 150
"""Customers with more lines are passed over; bounds the file."""
STRATA: tuple[tuple[int, int, int], ...] = ((1, 1, 150), (2, 6, 150), (7, 999, 80))
"""(least purchases, most purchases, customers to draw)."""


def sample(invoices: Sequence[Invoice], seed: int = SEED) -> list[Invoice]:
    """Return all invoices of the sampled customers, in the order given."""
    of_customer: dict[str, list[Invoice]] = defaultdict(list)
    for invoice in invoices:
        of_customer[invoice.customer_id].append(invoice)
    small = {
        customer: sum(not invoice.refund for invoice in own)
        for customer, own in sorted(of_customer.items())
        if sum(len(invoice.lines) for invoice in own) <= MAX_LINES
    }
    rng = random.Random(seed)
    chosen: set[str] = set()
    for least, most, wanted in STRATA:
        fitting = [customer for customer, purchases in small.items() if least <= purchases <= most]
        chosen.update(rng.sample(fitting, min(wanted, len(fitting))))
    return [invoice for invoice in invoices if invoice.customer_id in chosen]


def write(invoices: Sequence[Invoice], out: Path) -> int:
    """Write invoices as gzip CSV in the publisher's columns, customer by customer; return the bytes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([names[0] for names in LAYOUT.columns])
    for invoice in sorted(invoices, key=lambda made: (made.country, made.customer_id, made.time_ms)):
        moment = datetime.fromtimestamp(invoice.time_ms / 1000, UTC).replace(tzinfo=None).isoformat(" ")
        sign = -1 if invoice.refund else 1
        for line in invoice.lines:
            writer.writerow(
                [
                    invoice.number,
                    line.product_id,
                    line.description,
                    sign * line.quantity,
                    moment,
                    line.unit_price,
                    invoice.customer_id,
                    invoice.country,
                ]
            )
    out.write_bytes(gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0))
    return out.stat().st_size


def main(arguments: Sequence[str]) -> int:
    """Make the extract: the source file and the file to write; return the exit code."""
    try:
        if len(arguments) != 2:
            raise UsageError("usage: python -m streams.shop.extract SOURCE OUT")
        source, out = map(Path, arguments)
        kept = sample(read_invoices([source], ReadReport()))
        size = write(kept, out)
    except LiveSegmentsError as error:
        sys.stderr.write(f"{error}\n")
        return int(error.exit_code)
    customers = len({invoice.customer_id for invoice in kept})
    lines = sum(len(invoice.lines) for invoice in kept)
    sys.stdout.write(f"{out}: {customers} customers, {len(kept)} invoices, {lines} lines, {size:,} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
