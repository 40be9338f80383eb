"""Names of segments: an archetype where one fits, else what stands out; sticky for each number."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.optimize import linear_sum_assignment

from models.clusterer.archetypes import ARCHETYPES, PHRASES
from models.events import F64, I64

FITS = 0.6
"""Cosine from which an archetype gives its name."""
HOLDS = 0.3
"""Cosine down to which a segment keeps the name it has."""
LEANS = 0.1
"""Distance from the average customer that each main feature of a held name keeps, in standard deviations."""
MAIN = 0.99
"""Share of the largest part of a direction that makes a feature a main one."""
STANDS_OUT = 0.25
"""Distance from the average customer, in standard deviations, from which a feature is worth mentioning."""
NAME_PHRASES = 2
TEXT_PHRASES = 4
AVERAGE = "Average customers"
_TEXTS = {one.name: one.text for one in ARCHETYPES}


def label(
    features: tuple[str, ...], profiles: F64, numbers: I64, held: Mapping[int, str]
) -> list[tuple[str, str]]:
    """Return (name, description) of each segment; the names are unique.

    Args:
        features: (d,) names.
        profiles: (k, d) centres less the average customer, in standard deviations.
        numbers: (k,) segment numbers.
        held: Number to the name it had in the version before. It is kept unless the segment has turned away
            from what the name says.
    """
    names = [
        _kept(features, row, held.get(int(number))) for row, number in zip(profiles, numbers, strict=True)
    ]
    open_places = [place for place, name in enumerate(names) if name is None]
    names = _with_archetypes(features, profiles, names, open_places)
    taken = {name for name in names if name is not None}
    result = []
    for place, name in enumerate(names):
        final = (
            name if name is not None else _descriptive(features, profiles[place], int(numbers[place]), taken)
        )
        taken.add(final)
        result.append((final, _description(features, profiles[place], final)))
    return result


def direction(features: tuple[str, ...], name: str) -> F64:
    """Return the direction (d,) that a name speaks of, as a unit vector; zeros when it speaks of none.

    So does an archetype whose main features are not all there: without views nobody is a window shopper.
    """
    pattern = np.zeros(len(features))
    archetype = next((one for one in ARCHETYPES if one.name == name), None)
    if archetype is not None:
        if _main_features(archetype.pattern) <= set(features):
            pattern = np.array(
                [archetype.pattern.get(feature, 0.0) for feature in features], dtype=np.float64
            )
    else:
        said = set(name.split(" (b-", maxsplit=1)[0].lower().split(", "))
        for place, feature in enumerate(features):
            low, high = _phrases(feature)
            pattern[place] = (high.lower() in said) * 1.0 - (low.lower() in said) * 1.0
    length = float(np.sqrt((pattern * pattern).sum()))
    return pattern / length if length > 0 else pattern


def _kept(features: tuple[str, ...], profile: F64, name: str | None) -> str | None:
    return name if name is not None and _fit(profile, direction(features, name), LEANS) >= HOLDS else None


def _main_features(pattern: Mapping[str, float]) -> set[str]:
    most = MAIN * max(abs(part) for part in pattern.values())
    return {feature for feature, part in pattern.items() if abs(part) >= most}


def _fit(profile: F64, unit: F64, leaning: float) -> float:
    """Return the cosine, 0 when a main feature of `unit` does not lean that way by `leaning`."""
    main = np.abs(unit) >= MAIN * np.abs(unit).max()
    if (profile[main] * np.sign(unit[main]) < leaning).any():
        return 0.0
    return _cosine(profile, unit)


def _cosine(profile: F64, unit: F64) -> float:
    length = float(np.sqrt((profile * profile).sum()))
    return float((profile * unit).sum()) / length if length > 0 else 0.0


def _with_archetypes(
    features: tuple[str, ...], profiles: F64, names: list[str | None], open_places: list[int]
) -> list[str | None]:
    free = [one.name for one in ARCHETYPES if one.name not in names]
    if not free or not open_places:
        return names
    units = [direction(features, name) for name in free]
    fit = np.array([[_fit(profiles[place], unit, STANDS_OUT) for unit in units] for place in open_places])
    fit[fit < FITS] = 0.0
    result = list(names)
    for row, column in zip(*linear_sum_assignment(-fit), strict=True):
        if fit[row, column] > 0:
            result[open_places[row]] = free[column]
    return result


def _standing_out(features: tuple[str, ...], profile: F64) -> list[str]:
    order = np.argsort(-np.abs(profile), kind="stable")
    return [_phrases(features[i])[int(profile[i] > 0)] for i in order if abs(profile[i]) >= STANDS_OUT]


def _descriptive(features: tuple[str, ...], profile: F64, number: int, taken: set[str]) -> str:
    phrases = _standing_out(features, profile)
    for length in range(NAME_PHRASES, max(NAME_PHRASES, len(phrases)) + 1):
        name = _sentence(phrases[:length]) or AVERAGE
        if name not in taken and length <= NAME_PHRASES + 1:
            return name
    return f"{_sentence(phrases[:NAME_PHRASES]) or AVERAGE} (b-{number})"


def _description(features: tuple[str, ...], profile: F64, name: str) -> str:
    phrases = _standing_out(features, profile)[:TEXT_PHRASES]
    compared = (
        f"Against the average customer: {', '.join(phrases)}."
        if phrases
        else "Close to the average customer."
    )
    return f"{_TEXTS[name]} {compared}" if name in _TEXTS else compared


def _sentence(phrases: list[str]) -> str:
    text = ", ".join(phrases)
    return text[:1].upper() + text[1:]


def _phrases(feature: str) -> tuple[str, str]:
    words = feature.replace("_", " ")
    return PHRASES.get(feature, (f"low {words}", f"high {words}"))
