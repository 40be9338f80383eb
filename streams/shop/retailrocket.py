"""RetailRocket events: views, cart adds and transactions of a web shop, no prices.

view makes a product view, addtocart a click, and all transaction rows with the same transactionid are one
purchase of the visitor, at the time of its earliest row. The file is not in time order; records are. An event
id is the row itself (`retailrocket:visitor:item:event:milliseconds`), a row that occurs again gets its
number; a purchase's is `retailrocket:order:transactionid`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from streams.records import CLICKS, PURCHASES, VIEWS
from streams.shop.record import ReadReport, ShopRecord
from streams.shop.tables import MALFORMED, Cells, Layout, read_rows
from streams.shop.taobao import numbered

LAYOUT = Layout(
    format="retailrocket",
    columns=(("timestamp",), ("visitorid",), ("event",), ("itemid",), ("transactionid",)),
)


@dataclass(slots=True)
class Happening:
    """A row, or the rows of a transaction."""

    time_ms: int
    visitor: str
    event: str
    items: list[str] = field(default_factory=list)
    order: str = ""


def read(paths: Sequence[Path], report: ReadReport) -> Iterator[ShopRecord]:
    """Yield a record for each view, cart add and transaction, by time; all are held in memory.

    Raises:
        InputFileError: a file is missing or not of this format.
    """
    found: list[Happening] = []
    orders: dict[tuple[str, str], Happening] = {}
    for path in paths:
        for number, cells in read_rows(path, LAYOUT, report):
            if not _take(cells, found, orders):
                report.skip(MALFORMED, path, number)
    found.sort(key=lambda happening: happening.time_ms)
    seen: Counter[str] = Counter()
    for happening in found:
        report.records += 1
        yield _record(happening, seen)


def _take(cells: Cells, found: list[Happening], orders: dict[tuple[str, str], Happening]) -> bool:
    """Add a row to what is found; return whether it can be used."""
    time_text, visitor, event, item, order = cells
    order = order.removesuffix(".0")
    if not (time_text.isdigit() and visitor and item and event in {"view", "addtocart", "transaction"}):
        return False
    time_ms = int(time_text)
    if event != "transaction":
        found.append(Happening(time_ms, visitor, event, [item]))
        return True
    if not order:
        return False
    happening = orders.get((visitor, order))
    if happening is None:
        happening = orders[visitor, order] = Happening(time_ms, visitor, event, order=order)
        found.append(happening)
    happening.time_ms = min(happening.time_ms, time_ms)
    happening.items.append(item)
    return True


def _record(happening: Happening, seen: Counter[str]) -> ShopRecord:
    visitor, event, time_ms, items = happening.visitor, happening.event, happening.time_ms, happening.items
    value: dict[str, Any] = {
        "event_id": numbered(f"retailrocket:{visitor}:{items[0]}:{event}:{time_ms}", seen),
        "customer_id": visitor,
        "occurred_at": time_ms,
    }
    if event == "transaction":
        topic = PURCHASES
        value["event_id"] = f"retailrocket:order:{happening.order}"
        value["order_id"] = happening.order
        value["items"] = [{"product_id": item, "quantity": 1} for item in items]
    elif event == "view":
        topic = VIEWS
        value["product_id"] = items[0]
    else:
        topic = CLICKS
        value |= {"action": "add_to_cart", "product_id": items[0]}
    return ShopRecord(topic, visitor.encode(), orjson.dumps(value), time_ms)
