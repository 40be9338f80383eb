"""RFM scores, cut points with ties, and the ten segments."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from models.value import SEGMENTS, batch_scores, cut_points, scores, segments


@pytest.mark.parametrize(
    ("r", "f", "name"),
    [
        (1, 1, "hibernating"),
        (2, 2, "hibernating"),
        (1, 3, "at risk"),
        (2, 4, "at risk"),
        (2, 5, "can't lose"),
        (3, 2, "about to sleep"),
        (3, 3, "need attention"),
        (3, 4, "loyal"),
        (4, 5, "loyal"),
        (4, 1, "promising"),
        (5, 1, "new"),
        (4, 3, "potential loyalists"),
        (5, 2, "potential loyalists"),
        (5, 4, "champions"),
        (5, 5, "champions"),
    ],
)
def test_segment_of_a_pair_of_scores(r: int, f: int, name: str) -> None:
    """The widely used map."""
    assert SEGMENTS[segments(np.array([r]), np.array([f]))[0] - 1] == name


def test_every_pair_of_scores_has_a_segment() -> None:
    """25 pairs fill ten segments, codes 1 to 10."""
    r, f = (grid.ravel() for grid in np.meshgrid(np.arange(1, 6), np.arange(1, 6)))

    assert set(segments(r, f).tolist()) == set(range(1, 11))


def test_cut_points_of_different_values_make_fifths() -> None:
    """A hundred different values: twenty of each score."""
    values = np.random.default_rng(1).permutation(100.0 + np.arange(100))

    assert Counter(scores(values, cut_points(values)).tolist()) == {1: 20, 2: 20, 3: 20, 4: 20, 5: 20}


def test_equal_values_score_where_their_middle_member_stands() -> None:
    """40 % with one order fill two fifths: the middle one is the last of the first fifth."""
    values = np.repeat([1.0, 2.0, 3.0, 9.0], [40, 20, 20, 20])

    assert dict(zip([1, 2, 3, 9], scores(np.array([1.0, 2, 3, 9]), cut_points(values)), strict=True)) == {
        1: 1,
        2: 3,
        3: 4,
        9: 5,
    }


def test_a_population_of_equals_scores_in_the_middle() -> None:
    """Who is like everybody scores 3; who has more 5, who has less 1."""
    cuts = cut_points(np.full(50, 7.0))

    assert scores(np.array([6.0, 7.0, 8.0]), cuts).tolist() == [1, 3, 5]


def test_one_value_and_huge_values_have_cut_points() -> None:
    """One customer, and numbers at the end of the range, NaN and infinity left out."""
    for values in ([3.0], [1e300, -1e300, np.nan, np.inf], [1.7e308, 1.6e308]):
        cuts = cut_points(np.array(values))

        assert np.isfinite(cuts).all()
        assert (np.diff(cuts) >= 0).all()


def test_no_value_has_no_cut_points() -> None:
    """Nothing finite is refused."""
    with pytest.raises(ValueError, match="at least one"):
        cut_points(np.array([np.nan, np.inf]))


def test_nan_has_no_score() -> None:
    """Unknown stays unknown."""
    assert np.isnan(scores(np.array([np.nan]), np.array([1.0, 2.0, 3.0, 4.0]))).all()


def test_batch_scores_split_equal_frequencies_by_row() -> None:
    """Ten customers with one order each: two of each score, in the order of the rows; R counts backwards."""
    r, f, m = batch_scores(np.arange(10.0), np.ones(10), np.arange(10.0))

    assert f.tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert m.tolist() == f.tolist()
    assert r.tolist() == f.tolist()[::-1]
