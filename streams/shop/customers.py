"""The kinds of customers of the simulated shop: a table, and nothing else decides how they differ."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Anchor(Enum):
    """Where the real order history of a customer is put on the simulated span."""

    NONE = "no orders"
    ANYWHERE = "its first order at any time"
    DENSE = "its busiest stretch inside the span"
    EARLY_END = "its last order in the first third; then the customer falls silent"
    LATE_START = "its first order after the first third; nothing is known of the customer before"


class Rhythm(Enum):
    """When a customer is in the shop."""

    DAY = "working hours"
    EVENING = "evenings"
    WEEKEND = "weekends"


@dataclass(frozen=True)
class Kind:
    """One kind of customers; shares and probabilities from 0 to 1."""

    name: str
    text: str
    """What these customers do, in one sentence."""
    share: float
    """Of all customers; the shares of all kinds sum to 1."""
    anchor: Anchor = Anchor.DENSE
    orders: tuple[int, int] = (2, 6)
    """Purchases of the real history in the year, at least and at most."""
    average: float = 0.0
    """Least average order of the real history, in pounds."""
    visits: float = 1.0
    """Visits without an order, relative to other kinds."""
    views: float = 5.0
    """Mean product views of a visit."""
    dwell_s: float = 25.0
    """Mean seconds on a product."""
    search: float = 0.35
    """Probability that a visit starts with a search."""
    campaign: float = 0.05
    """Probability that a visit starts with a click on a campaign, and that an order carries it."""
    offer: float = 0.05
    """Probability of a click on an offer in a visit."""
    cart: float = 0.06
    """Probability that a viewed product is put into the cart in a visit without an order."""
    wish: float = 0.03
    """Probability that a viewed product goes onto the wish list."""
    coupon: float = 0.04
    """Probability that an order uses a coupon."""
    discount: float = 0.05
    """Probability that an order is discounted."""
    fan: float = 0.3
    """Probability that a viewed product is of the customer's favourite category."""
    channels: tuple[float, float, float] = (0.80, 0.18, 0.02)
    """Weights of web, app and store."""
    devices: tuple[float, float, float] = (0.45, 0.45, 0.10)
    """Weights of mobile, desktop and tablet as the customer's main device."""
    rhythm: Rhythm = Rhythm.DAY
    known: float = 1.0
    """Probability that the shop knows attributes of the customer."""
    consent: float = 0.6
    """Probability of consent to marketing."""
    mood: float = 8.0
    """Mean of ratings and survey answers, 0 to 10."""


KINDS: tuple[Kind, ...] = (
    Kind(
        "passer-by",
        "Comes once or twice from a search, looks at one product and leaves.",
        share=0.10,
        anchor=Anchor.NONE,
        visits=0.25,
        views=1.2,
        dwell_s=9,
        search=0.6,
        cart=0.01,
        wish=0.0,
        known=0.1,
        consent=0.2,
        devices=(0.7, 0.25, 0.05),
    ),
    Kind(
        "window shopper",
        "Looks at many products, often and for long, and never buys.",
        share=0.13,
        anchor=Anchor.NONE,
        visits=1.6,
        views=9,
        dwell_s=35,
        cart=0.01,
        wish=0.08,
        rhythm=Rhythm.EVENING,
        known=0.4,
        devices=(0.6, 0.2, 0.2),
    ),
    Kind(
        "cart abandoner",
        "Fills the cart, takes things out again, and leaves without an order.",
        share=0.07,
        anchor=Anchor.NONE,
        visits=1.1,
        views=5,
        cart=0.4,
        offer=0.12,
        rhythm=Rhythm.EVENING,
        known=0.6,
        mood=6,
    ),
    Kind(
        "one-time buyer",
        "Orders once and is seldom seen before or after.",
        share=0.10,
        anchor=Anchor.ANYWHERE,
        orders=(1, 1),
        visits=0.35,
        views=4,
        mood=7,
    ),
    Kind(
        "newcomer",
        "Appears in the course of the simulation, looks around a lot, and starts to order.",
        share=0.10,
        anchor=Anchor.LATE_START,
        orders=(1, 4),
        visits=1.6,
        views=6,
        search=0.5,
        coupon=0.3,
        discount=0.3,
        consent=0.8,
        devices=(0.7, 0.25, 0.05),
    ),
    Kind(
        "regular",
        "Orders a few times a year, with a visit now and then.",
        share=0.08,
        orders=(2, 4),
        visits=0.8,
    ),
    Kind(
        "loyal customer",
        "Orders again and again, knows what to look for, rates what was bought.",
        share=0.08,
        orders=(7, 99),
        visits=1.5,
        views=5,
        search=0.5,
        campaign=0.08,
        channels=(0.5, 0.45, 0.05),
        consent=0.9,
        mood=9,
    ),
    Kind(
        "big spender",
        "Places few and large orders in working hours from a desktop.",
        share=0.05,
        orders=(1, 99),
        average=450,
        visits=0.9,
        views=7,
        search=0.6,
        devices=(0.05, 0.9, 0.05),
        consent=0.5,
        mood=8.5,
    ),
    Kind(
        "lapsing customer",
        "Was here often, orders for the last time early in the simulation, then comes less and less.",
        share=0.07,
        anchor=Anchor.EARLY_END,
        orders=(2, 99),
        visits=1.2,
        mood=5,
    ),
    Kind(
        "lapsing big spender",
        "Places large orders early in the simulation, then falls silent.",
        share=0.03,
        anchor=Anchor.EARLY_END,
        orders=(1, 99),
        average=400,
        visits=1.2,
        views=7,
        devices=(0.05, 0.9, 0.05),
        mood=4,
    ),
    Kind(
        "deal seeker",
        "Comes for offers, buys with coupons and at a discount.",
        share=0.06,
        visits=1.3,
        views=6,
        campaign=0.2,
        offer=0.6,
        cart=0.15,
        coupon=0.75,
        discount=0.85,
        rhythm=Rhythm.WEEKEND,
        consent=0.9,
        mood=7,
    ),
    Kind(
        "campaign responder",
        "Comes when a campaign calls and orders out of it.",
        share=0.05,
        visits=0.9,
        campaign=0.8,
        coupon=0.2,
        consent=1.0,
    ),
    Kind(
        "category fan",
        "Looks at one category nearly always.",
        share=0.04,
        visits=1.2,
        views=7,
        fan=0.92,
        wish=0.1,
        rhythm=Rhythm.EVENING,
    ),
    Kind(
        "cross-channel shopper",
        "Changes between web, app and store from visit to visit.",
        share=0.04,
        visits=1.1,
        channels=(0.4, 0.35, 0.25),
        devices=(0.5, 0.3, 0.2),
        rhythm=Rhythm.WEEKEND,
    ),
)
"""All kinds of customers; shares sum to 1."""
