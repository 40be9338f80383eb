"""Segments keep their numbers and names while the same customers are in them."""

from __future__ import annotations

import numpy as np
import pytest

from models.clusterer import LineageEvent, LineageKind, Model
from models.clusterer.archetypes import ARCHETYPES, PHRASES
from models.clusterer.identity import carried, lineage, numbered, overlap
from models.clusterer.names import AVERAGE, label
from models.clusterer.references import References, Sums
from models.clusterer.segmentation import Segmentation, following
from tests.clusterer_samples import FEATURES, deltas_of, first_model, mixture

NAMED = tuple(PHRASES)


def profile(**values: float) -> np.ndarray:
    """Return a centre over all named features."""
    return np.array([values.get(feature, 0.0) for feature in NAMED])


def test_numbers_follow_the_mass() -> None:
    """Each new segment continues the old one it overlaps with by .3 or more, no old one twice."""
    mass = np.array(
        [[10.0, 0.0, 0.0, 0.0], [0.0, 0.0, 6.0, 5.0], [0.0, 2.0, 0.0, 0.0], [0.0, 20.0, 0.0, 0.0]]
    )

    assert carried(mass).tolist() == [0, 3, 1, -1]


def test_below_the_threshold_a_segment_is_new() -> None:
    """An overlap of 29 % is another segment, 30 % the same one."""
    assert carried(np.array([[29.0, 0.0], [0.0, 0.0], [71.0, 0.0]]))[0] == 2
    assert carried(np.array([[29.0], [71.0 / 3], [71.0 / 3], [71.0 / 3]])).tolist() == [-1]
    assert carried(np.array([[30.0], [70.0 / 3], [70.0 / 3], [70.0 / 3]])).tolist() == [0]


def test_new_numbers_go_by_size_and_are_never_reused() -> None:
    """Newcomers are numbered from the counter, the largest first."""
    numbers, after = numbered(np.array([-1, 1, -1]), np.array([2, 4]), np.array([5.0, 1.0, 9.0]), 7)

    assert numbers.tolist() == [8, 4, 7]
    assert after == 9


def test_lineage_names_what_became_of_each() -> None:
    """Born, survived, split, absorbed and died are told apart by where the mass went."""
    old, new = np.array([1, 2, 3, 4]), np.array([1, 5, 6])
    mass = np.array([[90.0, 8.0, 2.0], [0.0, 40.0, 0.0], [9.0, 1.0, 0.0], [2.0, 30.0, 3.0]])
    mass[3] = [40.0, 20.0, 20.0]
    mass[:, 2] = [20.0, 0.0, 20.0, 21.0]
    events = {(event.kind, event.number, event.other) for event in lineage(mass, old, new)}

    assert events == {
        (LineageKind.SURVIVED, 1, 1),
        (LineageKind.SPLIT, 5, 2),
        (LineageKind.BORN, 6, 0),
        (LineageKind.ABSORBED, 2, 5),
        (LineageKind.ABSORBED, 3, 6),
        (LineageKind.DIED, 4, 0),
    }


def test_the_first_segments_are_born() -> None:
    """Without a version before, every segment is born."""
    assert lineage(np.zeros((0, 1)), np.array([], dtype=np.int64), np.array([1])) == (
        LineageEvent(LineageKind.BORN, 1),
    )


def test_overlap_counts_the_weights() -> None:
    """The overlap is the mass of the points that lie in both."""
    mass = overlap(np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([2.0, 3.0, 4.0]), (2, 3))

    assert mass.tolist() == [[2.0, 3.0, 0.0], [0.0, 4.0, 0.0]]


def references(points: list[list[float]], weights: list[float]) -> References:
    """Return references without spread."""
    array = np.array(points)
    return References(array, Sums(np.array(weights), np.zeros(array.shape), np.zeros(array.shape)))


def test_a_fresh_clustering_carries_the_numbers() -> None:
    """When a better clustering replaces the one at hand, the untouched segment keeps its number."""
    held = references([[-6.0, 0.0], [-5.0, 0.0], [5.0, 5.0], [5.0, -5.0]], [10.0, 10.0, 10.0, 10.0])
    before = Segmentation(
        np.array([[-6.0, 0.0], [-5.0, 0.0], [5.0, 0.0]]), np.ones(3), np.array([2, 3, 9]), (), 10
    )
    after = following(held, 3, before, 0.05, np.random.default_rng(1))
    kinds = {(event.kind, event.number, event.other) for event in after.lineage}

    assert sorted(after.counts.tolist()) == [10.0, 10.0, 20.0]
    assert after.next_number == 11
    assert (LineageKind.SPLIT, 10, 9) in kinds
    assert {event.number for event in after.lineage if event.kind is LineageKind.ABSORBED} <= {2, 3}


def test_without_a_real_gain_the_segments_stay() -> None:
    """A fresh clustering that saves less than `gain` changes nothing."""
    held = references([[-6.0, 0.0], [-5.0, 0.0], [5.0, 5.0], [5.0, -5.0]], [10.0, 10.0, 10.0, 10.0])
    before = Segmentation(
        np.array([[-6.0, 0.0], [-5.0, 0.0], [5.0, 0.0]]), np.ones(3), np.array([2, 3, 9]), (), 10
    )
    after = following(held, 3, before, 1.0, np.random.default_rng(1))

    assert after.numbers.tolist() == [2, 3, 9]
    assert after.centres.tolist() == before.centres.tolist()


