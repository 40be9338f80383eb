"""The tables of `python -m tests.quality`."""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from models.clusterer import Model
from models.events import F64, I64
from tests.clusterer_samples import adjusted_rand, partition_cost
from tests.quality.bounds import Bounds
from tests.quality.flapping import DAY_MS, flapping
from tests.quality.methods import METHODS, K, Method, Ours
from tests.quality.scenarios import AT_ONCE, NAMES, scenario
from tests.quality.scores import STEP, Score, Yardstick, score, yardstick
from tests.quality.shop import FILE, Shop, replayed
from tests.quality.speed import ours, river

FLAPPING, ASTRAY = 0.3, 0.15
Methods: TypeAlias = Mapping[str, Callable[[int], Method]]
LINE = "{:<22}{:>8}{:>8}{:>9}{:>10}{:>12}{:>14}"
HEAD = LINE.format("", "SSQ", "ARI", "churn", "clusters", "rows/s", "reproducible")
REPRODUCED_ROWS = 1200
HASH_SEEDS = ("0", "1234", "987654")
STAYS_DAYS = (1, 7, 30, 60, 90)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; return 0 when all bounds hold, else 1."""
    options = _options(arguments)
    if options.labels:
        print(" ".join(_digest(name) for name in METHODS))  # noqa: T201 - a command prints
        return 0
    bounds = Bounds()
    methods = {"ours": METHODS["ours"]} if options.ours else METHODS
    _show([*_speed(bounds), ""])
    _mixtures(options.rows, options.seed, methods, bounds)
    if FILE.is_file():
        _retail(options.thin, options.margin, methods, bounds)
    else:
        _show([f"Online Retail is not at {FILE}; name its folder with SHOP_DATA"])
    _show(["", *bounds.lines()])
    return int(not bounds.hold())


def _show(lines: Sequence[str]) -> None:
    print("\n".join(lines), flush=True)  # noqa: T201 - a command prints


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.quality", description=__doc__)
    parser.add_argument("--rows", type=int, default=12_000, help="rows of each mixture (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the mixtures (default %(default)s)")
    parser.add_argument(
        "--thin", type=int, default=30, help="learn every n-th row of Online Retail (default %(default)s)"
    )
    parser.add_argument("--margin", type=float, action="append", help="replay Online Retail at this too")
    parser.add_argument("--ours", action="store_true", help="leave River's clusterers out")
    parser.add_argument("--labels", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _speed(bounds: Bounds) -> list[str]:
    rows = [ours(1, 2000), ours(100, 40_000), ours(1000, 40_000), river()]
    base = rows[-1].both
    bounds.at_least("times River's KMeans, predict and learn, batch 100", rows[1].both / base, 40)
    bounds.at_least("rows/s of CPU, predict and learn, batch 1000", rows[2].both, 2_000_000)
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


def _mixtures(rows: int, seed: int, methods: Methods, bounds: Bounds) -> None:
    same = _reproducible()
    bounds.at_least("labels and bytes are the same for three hash seeds (1: yes)", same["ours"] == "yes", 1)
    _show(["Mixtures: 8 unequal groups, 12 features, 1 % noise; scored on the last quarter", ""])
    for name in NAMES:
        made = scenario(name, seed, rows)
        window = made.rows[-rows // 4 :]
        truth = made.group[-rows // 4 :]
        yard = yardstick(window)
        _show([f"{name}, {rows:,} rows", HEAD])
        found = {method: score(make(STEP), made.rows, truth, yard) for method, make in methods.items()}
        _show([_line(method, one, same[method]) for method, one in found.items()])
        _show([_batch(yard, truth), *_as_many_as_groups(name, made.rows, truth, window, bounds), ""])
        bounds.at_most(f"SSQ against batch k-means++, {name}", found["ours"].ssq, 1.01)
        if AT_ONCE[name] == K:
            bounds.at_least(f"ARI, {name}", found["ours"].ari, 0.99)
        if name == "stationary":
            bounds.at_most("id churn per version, stationary", found["ours"].churn, 0.001)


def _as_many_as_groups(name: str, rows: F64, truth: I64, window: F64, bounds: Bounds) -> list[str]:
    """Return the lines of as many segments as there are groups, where these are fewer than `K`.

    A segment too many has to split a group or to hold the noise, for batch k-means++ too: then the agreement
    with the truth (ARI) says nothing.
    """
    k = AT_ONCE[name]
    if k == K:
        return []
    yard = yardstick(window, k=k)
    found = score(Ours(STEP, k), rows, truth, yard)
    bounds.at_most(f"SSQ against batch k-means++, {name}, {k} segments", found.ssq, 1.01)
    bounds.at_least(f"ARI, {name}, {k} segments", found.ari, 0.99)
    return [
        f"with {k} segments, as there are {k} groups at any one time",
        _line("ours", found, ""),
        _batch(yard, truth),
    ]


def _retail(thin: int, margins: Sequence[float] | None, methods: Methods, bounds: Bounds) -> None:
    shop = replayed()
    rows = shop.learned[::thin]
    yard = yardstick(shop.customers)
    title = f"Online Retail: {len(rows):,} of {len(shop.learned):,} learned rows; scored on"
    _show([f"{title} all {len(shop.customers):,} customers at the end", HEAD])
    for method, make in methods.items():
        _show([_line(method, score(make(STEP), rows, None, yard), "")])
    _show([_batch(yard, None)])
    _show(["", *_product(shop.customers, shop.model, yard, bounds), "", *_names(shop.model), ""])
    _show(["Flapping: A→B→A within 5 events of a customer, per 100 events of customers with a segment"])
    for margin in (None, *(margins or ())):
        _show([_flaps(margin, shop if margin is None else replayed(margin))])
    found = flapping(shop.events, shop.entries)
    bounds.at_most("A→B→A within 5 events, per 100 events, Online Retail", found.per_100, FLAPPING)
    bounds.at_most("customers who are not in the nearest segment, Online Retail", shop.astray, ASTRAY)


def _product(customers: F64, model: Model, yard: Yardstick, bounds: Bounds) -> list[str]:
    """Return how the worker's own model, which learned all rows, does on the customers at the end."""
    own = yardstick(customers, model.scale.to_grid(customers))
    label = model.assign(customers)
    ratio = partition_cost(own.standard, label) / own.cost
    bounds.at_most("SSQ against batch k-means++, Online Retail, in the model's scale", ratio, 1.06)
    return [
        (
            f"the replay's model, version {model.version}, {model.rows:,} rows: SSQ "
            f"{ratio:.3f} in its own scale, "
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
        f"{shop.astray:.1%} not in the nearest segment, cost x{shop.cost_of_staying:.3f}; "
        f"with stays of at least: {stays}"
    )


def _line(name: str, found: Score, same: str) -> str:
    ari = "-" if np.isnan(found.ari) else f"{found.ari:.3f}"
    return LINE.format(
        name, f"{found.ssq:.3f}", ari, f"{found.churn:.1%}", found.clusters, f"{found.rate:,.0f}", same
    )


def _batch(yard: Yardstick, truth: I64 | None) -> str:
    """Return the line of batch k-means++ on the rows that are scored; truth -1 is left out."""
    ari = "-"
    if truth is not None:
        ari = f"{adjusted_rand(truth[truth >= 0], yard.label[truth >= 0]):.3f}"
    return LINE.format("batch k-means++", "1.000", ari, "-", len(np.unique(yard.label)), "-", "")


def _digest(name: str) -> str:
    """Return a digest of all that a method gives in this process: labels of new rows, and its bytes."""
    rows = scenario("stationary", 7, REPRODUCED_ROWS + 200).rows
    method = METHODS[name](300)
    method.learn(rows[:REPRODUCED_ROWS])
    label = method.predict(rows[REPRODUCED_ROWS:])
    return hashlib.sha256(label.tobytes() + method.written()).hexdigest()[:12]


def _reproducible() -> dict[str, str]:
    """Return for each method whether processes with other hash seeds give the same."""
    printed = [
        subprocess.run(
            [sys.executable, "-m", "tests.quality", "--labels"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        ).stdout.split()
        for seed in HASH_SEEDS
    ]
    said = zip(METHODS, *printed, strict=True)
    return {name: "yes" if len(set(digests)) == 1 else "no" for name, *digests in said}
