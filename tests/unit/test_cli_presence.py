"""What `tail` says of a broker that goes away."""

from __future__ import annotations

import pytest

from streams.cli.presence import SILENT_S, Presence


def test_a_broker_that_goes_away_and_comes_back_is_told_once_each(capsys: pytest.CaptureFixture[str]) -> None:
    """While nobody expects it to say anything, it is asked every few seconds only."""
    up, now_s, asked = True, 0.0, 0

    def answers() -> bool:
        nonlocal asked
        asked += 1
        return up

    presence = Presence(answers, lambda: now_s)
    for _ in range(4):
        now_s += 0.75 * SILENT_S
        presence.silence()
    assert (asked, capsys.readouterr().err) == (2, "")

    up = False
    for _ in range(4):
        now_s += 0.75 * SILENT_S
        presence.silence()
    assert capsys.readouterr().err == "broker does not answer, waiting for it\n"

    up = True
    presence.silence()
    presence.silence()
    assert capsys.readouterr().err == "broker answers again\n"


def test_a_record_is_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """Who sends something need not be asked."""
    now_s = 0.0
    presence = Presence(lambda: False, lambda: now_s)
    now_s = SILENT_S - 1
    presence.heard()
    now_s += SILENT_S - 1
    presence.silence()
    assert capsys.readouterr().err == ""

    now_s += 1
    presence.silence()
    presence.heard()
    assert capsys.readouterr().err == "broker does not answer, waiting for it\nbroker answers again\n"
