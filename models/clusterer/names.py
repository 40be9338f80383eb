"""Names of segments: an archetype where one fits, else what stands out; sticky for each number."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from scipy.optimize import linear_sum_assignment

from models.clusterer.archetypes import ALIKE, ARCHETYPES, NEEDS_MANY, PHRASES, TOLD_BY, Archetype
from models.clusterer.rebalance import FLAT
from models.events import F64, I64, Bool

FITS = 0.6
"""Cosine from which an archetype gives its name."""
HOLDS = 0.3
"""Cosine down to which a segment keeps the name it has."""
HOLDS_AT = 0.7
"""Share of the way an archetype asks for down to which a segment keeps its name."""
LEANS = 0.1
"""Distance from the average customer that each main feature of a held name keeps, in standard deviations."""
MAIN = 0.99
"""Share of the largest part of a direction that makes a feature a main one."""
TELLS = 0.4
"""Share of a segment's largest distance from the average that one main feature of its name has at least."""
STANDS_OUT = 0.25
"""Distance from the average customer, in standard deviations, from which a feature is worth mentioning."""
NAME_PHRASES = 2
TEXT_PHRASES = 4
AVERAGE = "Average customers"
_NAMES = tuple(dict.fromkeys(one.name for one in ARCHETYPES))


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


def telling(features: tuple[str, ...], deviation: F64) -> Bool:
    """Return which features (d,) may be spoken of: those that vary and rest on something that does."""
    varies = deviation > FLAT
    varying = {name for name, one in zip(features, varies, strict=True) if one}

    def rests(name: str) -> bool:
        needed = [other for other in TOLD_BY.get(name, ()) if other in features]
        return not needed or any(other in varying for other in needed)

    return varies & np.array([rests(name) for name in features], dtype=bool)


def spoken(features: tuple[str, ...], profiles: F64, deviation: F64) -> tuple[tuple[str, ...], F64]:
    """Return the features that may be spoken of, and the profiles (k, e) over them.

    A feature that is unknown for most customers of a segment says nothing of it: its part is 0 there.
    """
    said = telling(features, deviation)
    names = tuple(name for name, one in zip(features, said, strict=True) if one)
    kept = profiles[:, said].copy()
    for name, count in NEEDS_MANY.items():
        if name in names and count in names:
            kept[kept[:, names.index(count)] <= -STANDS_OUT, names.index(name)] = 0.0
    return names, kept


@lru_cache(maxsize=1024)
def direction(features: tuple[str, ...], name: str) -> F64:
    """Return the direction (d,) that a name speaks of, as a unit vector; zeros when it speaks of none.

    So does an archetype whose main features are not all there: without views nobody is a window shopper.
    """
    pattern = np.zeros(len(features))
    archetype = _archetype(features, name)
    if archetype is not None:
        pattern = np.array([archetype.pattern.get(feature, 0.0) for feature in features], dtype=np.float64)
    elif name not in _NAMES:
        said = set(name.split(" (b-", maxsplit=1)[0].lower().split(", "))
        for place, feature in enumerate(features):
            low, high = _phrases(feature)
            pattern[place] = (high.lower() in said) * 1.0 - (low.lower() in said) * 1.0
    length = float(np.sqrt((pattern * pattern).sum()))
    unit = pattern / length if length > 0 else pattern
    unit.setflags(write=False)
    return unit


def _archetype(features: tuple[str, ...], name: str) -> Archetype | None:
    """Return the archetype of this name whose main features are all there."""
    known = set(features)
    named = (one for one in ARCHETYPES if one.name == name)
    return next((one for one in named if _main_features(one.pattern) <= known), None)


def _kept(features: tuple[str, ...], profile: F64, name: str | None) -> str | None:
    if name is None:
        return None
    unit, archetype = direction(features, name), _archetype(features, name)
    if archetype is not None and float((profile * unit).sum()) < HOLDS_AT * archetype.least:
        return None
    return name if _fit(features, profile, unit, LEANS) >= HOLDS else None


def _main_features(pattern: Mapping[str, float]) -> set[str]:
    most = MAIN * max(abs(part) for part in pattern.values())
    return {feature for feature, part in pattern.items() if abs(part) >= most}


def _fit(features: tuple[str, ...], profile: F64, unit: F64, leaning: float) -> float:
    """Return the cosine, 0 when a main feature of `unit` does not lean that way by `leaning`.

    Also 0 when they are not what sets the segment apart, as it differs far more in something else.
    """
    main = np.abs(unit) >= MAIN * np.abs(unit).max(initial=0.0)
    leans = profile[main] * np.sign(unit[main])
    if (leans < leaning).any() or leans.max(initial=0.0) < TELLS * _apart(features, profile):
        return 0.0
    return _cosine(profile, unit)


def _apart(features: tuple[str, ...], profile: F64) -> float:
    """Return a segment's largest distance from the average customer.

    Features that few customers have do not count: the mean stands for the others', and those few are all far.
    """
    parts = zip(features, profile.tolist(), strict=True)
    return max((abs(part) for name, part in parts if name not in NEEDS_MANY), default=0.0)


def _cosine(profile: F64, unit: F64) -> float:
    length = float(np.sqrt((profile * profile).sum()))
    return float((profile * unit).sum()) / length if length > 0 else 0.0


def _with_archetypes(
    features: tuple[str, ...], profiles: F64, names: list[str | None], open_places: list[int]
) -> list[str | None]:
    free = [name for name in _NAMES if name not in names]
    if not free or not open_places or not features:
        return names
    units = np.array([direction(features, name) for name in free])
    fit = np.array(
        [[_fit(features, profiles[place], unit, STANDS_OUT) for unit in units] for place in open_places]
    )
    fit[fit < FITS] = 0.0
    along = profiles[open_places] @ units.T
    kinds = [_archetype(features, name) for name in free]
    fit[along < np.array([0.0 if one is None else one.least for one in kinds])] = 0.0
    strength = np.array([0.0 if one is None else one.strength for one in kinds])
    fit += np.where(fit > 0, strength * along, 0.0)
    result = list(names)
    for row, column in zip(*linear_sum_assignment(-fit), strict=True):
        if fit[row, column] > 0:
            result[open_places[row]] = free[column]
    return result


def _standing_out(features: tuple[str, ...], profile: F64) -> list[str]:
    order = np.argsort(-np.abs(profile), kind="stable")
    return [_phrases(features[i])[int(profile[i] > 0)] for i in order if abs(profile[i]) >= STANDS_OUT]


def _varied(features: tuple[str, ...], profile: F64) -> list[str]:
    """Return the phrases that stand out, of features that say much the same only the strongest."""
    heard: set[str] = set()
    phrases = []
    for i in np.argsort(-np.abs(profile), kind="stable"):
        if abs(profile[i]) >= STANDS_OUT and features[i] not in heard:
            heard.update(*(group for group in ALIKE if features[i] in group))
            phrases.append(_phrases(features[i])[int(profile[i] > 0)])
    return phrases


def _descriptive(features: tuple[str, ...], profile: F64, number: int, taken: set[str]) -> str:
    phrases = _varied(features, profile)
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
    archetype = _archetype(features, name)
    return compared if archetype is None else f"{archetype.text} {compared}"


def _sentence(phrases: list[str]) -> str:
    text = ", ".join(phrases)
    return text[:1].upper() + text[1:]


def _phrases(feature: str) -> tuple[str, str]:
    words = feature.replace("_", " ")
    return PHRASES.get(feature, (f"low {words}", f"high {words}"))