def test_a_segment_that_empties_is_replaced_by_a_new_number() -> None:
    """A centre that holds nothing any more is dropped; what fills its place is new."""
    held = references([[0.0], [1.0], [7.0]], [5.0, 5.0, 1.0])
    before = Segmentation(np.array([[-8.0], [1.0]]), np.ones(2), np.array([1, 2]), (), 3)
    after = following(held, 2, before, 1.0, np.random.default_rng(1))

    assert after.numbers.tolist() == [2, 3]
    assert any(event.kind is LineageKind.DIED and event.number == 1 for event in after.lineage)


def test_numbers_survive_a_drift_of_all_rows() -> None:
    """Segments that wander slowly keep their numbers and names over twelve versions."""
    rows, group = mixture(7, 600)
    model = start = first_model(rows)
    step = 0.1 * rows.std(0)
    for version in range(12):
        moved = rows + step * (version + 1)
        model = next_version(model, moved)

    assert start.numbers.tolist() == model.numbers.tolist()
    assert start.names == model.names
    assert (start.assign(rows) == model.assign(rows + step * 12)).mean() >= 0.99
    assert len(np.unique(group)) == len(model.numbers)


def next_version(model: Model, rows: np.ndarray) -> Model:
    """Return the version that learned the rows, with a short memory."""
    from models.clusterer import Merger  # noqa: PLC0415 - only here

    merger = Merger(FEATURES, half_life=200, model=model)
    for delta in deltas_of(rows, model):
        merger.merge(delta, 0, model.positions[0] + 1)
    return merger.advance()


@pytest.mark.parametrize("archetype", ARCHETYPES, ids=lambda one: str(one.name))
def test_each_archetype_is_recognised(archetype: object) -> None:
    """A segment in the direction of an archetype gets its name and its sentence."""
    kind = next(one for one in ARCHETYPES if one is archetype)
    ((name, text),) = label(NAMED, profile(**dict(kind.pattern))[None] * 1.2, np.array([4]), {})

    assert name == kind.name
    assert text.startswith(kind.text)


def test_names_are_unique() -> None:
    """Of segments alike only one gets the archetype, the others what stands out, at last with the id."""
    same = np.tile(profile(weekend_share=1.0, days_known=-0.3, orders_total=-0.3), (4, 1))
    names = [name for name, _ in label(NAMED, same, np.array([1, 2, 3, 4]), {})]

    assert names[0] == "Weekend shoppers"
    assert names[1:3] == ["Weekend visits, short tenure", "Weekend visits, short tenure, few orders"]
    assert names[3] == "Weekend visits, short tenure (b-4)"


def test_without_an_archetype_the_name_says_what_stands_out() -> None:
    """Features that no archetype combines give a descriptive name."""
    profiles = np.array(
        [profile(days_known=-1.0, average_order=-0.9, bounce_share=0.2, weekend_share=0.8), profile()]
    )
    (first, text), (second, _) = label(NAMED, profiles, np.array([1, 2]), {})

    assert first == "Short tenure, small orders"
    assert text == "Against the average customer: short tenure, small orders, weekend visits."
    assert second == AVERAGE


def test_unknown_features_are_named_as_they_are() -> None:
    """The names work for any features."""
    ((name, _),) = label(("app_opens", "nps"), np.array([[2.0, -1.0]]), np.array([1]), {})

    assert name == "High app opens, low nps"


def test_an_archetype_needs_its_main_features() -> None:
    """Where no view is known nobody is called a window shopper, however few orders there are."""
    known = ("orders_half90d", "money_half90d")
    ((name, _),) = label(known, np.array([[-1.0, -1.0]]), np.array([1]), {})

    assert name == "Few recent orders, low recent spend"


def test_a_name_does_not_stay_when_it_is_no_longer_true() -> None:
    """A segment that leans the other way in a main feature of its name loses it."""
    still = profile(days_known=1.0, orders_total=1.0, sessions_total=0.5)
    but = profile(days_known=1.0, orders_total=-0.1, sessions_total=0.9, category_diversity=0.9)

    assert label(NAMED, still[None], np.array([1]), {1: "Loyal customers"})[0][0] == "Loyal customers"
    assert label(NAMED, but[None], np.array([1]), {1: "Loyal customers"})[0][0] != "Loyal customers"


def test_a_name_stays_while_it_fits() -> None:
    """A name is kept although another fits better now, and goes when the segment has turned away."""
    leaning = profile(weekend_share=0.5, average_order=1.0, money_half90d=0.7)
    away = profile(average_order=1.0, money_half90d=0.7)

    assert label(NAMED, leaning[None], np.array([1]), {1: "Weekend shoppers"})[0][0] == "Weekend shoppers"
    assert label(NAMED, leaning[None], np.array([2]), {1: "Weekend shoppers"})[0][0] == "Big baskets"
    assert label(NAMED, away[None], np.array([1]), {1: "Weekend shoppers"})[0][0] == "Big baskets"


@pytest.mark.parametrize("name", ["Short tenure, small orders", "Short tenure, small orders (b-1)"])
def test_a_descriptive_name_stays_while_it_fits(name: str) -> None:
    """Descriptive names are as sticky as archetypes."""
    near = profile(days_known=-1.0, average_order=-0.5, orders_total=-0.8)

    assert label(NAMED, near[None], np.array([1]), {1: name})[0][0] == name
    assert label(NAMED, -near[None], np.array([1]), {1: name})[0][0] != name
