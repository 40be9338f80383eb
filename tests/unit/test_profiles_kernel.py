"""The compiled kernel: its codes are those of the formats, and it is compiled once."""

from __future__ import annotations

from typing import Any, cast

from models.events import Action, Kind
from models.profiles import kernel, layout
from tests.engine_runs import driven, in_chunks
from tests.oracle.synthetic import stream


def test_the_codes_of_the_kernel_are_those_of_events_and_rows() -> None:
    known = [code for code in (*Kind, *Action) if hasattr(kernel, code.name)]
    assert len(known) == 10
    for code in known:
        assert getattr(kernel, code.name) == code, code
    assert [getattr(kernel, name.upper()) for name in layout.ATTRIBUTE_FIELDS] == list(range(7))
    assert (kernel.PENDING_VIEW, kernel.SINGLE_EVENT) == (layout.PENDING_VIEW, layout.SINGLE_EVENT)


def test_an_engine_compiles_the_kernel_once_before_its_first_event() -> None:
    """Another layout or type of an argument would be compiled anew, for seconds, in the midst of events."""
    driven(in_chunks(list(stream(seed=1)), 50))

    assert len(cast("Any", kernel.apply_events).signatures) == 1
