"""The checker of the chaos runs finds each kind of fault: one that cannot fail proves nothing."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from models.clusterer import Delta
from models.profiles import layout
from streams.codec import profile_rows
from tests.chaos import rows
from tests.chaos.checker import Checker, Finding
from tests.chaos.expected import Expected, Message
from tests.chaos.synthetic import ReadOut, change, cold, frame, hot

Fault = Callable[[ReadOut], None]


def verdict(found: ReadOut, sent: dict[str, object] | None = None) -> list[Finding]:
    checker = Checker()
    for topic in checker.topics:
        for message in found.topics[topic]:
            checker.add(message)
    return checker.report(sent)


def wrong(findings: list[Finding]) -> set[str]:
    return {finding.name for finding in findings if not finding.ok}


def replace(found: ReadOut, topic: str, key: bytes, value: bytes | None) -> None:
    """Put another value in the place of a key's last one."""
    found.topics[topic] = [m._replace(value=value) if m.key == key else m for m in found.topics[topic]]


def test_an_exact_run_has_no_finding_that_is_wrong() -> None:
    assert wrong(verdict(ReadOut())) == set()


def test_the_table_of_byte_offsets_is_that_of_the_products_rows() -> None:
    def offset(block: str, name: str) -> int:
        fields = {"hot": layout.HOT, "cold": layout.COLD}[block].fields
        assert fields is not None
        return fields[name][1]

    assert (rows.ROW_VERSION, rows.HOT_BYTES, rows.COLD_BYTES) == (
        layout.SCHEMA_VERSION,
        layout.HOT_BYTES,
        layout.COLD_BYTES,
    )
    assert {name: offset("hot", name) for name in rows.HOT} == rows.HOT
    assert {name: offset("cold", name) for name in rows.COLD} == rows.COLD
    assert {name: offset("cold", name) for name in rows.COLD_MONEY} == rows.COLD_MONEY
    assert {layout.HOT[name] for name in rows.HOT} == {layout.COLD[name] for name in rows.COLD}
    assert {layout.COLD[name].str for name in rows.COLD_MONEY} == {"<i8"}


def test_rows_markers_and_frames_are_read_as_the_product_writes_them() -> None:
    block = np.zeros((), layout.HOT)
    block["clicks"], block["sequence"] = 7, 3
    read = rows.hot(profile_rows.VERSION_BYTE + block.tobytes())
    marker = profile_rows.ERASED_PREFIX + profile_rows.erased_hash(b"anna", "live-segments")
    delta = Delta.of_rows(("a", "b"), np.zeros((3, 2)))

    assert (read["clicks"], read["sequence"], read["views"]) == (7, 3, 0)
    assert rows.erased_key("anna") == marker
    assert rows.erased_sequence(profile_rows.encode_erased(1, 9)) == 9
    assert rows.frame_header(delta.to_bytes())["rows"] == 3


def lost_click(found: ReadOut) -> None:
    replace(found, "profiles-changelog", b"hanna", hot(events=4, views=1, clicks=2, sequence=3, behaviour=2))


def doubled_view(found: ReadOut) -> None:
    replace(found, "profiles-changelog", b"hanna", hot(events=6, views=2, clicks=3, sequence=3, behaviour=2))


def event_off_by_one(found: ReadOut) -> None:
    replace(found, "profiles-changelog", b"hanna", hot(events=6, views=1, clicks=3, sequence=3, behaviour=2))


def wrong_money(found: ReadOut) -> None:
    replace(found, "profiles-changelog", b"cbert", cold(1, 25_001))


def lost_order(found: ReadOut) -> None:
    found.topics["profiles-changelog"] = [m for m in found.topics["profiles-changelog"] if m.key != b"cbert"]


def lost_customer(found: ReadOut) -> None:
    found.topics["profiles-changelog"] = [m for m in found.topics["profiles-changelog"] if m.key != b"hanna"]


def stranger(found: ReadOut) -> None:
    found.put("profiles-changelog", 1, b"hanna", hot(events=1))


