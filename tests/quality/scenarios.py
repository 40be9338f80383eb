"""Seeded streams with known groups: eight unequal ones in twelve features of mixed units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.events import F64, I64
from tests.clusterer_samples import SHARES

FEATURES = 12
NOISE = 0.01
"""Share of rows that belong to no group."""
NAMES = ("stationary", "gradual drift", "abrupt drift", "birth and death")
AT_ONCE = {name: len(SHARES) for name in NAMES} | {"birth and death": len(SHARES) - 1}
"""Groups that are there at any one time: when one is born, another one dies."""


@dataclass(frozen=True)
class Scenario:
    """Rows in the order they are learned, and the truth."""

    name: str
    rows: F64
    group: I64
    """(n,) the group of each row, -1 for noise."""


def scenario(name: str, seed: int, rows: int) -> Scenario:
    """Return a stream; the second half is the one that differs.

    Raises:
        ValueError: there is no such scenario.
    """
    if name not in NAMES:
        raise ValueError(f"{name!r} is none of {NAMES}")
    rng = np.random.default_rng([seed, NAMES.index(name)])
    centres = rng.normal(size=(len(SHARES), FEATURES)) * 2.0
    jump = rng.normal(size=(len(SHARES), FEATURES))
    jump *= 5.0 / np.linalg.norm(jump, axis=1)[:, None]
    time = np.arange(rows) / rows
    moved = {
        "stationary": np.zeros(rows),
        "gradual drift": time,
        "abrupt drift": (time >= 0.5) * 1.0,
        "birth and death": np.zeros(rows),
    }[name]
    group = rng.choice(len(SHARES), rows, p=SHARES)
    if name == "birth and death":
        group = np.where((time < 0.5) & (group == 3), 0, group)
        group = np.where((time >= 0.5) & (group == 2), 1, group)
    drifting = np.arange(len(SHARES)) < (len(SHARES) if name == "gradual drift" else 3)
    made = centres[group] + moved[:, None] * jump[group] * drifting[group][:, None] * 0.8
    made += rng.normal(size=made.shape) * rng.uniform(0.4, 0.9, (len(SHARES), 1))[group]
    noise = rng.random(rows) < NOISE
    made[noise] = rng.uniform(-6, 6, (int(noise.sum()), FEATURES))
    units = 10.0 ** rng.integers(-2, 3, FEATURES)
    return Scenario(name, made * units, np.where(noise, -1, group))
