"""Features of browsing, visits and engagement."""

from __future__ import annotations

from models.features.reading import Column
from models.features.view import Feature, Value, View, days_text, share, since, total, window
from models.profiles.layout import BROWSE_HALF_LIVES_D


def _trend(v: View) -> Column:
    short = v.browse_decay("views_half", 7) + v.browse_decay("clicks_half", 7)
    long = v.browse_decay("views_half", 90) + v.browse_decay("clicks_half", 90)
    return share(short, long)


def _browse_half(what: str, half_life_d: int, *, clustered: bool = False) -> Feature:
    return Feature(
        f"{what}_half{half_life_d}d",
        f"recent {what} (half-life {days_text(half_life_d)})",
        f"{what.capitalize()}, each counting half as much after {days_text(half_life_d)}.",
        "count",
        "browsing",
        lambda v: v.browse_decay(f"{what}_half", half_life_d),
        clustered=clustered,
        exact="decayed",
        course="one way",
    )


def _ring(ring: str, days: int) -> Value:
    return lambda v: v.days(ring, days)


def browsing() -> list[Feature]:
    """Return the features of browsing."""
    family = "browsing"
    windows = (1, 7, 30)
    return [
        total("views", "product views", "Product views ever.", family),
        total("clicks", "clicks", "Clicks ever.", family),
        total("searches", "searches", "Searches ever.", family),
        *(window(f"views_{d}d", "views_day", d, f"views ({days_text(d)})", family) for d in windows),
        *(window(f"clicks_{d}d", "clicks_day", d, f"clicks ({days_text(d)})", family) for d in windows),
        *(_browse_half("views", d, clustered=d == 30) for d in BROWSE_HALF_LIVES_D),
        *(_browse_half("clicks", d, clustered=d == 30) for d in BROWSE_HALF_LIVES_D),
        since("days_since_view", "last_view", "days since last view", family),
        since("days_since_click", "last_click", "days since last click", family),
    ]


def _visit(
    name: str,
    label: str,
    meaning: str,
    unit: str,
    value: Value,
    transform: str = "log1p",
    *,
    clustered: bool = False,
) -> Feature:
    return Feature(
        name, label, meaning, unit, "visits", value, transform, clustered=clustered, order_sensitive=True
    )


def visits() -> list[Feature]:
    """Return the features of visits."""
    return [*_visit_counts(), *_visit_shares()]


def _visit_counts() -> list[Feature]:
    return [
        _visit(
            "sessions_total",
            "sessions",
            "Visits ever.",
            "count",
            lambda v: v.number("sessions"),
            clustered=True,
        ),
        *(
            _visit(
                f"sessions_{d}d",
                f"sessions ({days_text(d)})",
                f"Visits begun in the last {days_text(d)}, today included.",
                "count",
                _ring("sessions_day", d),
            )
            for d in (1, 7, 30)
        ),
        _visit(
            "session_minutes",
            "minutes per session",
            "Mean length of a visit, first event to last.",
            "minutes",
            lambda v: share(v.number("session_ms") / 60_000, v.number("sessions")),
        ),
        _visit(
            "minutes_total",
            "minutes on products",
            "Time spent on product pages.",
            "minutes",
            lambda v: v.number("dwell_ms") / 60_000,
        ),
        _visit(
            "minutes_30d",
            "minutes on products (30 days)",
            "Time spent on product pages in the last 30 days, whole seconds per view.",
            "minutes",
            lambda v: v.days("dwell_day", 30) / 60,
        ),
    ]


def _visit_shares() -> list[Feature]:
    return [
        _visit(
            "views_per_session",
            "views per session",
            "Product views per visit.",
            "number",
            lambda v: share(v.number("views"), v.number("sessions")),
            clustered=True,
        ),
        _visit(
            "bounce_share",
            "bounce share",
            "Visits with a single event, as a share of all.",
            "share",
            lambda v: share(v.number("bounces"), v.number("sessions")),
            "identity",
            clustered=True,
        ),
        _visit(
            "conversion",
            "conversion",
            "Orders per visit.",
            "number",
            lambda v: share(v.number("orders"), v.number("sessions")),
            "identity",
        ),
    ]


def engagement() -> list[Feature]:
    """Return the features of engagement."""
    family = "engagement"
    return [
        since("days_known", "first_seen", "days since first event", family),
        since("days_since_seen", "last_seen", "days since last event", family),
        Feature(
            "trend",
            "engagement trend",
            "Recent activity against long: 7-day over 90-day half-life.",
            "share",
            family,
            _trend,
            "identity",
            clustered=True,
            exact="decayed",
            course="one way",
        ),
        Feature(
            "weekend_share",
            "weekend share",
            "Share of events on Saturdays and Sundays.",
            "share",
            family,
            lambda v: share(v.number("weekend"), _seen(v)),
            "identity",
        ),
        Feature(
            "evening_share",
            "evening share",
            "Share of events between 18:00 and midnight.",
            "share",
            family,
            lambda v: share(v.number("evening"), _seen(v)),
            "identity",
        ),
        total("ratings", "ratings", "Ratings and survey answers ever.", family),
        Feature(
            "rating_mean",
            "mean rating",
            "Mean of the ratings given, 0 to 10.",
            "number",
            family,
            lambda v: share(v.number("rating_sum") / 1000, v.number("ratings")),
            "identity",
        ),
    ]


def _seen(v: View) -> Column:
    return v.number("views") + v.number("clicks") + v.number("orders") + v.number("refunds")
