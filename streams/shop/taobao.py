"""Taobao UserBehavior: page views, cart adds, favourites and buys, nine days, no prices.

pv makes a product view, cart a click `add_to_cart`, fav a click `wishlist`, buy a purchase without price
whose order id is its event id. The category id is the category. The file is not in time order; records are,
and rows of the same second keep their order. An event id is the row itself
(`taobao:user:item:behaviour:second`), and a row that occurs again gets its number (`…#2`): repeated rows are
separate events, as publishers count them, and reading the same file twice gives the same ids.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from streams.records import CLICKS, PURCHASES, VIEWS
from streams.shop.record import ReadReport, ShopRecord
from streams.shop.tables import MALFORMED, Cells, Layout, read_rows

BEHAVIOURS = ("pv", "cart", "fav", "buy")
_ACTIONS = {"cart": "add_to_cart", "fav": "wishlist"}


def _looks_right(cells: Cells) -> bool:
    return cells[3] in BEHAVIOURS and cells[0].isdigit() and cells[4].lstrip("-").isdigit()


LAYOUT = Layout(
    format="taobao",
    columns=(
        ("user", "user_id"),
        ("item", "item_id"),
        ("category", "category_id"),
        ("behaviour", "behavior", "behavior_type"),
        ("seconds", "timestamp"),
    ),
    looks_right=_looks_right,
)


def read(paths: Sequence[Path], report: ReadReport) -> Iterator[ShopRecord]:
    """Yield a record for each usable row, by time; all rows are held in memory.

    Raises:
        InputFileError: a file is missing or not of this format.
    """
    rows: list[tuple[int, Cells]] = []
    for path in paths:
        for number, cells in read_rows(path, LAYOUT, report):
            if cells[0] and cells[1] and _looks_right(cells):
                rows.append((int(cells[4]), cells))
            else:
                report.skip(MALFORMED, path, number)
    rows.sort(key=lambda row: row[0])
    seen: Counter[str] = Counter()
    for second, cells in rows:
        report.records += 1
        yield _record(second, cells, seen)


def numbered(event_id: str, seen: Counter[str]) -> str:
    """Return the id of a row that may occur again: itself at first, later with #2, #3 and so on."""
    seen[event_id] += 1
    return event_id if seen[event_id] == 1 else f"{event_id}#{seen[event_id]}"


def _record(second: int, cells: Cells, seen: Counter[str]) -> ShopRecord:
    user, item, category, behaviour, _ = cells
    value: dict[str, Any] = {
        "event_id": numbered(f"taobao:{user}:{item}:{behaviour}:{second}", seen),
        "customer_id": user,
        "occurred_at": second * 1000,
    }
    topic = _MEANING[behaviour](value, item, category)
    return ShopRecord(topic, user.encode(), orjson.dumps(value), second * 1000)


def _view(value: dict[str, Any], item: str, category: str) -> int:
    value["product_id"] = item
    value["category"] = category
    return VIEWS


def _buy(value: dict[str, Any], item: str, category: str) -> int:
    value["order_id"] = value["event_id"]
    value["items"] = [{"product_id": item, "category": category, "quantity": 1}]
    return PURCHASES


def _click(action: str) -> Callable[[dict[str, Any], str, str], int]:
    def click(value: dict[str, Any], item: str, _category: str) -> int:
        value["action"] = action
        value["product_id"] = item
        return CLICKS

    return click


_MEANING = {"pv": _view, "buy": _buy} | {name: _click(action) for name, action in _ACTIONS.items()}
