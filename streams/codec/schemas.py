"""The values of the four input topics, version 1, as msgspec Structs.

An optional field that is null or an empty text is the same as one that is absent. Unknown fields are ignored.
Of a key that occurs twice in one object the last occurrence counts. Lengths of texts are counted in
characters.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

MAX_TEXT = 256
"""Most characters of an id, a category, a name: bounds what one record can make the worker remember."""
MAX_AMOUNT = 1e11
"""Largest price, discount or total, in units of a currency; in 1/10,000 below 2^50, so exact in a float."""
MAX_QUANTITY = 1_000_000
MAX_LINES = 1000
MAX_DWELL_S = 86_400
"""A page that was open for more than a day is a broken timer."""
MAX_TIME_MS = 253_402_300_799_999
"""End of the year 9999, the last that RFC 3339 can write."""

Id = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
Text = Annotated[str, Meta(max_length=MAX_TEXT)]
Time = Annotated[int, Meta(ge=-(2**62), le=MAX_TIME_MS)] | Annotated[str, Meta(max_length=64)]
Amount = Annotated[float, Meta(ge=0, le=MAX_AMOUNT)]
Quantity = Annotated[float, Meta(ge=1, le=MAX_QUANTITY, multiple_of=1)]
"""A whole number; written as 2 or 2.0."""


class Event(msgspec.Struct, gc=False, kw_only=True):
    """What all input records have in common."""

    event_id: Id
    customer_id: Id
    occurred_at: Time
    session_id: Text | None = None
    channel: Text | None = None
    device: Text | None = None
    country: Text | None = None


class Click(Event, gc=False, kw_only=True):
    """Value of a record of `clicks`."""

    action: Text | None = None
    campaign_id: Text | None = None
    offer_id: Text | None = None
    rating: Annotated[float, Meta(ge=0, le=10)] | None = None
    product_id: Text | None = None


class View(Event, gc=False, kw_only=True):
    """Value of a record of `product-views`."""

    product_id: Text | None = None
    category: Text | None = None
    brand: Text | None = None
    price: Amount | None = None
    dwell_seconds: Annotated[float, Meta(ge=0, le=MAX_DWELL_S)] | None = None


class Line(msgspec.Struct, gc=False, kw_only=True):
    """One line of an order; unit_price is for one piece, discount is an amount for the whole line."""

    product_id: Text | None = None
    category: Text | None = None
    brand: Text | None = None
    quantity: Quantity | None = None
    unit_price: Amount | None = None
    discount: Amount | None = None


class Purchase(Event, gc=False, kw_only=True):
    """Value of a record of `purchases`: an order, or a refund with a positive total."""

    order_id: Id
    kind: Literal["purchase", "refund"] | None = None
    campaign_id: Text | None = None
    offer_id: Text | None = None
    items: Annotated[list[Line], Meta(min_length=1, max_length=MAX_LINES)] | None = None
    currency: Text | None = None
    total: Amount | None = None


class CustomerAttributes(msgspec.Struct, gc=False, kw_only=True):
    """The attributes of a customer; what is absent stays as it was."""

    birth_year: Annotated[float, Meta(ge=1850, le=2200, multiple_of=1)] | None = None
    gender: Text | None = None
    country: Text | None = None
    city: Text | None = None
    loyalty_tier: Text | None = None
    consent_marketing: bool | None = None
    nps: Annotated[float, Meta(ge=0, le=10, multiple_of=1)] | None = None


class Customer(Event, gc=False, kw_only=True):
    """Value of a record of `customers`."""

    attributes: CustomerAttributes | None = None
    erase: bool | None = None


SCHEMAS: tuple[type[Click], type[View], type[Purchase], type[Customer]] = (Click, View, Purchase, Customer)
"""Schema of each topic, in the order of `streams.records.INPUT_TOPICS`."""
