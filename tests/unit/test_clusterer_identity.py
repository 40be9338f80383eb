"""Segments keep their numbers and names while the same customers are in them."""

from __future__ import annotations

import numpy as np
import pytest

from models.clusterer import LineageEvent, LineageKind, Merger, Model
from models.clusterer.archetypes import ARCHETYPES, PHRASES, Archetype
from models.clusterer.identity import carried, lineage, numbered, overlap
from models.clusterer.names import AVERAGE, label, spoken
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


def test_one_segment_fewer_is_shared_out() -> None:
    """Asked for fewer segments, a fresh clustering replaces those at hand, however little it gains.

    The middle one, which falls to three others alike, died; these keep their numbers.
    """
    corners = [[-6.0, 0.0], [6.0, 0.0], [0.0, 6.0]]
    held = references([*corners, [-2.5, 0.0], [2.5, 0.0], [0.0, 2.5]], [9.0, 9.0, 9.0, 2.0, 2.0, 2.0])
    centres = np.array([corners[0], [0.0, 0.75], *corners[1:]])
    before = Segmentation(centres, np.ones(4), np.array([2, 3, 5, 9]), (), 10)
    after = following(held, 3, before, 1.0, np.random.default_rng(1))
    kinds = [(event.kind, event.number, round(event.share, 2)) for event in after.lineage]

    assert after.counts.tolist() == [11.0] * 3
    assert after.next_number == 10
    assert kinds[:3] == [(LineageKind.SURVIVED, number, 0.82) for number in (2, 5, 9)]
    assert kinds[3:] == [(LineageKind.DIED, 3, 0.33)]


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
    merger = Merger(FEATURES, half_life=200, model=model)
    for delta in deltas_of(rows, model):
        merger.merge(delta, 0, model.positions[0] + 1)
    return merger.advance()


def test_names_of_segments_that_are_no_more_are_handed_on() -> None:
    """From version to version, and through the bytes; a name that another one bears now is marked."""
    rows, _ = mixture(1, 3000)
    model = first_model(rows)
    fewer = Merger(FEATURES, 4, model=model)
    for delta in deltas_of(rows, model):
        fewer.merge(delta, 0, model.positions[0] + 1)
    later = fewer.advance()
    gone = set(model.numbers.tolist()) - set(later.numbers.tolist())
    again = Model.from_bytes(next_version(later, rows).to_bytes())

    assert len(gone) >= 4
    assert again.departed == {number: model.segment(number).name for number in sorted(gone)}
    for number in gone:
        name = model.segment(number).name
        assert again.name_of(number) == (f"{name} (former)" if name in again.names else name)
    assert again.name_of(999) == "an earlier segment"
    assert "departed" not in str(model.to_bytes()[:4000])


@pytest.mark.parametrize("archetype", ARCHETYPES, ids=lambda one: f"{one.name}: {one.text}")
def test_each_archetype_is_recognised(archetype: Archetype) -> None:
    """A segment that lies far enough in the direction of an archetype gets its name and its sentence."""
    features = tuple(archetype.pattern)
    centre = np.array(list(archetype.pattern.values())) * max(1.2, archetype.least)
    others = np.array([1.5 * centre]) if archetype.least else np.empty((0, len(features)))
    found = label(features, np.vstack([centre, others]), np.arange(4, 5 + len(others)), {})

    assert found[0][0] == archetype.name
    assert found[0][1].startswith(archetype.text)
    assert [name for name, _ in found[1:]] == ["Champions"] * len(others)


def test_a_name_that_asks_for_much_goes_when_little_is_left() -> None:
    """Top customers who are no longer far above the others are called something else."""
    features = ("orders_total", "orders_half90d", "money_half90d")
    held = {7: "Top customers"}
    names = [label(features, np.full((1, 3), size), np.array([7]), held)[0][0] for size in (3.0, 1.0)]

    assert names == ["Top customers", "Champions"]


