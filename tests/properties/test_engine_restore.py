"""A restored engine is the one that wrote the changelog, byte by byte, however the records come."""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from streams.engine import Engine
from streams.outbox import CHANGELOG
from streams.records import CLICKS, CUSTOMERS, PURCHASES, Record
from tests.engine_runs import Driver, driven, names_of, rows_of
from tests.strategies import CLICK, ORDER, cut, streams

FEW = settings(deadline=None, max_examples=15, derandomize=True, phases=(Phase.explicit, Phase.generate))
ERASING = streams(
    st.tuples(st.just(CLICKS), CLICK)
    | st.tuples(st.just(PURCHASES), ORDER)
    | st.tuples(st.just(CUSTOMERS), st.just({"erase": True})),
    steps=st.sampled_from([1, 60_000, 7_200_000]),
    min_size=8,
)
STATE = ("stream_ms", "anchor_ms", "tick_ms", "positions", "erased", "model")
PIECES = pytest.mark.parametrize("piece", [1, 7, 1000])


def state(engine: Engine) -> tuple[object, ...]:
    """Return all that an engine knows of its partitions, which have committed everything."""
    parts = [part for _, part in sorted(engine.parts.items())]
    for part in parts:
        held = engine.slab.used(part.number).tolist()
        assert sorted(part.index.values()) == sorted(held)
        assert all(engine.slab.key(row) == key for key, row in part.index.items())
        assert not part.dirty()
    return (
        [sorted(part.index) for part in parts],
        rows_of(engine),
        names_of(engine),
        [[getattr(part, name) for name in STATE] for part in parts],
        [part.ledger.counts.tolist() for part in parts],
    )


def restored(records: list[Record], piece: int) -> Engine:
    """Return an engine that got the changelog in pieces of a size."""
    engine = Driver().engine
    for partition in engine.parts:
        log = [r for r in records if r.topic == CHANGELOG and r.partition == partition]
        for start in range(0, len(log), piece):
            part = log[start : start + piece]
            engine.restore(partition, [r.key or b"" for r in part], [r.value for r in part])
        engine.restored(partition)
    return engine


@PIECES
@FEW
@given(data=st.data())
def test_a_changelog_of_any_commits_restores_the_same(piece: int, data: st.DataObject) -> None:
    """Rows, names, index, meta, accounts and erasures are the same, with commits after any chunk."""
    driver = driven(data.draw(cut(data.draw(streams() | ERASING))), Driver.commit)

    found = state(restored(driver.written, piece))

    assert _without_model_version(found) == _without_model_version(state(driver.engine))


def _without_model_version(found: tuple[object, ...]) -> tuple[object, ...]:
    """Return the state with a model's version in the place of the model: each engine loads its own."""
    index, rows, names, parts, ledger = found
    assert isinstance(parts, list)
    versions = [[*part[:-1], part[-1] and part[-1].version] for part in parts]
    return index, rows, names, versions, ledger


@PIECES
@FEW
@given(data=st.data())
def test_a_compacted_changelog_restores_the_same(piece: int, data: st.DataObject) -> None:
    """What compaction leaves (the last record of each key, with or without tombstones) says it all."""
    driver = driven(data.draw(cut(data.draw(ERASING))), Driver.commit)
    keep_tombstones = data.draw(st.booleans())
    last = {(r.partition, r.key): i for i, r in enumerate(driver.written) if r.topic == CHANGELOG}
    kept = [driver.written[i] for i in sorted(last.values())]
    kept = [r for r in kept if keep_tombstones or r.value is not None]

    found = state(restored(kept, piece))

    assert _without_model_version(found) == _without_model_version(state(driver.engine))
