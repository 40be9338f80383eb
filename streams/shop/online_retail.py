"""Online Retail (UCI 352) and Online Retail II (UCI 502): invoice lines of a UK gift shop.

One purchase for each invoice, with its lines; an invoice whose number starts with C is a cancellation and
makes a refund with a positive total, at its own time. An invoice is known by its number and customer; its
time is that of its earliest line (31 published invoices spread over two minutes). Times carry no zone and are
taken as UTC. Exact duplicates of a line stay: the published gross figure counts them. Left out, and counted
by reason in this order: malformed rows, A… invoices (bad debt), lines without customer, quantity ≤ 0 outside
a C invoice (or ≥ 0 inside), price ≤ 0. The two sheets of Online Retail II overlap by nine days: an invoice
that an earlier file had is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path

import orjson

from streams.records import PURCHASES
from streams.shop.categories import category_of
from streams.shop.record import ReadReport, ShopRecord
from streams.shop.tables import MALFORMED, Layout, read_rows

LAYOUT = Layout(
    format="online-retail",
    columns=(
        ("InvoiceNo", "Invoice"),
        ("StockCode",),
        ("Description",),
        ("Quantity",),
        ("InvoiceDate",),
        ("UnitPrice", "Price"),
        ("CustomerID", "Customer ID"),
        ("Country",),
    ),
)
CURRENCY = "GBP"
MAX_LINES = 1000
"""Lines that a purchase may carry; further ones count in the total only (published: at most 542)."""
BAD_DEBT = "bad debt adjustment"
NO_CUSTOMER = "no customer"
WRONG_QUANTITY = "quantity not positive"
WRONG_REFUND = "refunded quantity not negative"
WRONG_PRICE = "price not positive"
REPEATED = "invoice of an earlier file"

_DATE_FORMATS = ("%m/%d/%Y %H:%M", "%m/%d/%y %H:%M")
"""What spreadsheet exports make of the date; everything else is read as ISO 8601."""


@dataclass(slots=True)
class Line:
    """One line of an invoice."""

    product_id: str
    description: str
    quantity: int
    """Positive, also on a refund."""
    unit_price: Decimal


@dataclass(slots=True)
class Invoice:
    """All lines of an invoice of a customer."""

    number: str
    customer_id: str
    country: str
    time_ms: int
    refund: bool
    source: int
    """Index of the file that it is from."""
    lines: list[Line] = field(default_factory=list)

    @property
    def total(self) -> Decimal:
        """Return the exact sum of the lines."""
        return sum((line.quantity * line.unit_price for line in self.lines), Decimal(0))


def read(paths: Sequence[Path], report: ReadReport) -> Iterator[ShopRecord]:
    """Yield a record for each invoice of the files, by time; all invoices are held in memory.

    Raises:
        InputFileError: a file is missing or not of this format.
    """
    for invoice in read_invoices(paths, report):
        report.records += 1
        yield to_record(invoice)


def read_invoices(paths: Sequence[Path], report: ReadReport) -> list[Invoice]:
    """Return the invoices of the files by time, those of the same minute in the order of the files.

    Raises:
        InputFileError: a file is missing or not of this format.
    """
    invoices: dict[tuple[str, str], Invoice] = {}
    for source, path in enumerate(paths):
        for number, cells in read_rows(path, LAYOUT, report):
            reason = _take(cells, source, invoices)
            if reason is not None:
                report.skip(reason, path, number)
    return sorted(invoices.values(), key=lambda invoice: invoice.time_ms)


def to_record(invoice: Invoice) -> ShopRecord:
    """Return the purchase or refund that an invoice is.

    Numbers are written as the nearest double, whose shortest text is the exact decimal up to 15 digits.
    """
    value = {
        "event_id": f"online-retail:{invoice.number}:{invoice.customer_id}",
        "customer_id": invoice.customer_id,
        "occurred_at": invoice.time_ms,
        "order_id": invoice.number,
        "kind": "refund" if invoice.refund else "purchase",
        "country": invoice.country,
        "currency": CURRENCY,
        "total": float(invoice.total),
        "items": [_item(line) for line in invoice.lines[:MAX_LINES]],
    }
    return ShopRecord(PURCHASES, invoice.customer_id.encode(), orjson.dumps(value), invoice.time_ms)


def _item(line: Line) -> dict[str, str | int | float]:
    item: dict[str, str | int | float] = {
        "product_id": line.product_id,
        "quantity": line.quantity,
        "unit_price": float(line.unit_price),
    }
    category = category_of(line.description)
    if category is not None:
        item["category"] = category
    return item


def _take(cells: Sequence[str], source: int, invoices: dict[tuple[str, str], Invoice]) -> str | None:
    """Add a row to its invoice, or return the reason why it is left out."""
    number, product, description, quantity_text, date, price_text, customer, country = cells
    try:
        quantity, price, time_ms = int(quantity_text), _price(price_text), _time_ms(date)
    except (ValueError, InvalidOperation):
        return MALFORMED
    refund = number[:1] in {"C", "c"}
    reason = _unusable(number, customer, quantity, price, refund=refund)
    if reason is not None:
        return reason
    customer = customer.removesuffix(".0")
    invoice = invoices.get((number, customer))
    if invoice is None:
        invoice = invoices[number, customer] = Invoice(number, customer, country, time_ms, refund, source)
    elif invoice.source != source:
        return REPEATED
    invoice.time_ms = min(invoice.time_ms, time_ms)
    invoice.lines.append(Line(product, description.strip(), abs(quantity), price))
    return None


def _unusable(number: str, customer: str, quantity: int, price: Decimal, *, refund: bool) -> str | None:
    if not number:
        return MALFORMED
    if number[0] in {"A", "a"}:
        return BAD_DEBT
    if not customer:
        return NO_CUSTOMER
    if refund and quantity >= 0:
        return WRONG_REFUND
    if not refund and quantity <= 0:
        return WRONG_QUANTITY
    return None if price > 0 else WRONG_PRICE


@lru_cache(maxsize=1 << 16)
def _price(text: str) -> Decimal:
    price = Decimal(text)
    if not price.is_finite():
        raise ValueError(text)
    return price


@lru_cache(maxsize=1 << 12)
def _time_ms(text: str) -> int:
    if "/" not in text:
        moment = datetime.fromisoformat(text)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    for form in _DATE_FORMATS:
        try:
            return int(datetime.strptime(text, form).replace(tzinfo=UTC).timestamp() * 1000)
        except ValueError:
            continue
    raise ValueError(text)
