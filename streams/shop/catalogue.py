"""What the simulated shop sells and the real order histories it is built around, both out of the extract."""

from __future__ import annotations

import itertools
import random
from bisect import bisect
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import orjson

from streams.shop.categories import category_of, range_of
from streams.shop.extract import EXTRACT
from streams.shop.online_retail import Invoice, Line, read_invoices
from streams.shop.record import ReadReport

SERVICES = "postage and fees"
"""Category of lines that nobody looks at in a shop."""


@dataclass(slots=True, frozen=True)
class Product:
    """One article."""

    product_id: str
    category: str | None
    brand: str | None
    price: float


@dataclass(slots=True)
class Order:
    """A real order or cancellation."""

    number: str
    time_ms: int
    """As recorded."""
    refund: bool
    total: float
    products: tuple[int, ...]
    """Positions in the catalogue of what can be looked at; without services."""
    lines: list[dict[str, Any]]
    """The lines in the input contract, without discounts."""
    items: orjson.Fragment
    """The same as JSON, for orders that are sent as they are."""

    def discounted(self, rate: float) -> tuple[float, list[dict[str, Any]]]:
        """Return (total, lines) with a share taken off each line, in whole pence."""
        lines = [
            {**line, "discount": round(line["quantity"] * line["unit_price"] * rate, 2)}
            for line in self.lines
        ]
        return round(self.total - sum(line["discount"] for line in lines), 3), lines


@dataclass(slots=True)
class History:
    """The orders of a real customer by time."""

    country: str
    orders: list[Order]
    purchases: int
    """Orders that are no cancellations."""
    average: float
    """Mean total of the purchases."""


@dataclass(slots=True)
class Catalogue:
    """The articles, each as popular as it was in the recorded orders."""

    products: list[Product] = field(default_factory=list)
    _weights: list[int] = field(default_factory=list)
    """Sums of order lines up to each product."""
    categories: dict[str, list[int]] = field(default_factory=dict)
    """Positions of the products of each category, most popular first."""

    def draw(self, rng: random.Random) -> int:
        """Return the position of a product, drawn by popularity."""
        return bisect(self._weights, rng.random() * self._weights[-1])

    def draw_in(self, category: str, rng: random.Random) -> int:
        """Return the position of a product of a category; the popular ones come more often."""
        positions = self.categories[category]
        return positions[int(len(positions) * rng.random() ** 2)]


@cache
def load() -> tuple[Catalogue, list[History]]:
    """Return the catalogue and the order histories of the extract; read once."""
    invoices = read_invoices([EXTRACT], ReadReport())
    counts: dict[str, int] = defaultdict(int)
    lines: dict[str, Line] = {}
    for line in itertools.chain.from_iterable(invoice.lines for invoice in invoices):
        counts[line.product_id] += 1
        lines.setdefault(line.product_id, line)
    sold = sorted(lines, key=lambda product_id: (-counts[product_id], product_id))
    products = {product_id: _product(lines[product_id]) for product_id in sold}
    shown = [product for product in products.values() if product.category != SERVICES]
    catalogue = Catalogue(shown, list(itertools.accumulate(counts[product.product_id] for product in shown)))
    for position, product in enumerate(shown):
        if product.category is not None:
            catalogue.categories.setdefault(product.category, []).append(position)
    where = {product.product_id: position for position, product in enumerate(shown)}
    own: dict[str, list[Invoice]] = defaultdict(list)
    for invoice in invoices:
        own[invoice.customer_id].append(invoice)
    return catalogue, [_history(own[customer], products, where) for customer in sorted(own)]


def _product(line: Line) -> Product:
    return Product(
        line.product_id, category_of(line.description), range_of(line.description), float(line.unit_price)
    )


def _history(invoices: list[Invoice], products: dict[str, Product], where: dict[str, int]) -> History:
    orders = [_order(invoice, products, where) for invoice in invoices]
    totals = [order.total for order in orders if not order.refund]
    average = sum(totals) / len(totals) if totals else 0.0
    return History(invoices[0].country, orders, len(totals), average)


def _order(invoice: Invoice, products: dict[str, Product], where: dict[str, int]) -> Order:
    lines = [_line(line, products[line.product_id]) for line in invoice.lines]
    return Order(
        invoice.number,
        invoice.time_ms,
        invoice.refund,
        float(invoice.total),
        tuple(dict.fromkeys(where[line.product_id] for line in invoice.lines if line.product_id in where)),
        lines,
        orjson.Fragment(orjson.dumps(lines)),
    )


def _line(line: Line, product: Product) -> dict[str, Any]:
    value: dict[str, Any] = {
        "product_id": line.product_id,
        "quantity": line.quantity,
        "unit_price": float(line.unit_price),
    }
    if product.category is not None:
        value["category"] = product.category
    if product.brand is not None:
        value["brand"] = product.brand
    return value
