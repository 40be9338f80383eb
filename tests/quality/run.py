"""The tables of `python -m tests.quality`."""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence

import numpy as np

from models.clusterer import Model
from models.events import F64
from tests.clusterer_samples import adjusted_rand, partition_cost
from tests.quality.flapping import DAY_MS, flapping
from tests.quality.methods import METHODS
from tests.quality.scenarios import NAMES, scenario
from tests.quality.scores import Score, Yardstick, score, yardstick
from tests.quality.shop import FILE, Shop, replayed
from tests.quality.speed import ours, river

LINE = "{:<22}{:>8}{:>8}{:>9}{:>10}{:>12}{:>14}"
HEAD = LINE.format("", "SSQ", "ARI", "churn", "clusters", "rows/s", "reproducible")
REPRODUCED_ROWS = 1200
HASH_SEEDS = ("0", "1234")
STAYS_DAYS = (1, 7, 30, 60, 90)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables and return 0."""
    options = _options(arguments)
    if options.labels:
        print(" ".join(_digest(name) for name in METHODS))  # noqa: T201 - a command prints
        return 0
    _show([*_speed(), ""])
    _mixtures(options.rows, options.seed)
    if FILE.is_file():
        _retail(options.thin, options.margin)
    else:
        _show([f"Online Retail is not at {FILE}; name its folder with SHOP_DATA"])
    return 0


def _show(lines: Sequence[str]) -> None:
    print("\n".join(lines), flush=True)  # noqa: T201 - a command prints


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.quality", description=__doc__)
    parser.add_argument("--rows", type=int, default=6000, help="rows of each mixture (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the mixtures (default %(default)s)")
    parser.add_argument(
        "--thin", type=int, default=30, help="learn every n-th row of Online Retail (default %(default)s)"
    )
    parser.add_argument("--margin", type=float, action="append", help="replay Online Retail at this too")
    parser.add_argument("--labels", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _speed() -> list[str]:
    rows = [ours(1, 2000), ours(100, 40_000), ours(1000, 40_000), river()]
    base = rows[-1].both
    line = "{:<22}{:>12}{:>12}{:>14}{:>14}"
    return [
        "Speed: rows per second of CPU, 12 features, 8 clusters",
        line.format("", "learn", "predict", "both in turn", "x River"),
        *(
            line.format(
                r.name, f"{r.learn:,.0f}", f"{r.predict:,.0f}", f"{r.both:,.0f}", f"{r.both / base:.0f}"
            )
            for r in rows
        ),
    ]


def _mixtures(rows: int, seed: int) -> None:
    same = _reproducible()
    _show(["Mixtures: 8 unequal groups, 12 features, 1 % noise; scored on the last quarter", ""])
    for name in NAMES:
        made = scenario(name, seed, rows)
        window = made.rows[-rows // 4 :]
        truth = made.group[-rows // 4 :]
        yard = yardstick(window)
        _show([f"{name}, {rows:,} rows", HEAD])
        for method, make in METHODS.items():
            _show([_line(method, score(make(rows // 12), made.rows, truth, yard), same[method])])
        _show([_batch(yard, truth, truth >= 0), ""])


def _retail(thin: int, margins: Sequence[float] | None) -> None:
    shop = replayed()
    rows = shop.learned[::thin]
    yard = yardstick(shop.customers)
    title = f"Online Retail: {len(rows):,} of {len(shop.learned):,} learned rows; scored on"
    _show([f"{title} all {len(shop.customers):,} customers at the end", HEAD])
    for method, make in METHODS.items():
        _show([_line(method, score(make(1000), rows, None, yard), "")])
    _show(["", *_product(shop.customers, shop.model, yard), "", *_names(shop.model), ""])
    _show(["Flapping: A→B→A within 5 events of a customer, per 100 events of customers with a segment"])
    for margin in (None, *(margins or ())):
        _show([_flaps(margin, shop if margin is None else replayed(margin))])


def _product(customers: F64, model: Model, yard: Yardstick) -> list[str]:
    """Return how the worker's own model, which learned all rows, does on the customers at the end."""
    own = yardstick(customers, model.scale.to_grid(customers))
    label = model.assign(customers)
    return [
        (
            f"the replay's model, version {model.version}, {model.rows:,} rows: SSQ "
            f"{partition_cost(own.standard, label) / own.cost:.3f} in its own scale, "
            f"{partition_cost(yard.standard, label) / yard.cost:.3f} in that of the customers at the end"
        )
    ]


def _names(model: Model) -> list[str]:
    return [f"  {one.id:<6}{one.share:>6.1%}  {one.name}: {one.description}" for one in model.segments]


def _flaps(margin: float | None, shop: Shop) -> str:
    found = flapping(shop.events, shop.entries)
    stays = ", ".join(f"{found.per_100_of_stays(days * DAY_MS):.2f} ({days} d)" for days in STAYS_DAYS)
    return (
        f"  margin {'of the settings' if margin is None else margin}: {found.per_100:.2f}, by events alone "
        f"{found.per_100_by_events():.2f}; {found.events:,} events, {found.moves:,} moves; "
        f"with stays of at least: {stays}"
    )


def _line(name: str, found: Score, same: str) -> str:
    ari = "-" if np.isnan(found.ari) else f"{found.ari:.3f}"
    return LINE.format(
        name, f"{found.ssq:.3f}", ari, f"{found.churn:.1%}", found.clusters, f"{found.rate:,.0f}", same
    )


def _batch(yard: Yardstick, truth: np.ndarray, known: np.ndarray) -> str:
    ari = adjusted_rand(truth[known], yard.label[known])
    return LINE.format("batch k-means++", "1.000", f"{ari:.3f}", "-", len(np.unique(yard.label)), "-", "")


def _digest(name: str) -> str:
    """Return a digest of the labels that a method gives in this process."""
    rows = scenario("stationary", 7, REPRODUCED_ROWS + 200).rows
    method = METHODS[name](300)
    method.learn(rows[:REPRODUCED_ROWS])
    return hashlib.sha256(method.predict(rows[REPRODUCED_ROWS:]).tobytes()).hexdigest()[:12]


def _reproducible() -> dict[str, str]:
    """Return for each method whether two processes with other hash seeds give the same labels."""
    printed = [
        subprocess.run(
            [sys.executable, "-m", "tests.quality", "--labels"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout.split()
        for seed in HASH_SEEDS
    ]
    return {name: "yes" if a == b else "no" for name, a, b in zip(METHODS, *printed, strict=True)}
