"""Restore: rows of other versions of the format, and tombstones between blocks."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from models.profiles import COLD_BYTES, HOT_BYTES, SCHEMA_VERSION
from streams.codec import profile_rows as codec
from streams.codec.hashing import partition_for
from streams.engine import Engine
from streams.errors import LiveSegmentsError
from streams.ledger import Entry
from streams.outbox import CHANGELOG
from streams.records import CLICKS
from tests.engine_runs import HOUR_MS, SETTINGS, Driver, definitions, record, rows_of, trained_model
from tests.oracle.synthetic import START_MS

HOT = codec.VERSION_BYTE + bytes(range(256)) * 2 + bytes(HOT_BYTES - 512)
COLD = codec.VERSION_BYTE + b"c" * COLD_BYTES


def restored(*records: tuple[bytes, bytes | None]) -> Engine:
    """Return an engine whose partition 0 got these changelog records in one piece."""
    engine = Driver().engine
    engine.restore(0, [key for key, _ in records], [value for _, value in records])
    engine.restored(0)
    return engine


@pytest.mark.parametrize("version", [0, 255])
@pytest.mark.parametrize("prefix", [codec.HOT_PREFIX, codec.COLD_PREFIX])
def test_rows_of_an_unknown_version_are_refused_in_one_line(version: int, prefix: bytes) -> None:
    """Both versions, the sizes and the way out are named, wherever in a piece the row stands."""
    good, wrong = (HOT, bytes([version]) + HOT[1:]) if prefix == b"h" else (COLD, bytes([version]) + COLD[1:])
    with pytest.raises(LiveSegmentsError) as caught:
        restored((prefix + b"ann", good), (prefix + b"bob", wrong), (prefix + b"cyd", good))

    line = str(caught.value)
    assert f"rows of schema version {version} ({len(wrong)} bytes)" in line
    assert f"writes version {SCHEMA_VERSION} ({len(good)} bytes)" in line
    assert "new LIVE_SEGMENTS_APP_ID" in line
    assert "\n" not in line


@pytest.mark.parametrize("value", [b"", HOT[:-1], HOT + b"\0", codec.VERSION_BYTE])
def test_rows_of_a_wrong_length_are_refused_in_one_line(value: bytes) -> None:
    """Also two whose lengths would make up for each other."""
    with pytest.raises(LiveSegmentsError, match=rf"\({len(value)} bytes\), this program"):
        restored((b"hann", HOT), (b"hbob", value))
    with pytest.raises(LiveSegmentsError, match="this program"):
        restored((b"hann", HOT + b"\0"), (b"hbob", HOT[:-1]))


def test_rows_of_an_older_version_are_upgraded_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a converter for each version between, old, newer and present rows are restored from one log."""
    monkeypatch.setattr(codec, "SCHEMA_VERSION", 3)
    monkeypatch.setattr(codec, "VERSION_BYTE", b"\3")
    # version 2 had no last byte, version 1 had no last two
    monkeypatch.setitem(codec.UPGRADES, 1, lambda block, _hot: b"\2" + block[1:] + b"7")
    monkeypatch.setitem(codec.UPGRADES, 2, lambda block, hot: b"\3" + block[1:] + (b"H" if hot else b"C"))

    engine = restored(
        (b"hann", b"\1" + HOT[1:-2]),
        (b"cann", b"\1" + COLD[1:-2]),
        (b"hbob", b"\2" + HOT[1:-1]),
        (b"hcyd", b"\3" + HOT[1:]),
    )

    rows = rows_of(engine)
    assert rows[b"ann"] == HOT[1:-2] + b"7H" + COLD[1:-2] + b"7C"
    assert rows[b"bob"] == HOT[1:-1] + b"H" + bytes(COLD_BYTES)
    assert rows[b"cyd"] == HOT[1:] + bytes(COLD_BYTES)


def test_a_converter_that_leads_nowhere_is_refused_with_the_version_that_was_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A step whose result has a wrong size does not get into the slab."""
    monkeypatch.setitem(codec.UPGRADES, 0, lambda block, _hot: codec.VERSION_BYTE + block[1:-1])
    with pytest.raises(LiveSegmentsError, match="schema version 0"):
        restored((b"hann", b"\0" + HOT[1:]))


def test_the_last_block_of_a_customer_counts_and_tombstones_keep_their_place() -> None:
    """Within one piece: written twice, erased, erased and back without a cold block, cold block deleted."""
    second = codec.VERSION_BYTE + b"2" * HOT_BYTES
    engine = restored(
        *[(b"hann", HOT), (b"cann", COLD), (b"hann", second)],
        *[(b"hbob", HOT), (b"cbob", COLD), (b"hbob", None), (b"cbob", None)],
        *[(b"hcyd", HOT), (b"ccyd", COLD), (b"hcyd", None), (b"ccyd", None), (b"hcyd", second)],
        *[(b"hdan", HOT), (b"cdan", COLD), (b"cdan", None)],
        *[(b"heve", None), (b"ceve", None), (b"m", None), (b"n\0\0\0", None)],
    )

    assert rows_of(engine) == {
        b"ann": second[1:] + COLD[1:],
        b"cyd": second[1:] + bytes(COLD_BYTES),
        b"dan": HOT[1:] + bytes(COLD_BYTES),
    }
    assert np.count_nonzero(engine.slab.bytes[:16].any(axis=1)) == 3


def test_a_meta_row_from_before_accounts_by_input_goes_on() -> None:
    """Its sums are kept, and the account of what comes then balances."""
    meta = codec.Meta(
        stream_ms=0, anchor_ms=0, tick_ms=0, model_version=0, positions={}, counted=7, dead=2, duplicates=1
    )
    old = msgspec.json.decode(codec.encode_meta(meta))
    del old["inputs"]
    engine = restored((codec.META_KEY, msgspec.json.encode(old)))

    part = engine.parts[0]
    assert (part.counted, part.dead, part.duplicates, part.ignored) == (7, 2, 1, 0)
    assert part.ledger.total(Entry.DELIVERED) == 10
    assert engine.take(0, 0).records


def test_a_state_made_with_a_model_that_has_not_come_yet_is_not_opened() -> None:
    """The former owner adopted it a moment ago; the same for definitions."""
    driver = Driver([trained_model(), definitions()])
    partition = partition_for(b"ann", SETTINGS.partitions, SETTINGS.partitioner)
    driver.feed([record(CLICKS, "ann", n, START_MS + n * HOUR_MS) for n in range(4)]).commit()
    rows = [r for r in driver.written if r.topic == CHANGELOG and r.partition == partition]
    late = Driver([]).engine
    late.restore(partition, [r.key or b"" for r in rows], [r.value for r in rows])
    informed = [late.knows(partition)]
    for offered in (trained_model(), definitions()):
        late.offer_model(offered)
        informed.append(late.knows(partition))

    assert informed == [False, False, True]
    late.restored(partition)
    assert late.parts[partition].model is not None


def test_a_partition_that_is_only_stood_by_for_counts_for_its_owner() -> None:
    """Its customers are in the changelog of another worker's partition: they are shown there."""
    engine = Driver().engine
    engine.restore(0, [b"hann"], [HOT])
    before = engine.segment_sizes()
    engine.restored(0)

    assert sum(before.values()) == 0
    assert sum(engine.segment_sizes().values()) == 1
