"""What the demo says at its end."""

from __future__ import annotations

import pytest

from streams.demo.screen import Screen
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
