"""The product's insides of a worker: engine, merger, telemetry and pages."""

from __future__ import annotations

from streams.app import Parts
from streams.clock import SystemClock
from streams.settings import Settings
from streams.telemetry import Telemetry
from streams.wiring import make_engine, make_merging


def make_parts(settings: Settings, transactions: bool) -> Parts:
    """Return what a worker of this deployment is made of.

    Args:
        settings: the deployment.
        transactions: whether the broker has them.

    Raises:
        UsageError: a setting does not fit.
    """
    telemetry = Telemetry()
    engine = make_engine(settings, SystemClock(), exactly_once=transactions)
    return Parts(engine=engine, merger=make_merging(settings), telemetry=telemetry, transactions=transactions)
