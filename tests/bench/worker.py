"""A worker of the product with or without transactions: `python -m tests.bench.worker with|without`.

The product leaves them out on the embedded broker only; here it is told to on a real Kafka, as a
measure of what they cost. Settings come from the environment.
"""

from __future__ import annotations

import sys

from streams.app import Parts
from streams.settings import Settings, load_settings
from streams.worker import product_parts, run_worker

MODES = {"with": True, "without": False}


def main() -> int:
    """Run the worker until SIGTERM and return the exit code."""
    transactions = MODES[sys.argv[1]]

    def make_parts(settings: Settings, _able: bool) -> Parts:
        return product_parts(settings, transactions)

    return run_worker(load_settings(), supervise=False, make_parts=make_parts)


if __name__ == "__main__":
    sys.exit(main())
