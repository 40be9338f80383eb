"""When records may go out."""

from __future__ import annotations

import pytest

from streams.errors import UsageError
from streams.shop.pace import Pace


def test_without_a_limit_everything_is_due_at_once() -> None:
    assert Pace().due_s(1000, 86_400_000) == 0


def test_the_stricter_limit_decides() -> None:
    """At 10 a second the 51st is due after 5 s; at 60 times the speed a minute later is 1 s later."""
    pace = Pace(rate=10, speed=60)

    assert pace.due_s(50, 60_000) == 5
    assert pace.due_s(5, 60_000) == 1
    assert pace.due_s(0, -60_000) == 0


@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan")])
def test_an_impossible_pace_is_refused(value: float) -> None:
    """Both limits must be numbers above 0."""
    with pytest.raises(UsageError, match="rate"):
        Pace(rate=value)
    with pytest.raises(UsageError, match="speed"):
        Pace(speed=value)
