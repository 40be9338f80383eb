"""What customers are worth: RFM scores, probability alive, expected orders and money.

Pure functions of order histories (`OrderHistory`: how many orders, the first, the last, the money, as of
when) and of a `ValueModel`, which `fit` makes from a `ValueSample` of the population. The sample is kept by
the hash of the customer, so that the parts of any number of workers add up to the same one. Nothing here
knows rows, topics or files: who calls it takes the columns from `models.profiles` and keeps the bytes.
"""

from __future__ import annotations

from models.value.bgnbd import BgNbd, fit_bgnbd
from models.value.gamma_gamma import GammaGamma, fit_gamma_gamma
from models.value.history import OrderHistory
from models.value.layout import ValueFormatError
from models.value.model import MIN_CUSTOMERS, MIN_REPEATERS, ValueModel, fit
from models.value.rfm import SEGMENTS, RfmCuts, batch_scores, cut_points, scores, segments
from models.value.sample import SAMPLE_LIMIT, ValueSample
from models.value.valuation import HORIZON_DAYS, Valuation, prepare

__all__ = [
    "HORIZON_DAYS",
    "MIN_CUSTOMERS",
    "MIN_REPEATERS",
    "SAMPLE_LIMIT",
    "SEGMENTS",
    "BgNbd",
    "GammaGamma",
    "OrderHistory",
    "RfmCuts",
    "Valuation",
    "ValueFormatError",
    "ValueModel",
    "ValueSample",
    "batch_scores",
    "cut_points",
    "fit",
    "fit_bgnbd",
    "fit_gamma_gamma",
    "prepare",
    "scores",
    "segments",
]