def unerased(found: ReadOut) -> None:
    found.put("profiles-changelog", 0, b"hgone", hot(events=1))


def without_marker(found: ReadOut) -> None:
    key = rows.erased_key("gone")
    found.topics["profiles-changelog"] = [m for m in found.topics["profiles-changelog"] if m.key != key]


def position_behind(found: ReadOut) -> None:
    found.put("clicks", 0, b"anna", b"{}", b"duplicate")


def counts_off(found: ReadOut) -> None:
    for message in found.topics["profiles-changelog"]:
        if message.key == b"m":
            meta = json.loads(message.value or b"")
            replace(found, "profiles-changelog", b"m", json.dumps(meta | {"duplicates": 7}).encode())


def topic_unbalanced(found: ReadOut) -> None:
    meta = json.loads(next(m.value or b"" for m in found.topics["profiles-changelog"] if m.key == b"m"))
    inputs = {"clicks": [6, 5, 0, 0, 0]}
    found.put("profiles-changelog", 0, b"m", json.dumps(meta | {"inputs": inputs}).encode())


def letter_missing(found: ReadOut) -> None:
    found.topics["dead-letters"] = []


def letter_repeated(found: ReadOut) -> None:
    found.topics["dead-letters"] *= 2


def letter_of_usable_record(found: ReadOut) -> None:
    letter = json.loads(found.topics["dead-letters"][0].value or b"") | {"offset": 0}
    found.put("dead-letters", 1, b"bert", json.dumps(letter).encode())


def letter_of_other_bytes(found: ReadOut) -> None:
    letter = json.loads(found.topics["dead-letters"][0].value or b"") | {"raw_sha256": "0"}
    replace(found, "dead-letters", b"bert", json.dumps(letter).encode())


def changes_of(found: ReadOut, name: str) -> list[int]:
    return [i for i, m in enumerate(found.topics["segment-changes"]) if m.key == name.encode()]


def change_missing(found: ReadOut) -> None:
    del found.topics["segment-changes"][changes_of(found, "anna")[1]]


def last_change_missing(found: ReadOut) -> None:
    del found.topics["segment-changes"][changes_of(found, "anna")[2]]


def change_repeated(found: ReadOut) -> None:
    at = changes_of(found, "anna")[2]
    found.topics["segment-changes"].insert(at, found.topics["segment-changes"][at])


def changes_swapped(found: ReadOut) -> None:
    at, changes = changes_of(found, "anna"), found.topics["segment-changes"]
    changes[at[1]], changes[at[2]] = changes[at[2]], changes[at[1]]


def change_elsewhere(found: ReadOut) -> None:
    at, changes = changes_of(found, "anna")[2], found.topics["segment-changes"]
    changes[at] = changes[at]._replace(partition=1)


def id_repeated(found: ReadOut) -> None:
    at, changes = changes_of(found, "anna"), found.topics["segment-changes"]
    first, second = (json.loads(changes[i].value or b"") for i in at[:2])
    changes[at[1]] = changes[at[1]]._replace(
        value=json.dumps(second | {"messageId": first["messageId"]}).encode()
    )


def chain_broken(found: ReadOut) -> None:
    at, changes = changes_of(found, "anna")[2], found.topics["segment-changes"]
    changes[at] = change("anna", 0, 0, 3, "b-1", "b-2", move_id="another")


def half_a_move(found: ReadOut) -> None:
    for record in (change("anna", 0, 0, 4, "b-2", "b-1", left=True),):
        found.put("segment-changes", 0, b"anna", record.value)


def segment_unlike_state(found: ReadOut) -> None:
    replace(found, "profiles-changelog", b"hanna", hot(events=5, views=1, clicks=3, sequence=3, behaviour=1))


def segments_behind(found: ReadOut) -> None:
    now = {"sequence": 1, "behaviour": {"segment_id": "b-1"}, "audiences": []}
    replace(found, "segments", b"anna", json.dumps(now).encode())


def joins_twice(found: ReadOut) -> None:
    for sequence in (4, 5):
        record = change("anna", 0, 0, sequence, None, "buyers", segment_set="audience")
        found.put("segment-changes", 0, b"anna", record.value)


