"""Features of the funnel, offers, interests, channels and attributes."""

from __future__ import annotations

import numpy as np

from models.features.reading import Column
from models.features.view import Feature, Value, View, share, total, window


def _discount_share(v: View) -> Column:
    discount = v.number("money_discounted")
    return share(discount, discount + v.number("money_gross"))


def _cart_open(v: View) -> Column:
    added = v.whole("last_cart_add")
    return ((added > 0) & (added > v.whole("last_order"))).astype(np.float64)


def _diversity(v: View) -> Column:
    """Gini-Simpson index 1 - sum p^2 over the slots (Simpson 1949)."""
    total, squares = v.weights("category_weight")
    return 1.0 - share(squares, total * total)


def _age(v: View) -> Column:
    birth = v.attribute("birth_year")
    year = (v.calendar.local(v.now).astype("datetime64[ms]").astype("datetime64[Y]")).astype(np.int64) + 1970
    return year - birth


def _top_share(what: str) -> Value:
    return lambda v: share(v.heaviest(f"{what}_weight"), v.number(f"{what}_total"))


def _name(name: str, label: str, family: str, namespace: str, slots: str, weights: str) -> Feature:
    meaning = f"The customer's {label}."
    return Feature(
        name,
        label,
        meaning,
        "name",
        family,
        lambda v: v.top(slots, weights),
        "identity",
        exact="bounded",
        namespace=namespace,
    )


def _attribute(name: str, label: str, unit: str, namespace: str | None = None) -> Feature:
    meaning = f"{label.capitalize()}, as last told by the shop."
    return Feature(
        name,
        label,
        meaning,
        unit,
        "attributes",
        lambda v: v.attribute(name),
        "identity",
        namespace=namespace,
    )


def funnel() -> list[Feature]:
    """Return the features of the funnel and of offers."""
    family = "funnel and offers"
    return [
        total("cart_adds", "cart adds", "Products put into the cart ever.", family, clustered=True),
        total("cart_removes", "cart removals", "Products taken out of the cart ever.", family),
        total("wishlists", "wishlist adds", "Products put on the wish list ever.", family),
        window("cart_adds_30d", "carts_day", 30, "cart adds (30 days)", family),
        Feature(
            "cart_open",
            "open cart",
            "1 when something was put into the cart after the last order.",
            "flag",
            family,
            _cart_open,
            "identity",
        ),
        Feature(
            "coupon_share",
            "coupon share",
            "Orders with a coupon, as a share of all.",
            "share",
            family,
            lambda v: share(v.number("coupon_orders"), v.number("orders")),
            "identity",
            clustered=True,
        ),
        Feature(
            "discount_share",
            "discount share",
            "Discounts as a share of the undiscounted value.",
            "share",
            family,
            _discount_share,
            "identity",
        ),
        total("offer_clicks", "offer clicks", "Clicks on offers ever.", family),
        total("campaign_clicks", "campaign clicks", "Clicks on campaigns ever.", family, clustered=True),
        window("campaign_clicks_30d", "campaigns_day", 30, "campaign clicks (30 days)", family),
        total("campaign_orders", "campaign orders", "Orders that came from a campaign, ever.", family),
        Feature(
            "campaign_orders_90d",
            "campaign orders (90 days)",
            "Orders that came from a campaign in the last 90 days.",
            "count",
            family,
            lambda v: v.order_days("order_campaigns", 90),
        ),
    ]


def interests() -> list[Feature]:
    """Return the features of interests, channels and devices."""
    family = "interests and channels"
    found: list[Feature] = []
    for what in ("category", "brand"):
        found.append(
            _name(f"top_{what}", f"favourite {what}", family, what, what, f"{what}_weight"),
        )
        found.append(
            Feature(
                f"top_{what}_share",
                f"share of favourite {what}",
                f"Weight of the favourite {what} among all: a view 1, an order line 3, halved after 90 days.",
                "share",
                family,
                _top_share(what),
                "identity",
                exact="bounded",
            )
        )
    return [
        *found,
        Feature(
            "category_diversity",
            "diversity of categories",
            "1 - sum of squared shares over the categories kept.",
            "share",
            family,
            _diversity,
            "identity",
            clustered=True,
            exact="bounded",
        ),
        _name("channel_main", "main channel", family, "channel", "channel", "channel_count"),
        Feature(
            "channels",
            "channels used",
            "Number of channels used, at most 4.",
            "count",
            family,
            lambda v: v.used("channel"),
            "identity",
        ),
        _name("device_main", "main device", family, "device", "device", "device_count"),
    ]


def attributes() -> list[Feature]:
    """Return the features of attributes."""
    return [
        Feature("age", "age", "Years, from the year of birth.", "years", "attributes", _age, "identity"),
        _attribute("gender", "gender", "name", "gender"),
        _attribute("country", "country", "name", "country"),
        _attribute("city", "city", "name", "city"),
        _attribute("loyalty_tier", "loyalty tier", "name", "loyalty_tier"),
        _attribute("consent_marketing", "marketing consent", "flag"),
        _attribute("nps", "survey score (NPS)", "number"),
    ]