def test_orders_alone_are_no_visits() -> None:
    """Where nothing was viewed, sessions and bounces are not spoken of, nor what is constant or unknown."""
    features = ("orders_total", "order_gap_days", "sessions_total", "bounce_share", "views_half30d", "trend")
    profiles = np.array([[2.0, 1.0, 3.0, -2.0, 0.0, 0.0], [-1.0, -3.0, -1.0, 1.0, 0.0, 0.0]])
    without = spoken(features, profiles, np.array([1.0, 1.0, 1.0, 1.0, 0.0, 0.0]))
    with_views = spoken(features, profiles, np.array([1.0, 1.0, 1.0, 1.0, 1.0, 0.0]))

    assert without[0] == ("orders_total", "order_gap_days")
    assert without[1].tolist() == [[2.0, 1.0], [-1.0, 0.0]]
    assert with_views[0] == features[:5]
    assert spoken(("sessions_total",), profiles[:, :1], np.ones(1))[0] == ("sessions_total",)


def test_where_nothing_may_be_said_all_are_average() -> None:
    """Without a feature that varies, segments are average ones, whatever they were called before."""
    found = label((), np.empty((2, 0)), np.array([1, 2]), {1: "Champions"})

    assert [name for name, _ in found] == [AVERAGE, f"{AVERAGE} (b-2)"]


def test_a_descriptive_name_says_nothing_twice() -> None:
    """Sessions and clicks say much the same; a name speaks of the stronger one."""
    features = ("sessions_total", "clicks_half30d", "bounce_share")
    ((name, _),) = label(features, np.array([[1.1, 1.0, 0.9]]), np.array([1]), {})

    assert name == "Many sessions, many bounces"


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
    known = ("orders_total", "bounce_share")
    ((name, _),) = label(known, np.array([[-0.5, -1.0]]), np.array([1]), {2: "Window shoppers"})

    assert name == "Few bounces, few orders"
    assert label(known, np.array([[-0.5, -1.0]]), np.array([1]), {1: "Window shoppers"})[0][0] == name


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


@pytest.mark.parametrize("held", [{}, {1: "Cart abandoners"}], ids=["new", "held"])
def test_a_name_speaks_of_what_sets_a_segment_apart(held: dict[int, str]) -> None:
    """Who looks at far more than others and puts a bit more into carts looks; a name once given stayed."""
    looks = profile(views_half30d=1.24, views_per_session=1.5, orders_total=-0.82, orders_half90d=-0.82)
    carts = looks + profile(cart_adds_total=0.29, clicks_half30d=0.5)
    ((name, _),) = label(NAMED, carts[None], np.array([1]), held)
    assert name == "Window shoppers"

    more = looks + profile(cart_adds_total=0.9, clicks_half30d=0.5)
    ((name, _),) = label(NAMED, more[None], np.array([1]), held)
    assert name == held.get(1, "Window shoppers")


def test_a_gap_that_few_have_takes_no_name_away() -> None:
    """Gaps are known after two orders: those who have one are far from a mean that is of the few."""
    features = ("orders_total", "orders_half90d", "money_half90d", "sessions_total", "order_gap_days")
    gaps = np.array([[1.8, 1.7, 1.1, 1.3, 5.3]])

    assert label(features, gaps, np.array([1]), {1: "Loyal customers"})[0][0] == "Loyal customers"


@pytest.mark.parametrize("name", ["Short tenure, small orders", "Short tenure, small orders (b-1)"])
def test_a_descriptive_name_stays_while_it_fits(name: str) -> None:
    """Descriptive names are as sticky as archetypes."""
    near = profile(days_known=-1.0, average_order=-0.5, orders_total=-0.8)

    assert label(NAMED, near[None], np.array([1]), {1: name})[0][0] == name
    assert label(NAMED, -near[None], np.array([1]), {1: name})[0][0] != name
