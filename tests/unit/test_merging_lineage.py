"""What the records of the segments say of a version's effect on them."""

from __future__ import annotations

from dataclasses import replace

from models.clusterer import LineageEvent, LineageKind
from streams.codec.definitions import decode_definition
from streams.codec.output_records import Definition, Lineage
from streams.merging import definitions
from tests.clusterer_samples import first_model, mixture

MODEL = replace(
    first_model(mixture(seed=3, rows=800)[0]),
    version=7,
    lineage=(
        LineageEvent(LineageKind.SURVIVED, 1, 1, 0.9),
        LineageEvent(LineageKind.BORN, 2),
        LineageEvent(LineageKind.SPLIT, 3, 1, 0.7),
        LineageEvent(LineageKind.ABSORBED, 21, 1, 0.8),
        LineageEvent(LineageKind.DIED, 22, share=0.3),
    ),
)


def record(segment: str) -> Definition:
    """Return what is said of a segment."""
    values = {(one.key or b"").decode(): one.value or b"" for one in definitions(MODEL)}
    return decode_definition(values[segment])


def test_a_segment_that_went_on_says_so_and_whom_it_took_in() -> None:
    """Survived comes from itself; absorbed names the one that is gone."""
    assert record("b-1").lineage == (Lineage("survived", ["b-1"], 7), Lineage("absorbed", ["b-21"], 7))


def test_a_born_segment_comes_from_none_and_a_split_one_from_its_parent() -> None:
    assert record("b-2").lineage == (Lineage("born", [], 7),)
    assert record("b-3").lineage == (Lineage("split", ["b-1"], 7),)


def test_an_absorbed_segment_names_its_heir() -> None:
    """Its last record says where its customers went, for programs and for people."""
    ended, heir = record("b-21"), record("b-1")

    assert ended.lineage == (Lineage("died", [], 7, ("b-1",)),)
    assert ended.description == f"This segment is no more. Most of its customers went to {heir.name} (b-1)."
    assert (ended.name, ended.size, ended.share) == ("b-21 (ended)", 0, 0.0)


def test_a_segment_that_is_no_more_keeps_its_name_in_its_last_record() -> None:
    model = replace(MODEL, departed={21: "Big baskets"})
    values = {one.key: one.value or b"" for one in definitions(model)}

    assert decode_definition(values[b"b-21"]).name == "Big baskets (ended)"


def test_a_segment_whose_customers_went_apart_has_no_heir() -> None:
    ended = record("b-22")

    assert ended.lineage == (Lineage("died", [], 7),)
    assert ended.description == "This segment is no more. No other took in most of its customers."


def test_a_segment_that_this_version_did_nothing_to_has_no_step() -> None:
    assert record("b-4").lineage == ()
