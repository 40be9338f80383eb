"""What the demo says at its end."""

from __future__ import annotations

import pytest

from streams.codec.changes import decode_change
from streams.codec.output_examples import change_records
from streams.demo.live import Live
from streams.demo.screen import BURST, Screen
from streams.demo.summary import Summary
from streams.sizes import Segment


class Ended(Summary):
    """A demo after which one customer was in a behaviour segment and an audience."""

    def segments(self) -> list[Segment]:
        """Return both."""
        return [
            Segment("behaviour", "b-1", "Loyal", 1, 1.0, ""),
            Segment("audience", "lapsed", "Lapsed", 1, 1.0, ""),
        ]


def test_the_summary_says_what_its_lists_are(capsys: pytest.CaptureFixture[str]) -> None:
    """Segments of which a customer is in one stand apart from the audiences."""
    Screen(quiet=False).summarise(Ended(broker="embedded", seconds=1.0))

    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    behaviour = lines.index("Behaviour segments: a customer is in one")
    audiences = lines.index("Audiences: a customer is in any number of them")
    found = [next(i for i, line in enumerate(lines) if line.startswith(name)) for name in ("b-1", "lapsed")]
    assert behaviour < found[0] < audiences < found[1]


def test_a_demo_that_found_no_segment_has_no_empty_list(capsys: pytest.CaptureFixture[str]) -> None:
    """Only the figures stand there."""
    Screen(quiet=False).summarise(Summary(broker="embedded", seconds=1.0))

    assert "a customer is in" not in capsys.readouterr().out


def test_one_of_a_kind_is_said_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    """In the summary and in what has happened since the shop went live."""
    summary = Summary(broker="embedded", events=[0, 1, 0, 0], customers=1, dead_letters=1, seconds=1.0)
    summary.changes.update(entered=1)
    Screen(quiet=False).summarise(summary)

    said = " ".join(capsys.readouterr().out.split())
    assert "1 event of 1 customer (1 product-views) in 1.0 s" in said
    assert "Segments entered 1 time, left 0 times; 1 dead letter;" in said
    told = Live(0.0, 0, 0, 0).told(summary, 1, 5.0)
    assert told == "live for 0:05 · 1 event, 0 of them orders, 1 waiting · 1 change"


def test_a_demo_that_goes_live_shows_the_segments_and_counts_anew(capsys: pytest.CaptureFixture[str]) -> None:
    """The line of progress is of what has happened since, not of what could not be shown before."""
    screen = Screen(quiet=False)
    summary = Ended(broker="embedded", events=[50, 100, 10, 5])
    summary.changes.update(entered=400, left=300)
    record = decode_change(next(value for name, value, _ in change_records() if "audience" in name)).record
    for _ in range(int(BURST) + 3):
        screen.change(record)
    live = Live.begun(summary, 100.0)
    screen.go_live(75, 10.0, summary)
    summary.events = [52, 110, 13, 5]
    summary.changes.update(entered=6, left=1)

    assert (
        live.told(summary, 2, 195.0) == "live for 1:35 · 15 events, 3 of them orders, 2 waiting · 7 changes"
    )
    said = capsys.readouterr().out
    assert said.count(f"  audience  {record.properties.reason}") == int(BURST)
    assert "The 75 days are over: 700 changes (3 were not shown" in " ".join(said.split())
    assert "b-1" in said.split("are over")[1]
    assert "10 events a second" in said
