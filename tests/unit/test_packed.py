"""Texts of bytes in one buffer."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.packed import MARGIN, Packed

TEXTS = st.lists(st.none() | st.binary(max_size=40))


@settings(deadline=None)
@given(TEXTS, TEXTS, st.data())
def test_they_are_the_texts_of_a_list(
    some: list[bytes | None], others: list[bytes | None], data: st.DataObject
) -> None:
    """One by one, all together, some of them, and behind others."""
    both, found = some + others, Packed.joined([Packed.of(some), Packed.of(others)])
    at = data.draw(st.lists(st.integers(0, max(len(both) - 1, 0)), max_size=9 if both else 0))
    part = found.take(np.array(at, np.intp))

    assert both == found.tolist() == list(found) == [found[i] for i in range(len(found))]
    assert [both[i] for i in at] == part.tolist()
    assert [text or b"" for text in both] == found.filled()
    assert [len(text or b"") for text in both] == found.sizes().tolist()
    assert len(found.letters) == sum(map(len, found.filled())) + MARGIN
    assert len(part.letters) == sum(map(len, part.filled())) + MARGIN


@given(st.lists(st.text(max_size=20)))
def test_strings_are_packed_in_utf_8(texts: list[str]) -> None:
    """Also when some of their letters take several bytes, and when there are none."""
    found = Packed.of_strings(texts)

    assert [text.encode() for text in texts] == found.tolist() == found.filled()
    assert len(found.letters) == sum(map(len, found.filled())) + MARGIN