def joins_in_secret(found: ReadOut) -> None:
    record = change("anna", 0, 0, 4, None, "buyers", segment_set="audience")
    found.put("segment-changes", 0, b"anna", record.value)


def version_missing(found: ReadOut) -> None:
    del found.topics["models"][0]


def version_repeated(found: ReadOut) -> None:
    found.topics["models"].append(found.topics["models"][-1])


def delta_doubled(found: ReadOut) -> None:
    found.topics["models"][1] = Message("models", 0, 2, b"m", frame(version=2, rows=4, positions=[[0, 2]]))


STATE = "customers whose state is not what was sent"
MOVES = "moves that do not fit together"
CASES: list[tuple[Fault, set[str]]] = [
    (lost_click, {"events lost", STATE}),
    (doubled_view, {"events double counted", STATE}),
    (event_off_by_one, {STATE}),
    (wrong_money, {STATE}),
    (lost_order, {"events lost", STATE}),
    (lost_customer, {"events lost", STATE}),
    (stranger, {"customers in the state whom nobody sent"}),
    (unerased, {"erasures not carried out"}),
    (without_marker, {"erasures not carried out"}),
    (position_behind, {"positions that are not the inputs' ends", "partitions whose counts do not add up"}),
    (counts_off, {"partitions whose counts do not add up", "positions that are not the inputs' ends"}),
    (topic_unbalanced, {"partitions whose counts do not add up"}),
    (letter_missing, {"dead letters missing"}),
    (letter_repeated, {"dead letters repeated"}),
    (letter_of_usable_record, {"dead letters of usable records"}),
    (letter_of_other_bytes, {"dead letters of another content"}),
    (change_missing, {"sequence gaps", MOVES}),
    (
        last_change_missing,
        {
            MOVES,
            "last changes that differ from the state",
            "last changes that differ from `segments`",
        },
    ),
    (change_repeated, {"sequence repeats", "message ids repeated", MOVES}),
    (changes_swapped, {"sequence gaps", "changes out of order", MOVES}),
    (change_elsewhere, {"changes out of order"}),
    (id_repeated, {"message ids repeated"}),
    (chain_broken, {MOVES}),
    (
        half_a_move,
        {MOVES, "last changes that differ from the state", "last changes that differ from `segments`"},
    ),
    (segment_unlike_state, {"last changes that differ from the state"}),
    (
        joins_twice,
        {
            MOVES,
            "last changes that differ from the state",
            "last changes that differ from `segments`",
        },
    ),
    (
        joins_in_secret,
        {"last changes that differ from the state", "last changes that differ from `segments`"},
    ),
    (segments_behind, {"last changes that differ from `segments`"}),
    (version_missing, {"model versions"}),
    (version_repeated, {"model versions"}),
    (delta_doubled, {"models with other rows than their deltas"}),
]


@pytest.mark.parametrize(("fault", "kinds"), CASES, ids=[fault.__name__ for fault, _ in CASES])
def test_a_fault_is_found_and_named(fault: Fault, kinds: set[str]) -> None:
    found = ReadOut()
    fault(found)

    assert kinds <= wrong(verdict(found))


def test_an_input_that_the_load_did_not_store_or_stored_twice_is_found() -> None:
    found = ReadOut()
    sent: dict[str, object] = {"stored": {"clicks/0": 1}, "customers": {}, "unsent": 0, "refused": []}

    assert {"topic partitions with another count", "customers with other inputs"} <= wrong(
        verdict(found, sent)
    )


def test_an_event_that_the_loads_producer_stored_once_more_is_a_duplicate() -> None:
    expected = Expected()
    for offset in range(3):
        expected.add(Message("clicks", 0, offset, b"c1", b'{"event_id":"e%d"}' % (offset // 2)))

    assert (expected.usable[0], expected.duplicates[0], expected.twice["clicks", 0]) == (2, 1, 1)
    assert (expected.customers["c1"].clicks, expected.by_topic["c1"]["clicks"]) == (2, 2)
