"""Returns to a segment within a few events are counted as the quality command prints them."""

from __future__ import annotations

from tests.quality.flapping import Entry, flapping


def test_a_return_within_five_events_counts() -> None:
    """A→B→A with five events between counts, with six it does not, and A→B→C never does."""
    events = {"near": list(range(1, 21)), "far": list(range(1, 21)), "on": list(range(1, 21))}
    entries = {
        "near": [Entry(1, "a", "event"), Entry(5, "b", "event"), Entry(10, "a", "event")],
        "far": [Entry(3, "a", "event"), Entry(5, "b", "event"), Entry(11, "a", "time")],
        "on": [Entry(11, "a", "event"), Entry(12, "b", "event"), Entry(13, "c", "event")],
    }
    found = flapping(events, entries)

    assert (found.events, found.moves) == (20 + 18 + 10, 6)
    assert found.stays_ms == [5]
    assert found.per_100 == found.per_100_by_events() == 100 / 48


def test_causes_and_stays_are_told_apart() -> None:
    """A return by the time that passed is no return by events; a minimum stay would prevent short ones."""
    entries = {"c": [Entry(0, "a", "event"), Entry(10, "b", "time"), Entry(40, "a", "event")]}
    found = flapping({"c": [0, 20, 40, 60]}, entries)

    assert found.causes == {"time-event": 1}
    assert found.per_100_by_events() == 0.0
    assert (found.per_100_of_stays(30), found.per_100_of_stays(31)) == (25.0, 0.0)
