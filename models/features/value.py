"""Features of value: RFM scores, whether a customer still orders, and what is to be expected of them."""

from __future__ import annotations

from models.features.view import Feature
from models.names import RFM_SEGMENT
from models.value import SEGMENTS

FAMILY = "value"


def value() -> list[Feature]:
    """Return the features of value; unknown until the first fit, and for who has never ordered."""
    return [*_rfm(), *_expected()]


def _rfm() -> list[Feature]:
    return [
        Feature(
            "rfm_r",
            "recency score",
            "1 (last order longest ago) to 5, a fifth of the buyers each; equal customers score equal.",
            "score",
            FAMILY,
            lambda v: v.valuation.rfm_r,
            "identity",
            exact="model",
            course="one way",
        ),
        Feature(
            "rfm_f",
            "frequency score",
            "1 to 5 (most orders), a fifth of the buyers each as far as equal numbers of orders allow.",
            "score",
            FAMILY,
            lambda v: v.valuation.rfm_f,
            "identity",
            exact="model",
        ),
        Feature(
            "rfm_m",
            "money score",
            "1 to 5 (most money net of refunds), a fifth of the buyers each.",
            "score",
            FAMILY,
            lambda v: v.valuation.rfm_m,
            "identity",
            exact="model",
        ),
        Feature(
            "rfm_segment",
            "RFM segment",
            f"By the scores of recency and frequency: {', '.join(SEGMENTS)}.",
            "name",
            FAMILY,
            lambda v: v.valuation.rfm_segment,
            "identity",
            exact="model",
            course="one way",
            namespace=RFM_SEGMENT,
        ),
    ]


def _expected() -> list[Feature]:
    return [
        Feature(
            "p_alive",
            "probability alive",
            "Probability that the customer still orders (BG/NBD); 1 after a single order.",
            "share",
            FAMILY,
            lambda v: v.valuation.p_alive,
            "identity",
            exact="model",
            course="one way",
        ),
        Feature(
            "expected_orders_90d",
            "expected orders (90 days)",
            "Expected number of orders in the next 90 days (BG/NBD).",
            "number",
            FAMILY,
            lambda v: v.valuation.expected_orders_90d,
            exact="model",
            course="one way",
        ),
        Feature(
            "expected_value_90d",
            "expected money (90 days)",
            "Expected money of the next 90 days, net of refunds (BG/NBD, Gamma-Gamma).",
            "money",
            FAMILY,
            lambda v: v.valuation.expected_value_90d,
            exact="model",
            course="one way",
        ),
    ]
