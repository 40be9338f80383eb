"""The committed documents: up to date, every reference resolves, valid AsyncAPI."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from streams.codec import output_schemas
from streams.topics import TOPICS

DOCS = Path(__file__).parents[2] / "docs"
ASYNCAPI_SCHEMA = Path(__file__).parent / "data" / "asyncapi-3.0.0.json.gz"


@cache
def asyncapi() -> dict[str, Any]:
    """Return the committed AsyncAPI document."""
    found: dict[str, Any] = json.loads((DOCS / "asyncapi.json").read_bytes())
    return found


def test_the_committed_documents_are_what_the_code_says() -> None:
    """`python -m streams.codec.output_schemas docs/` would change nothing."""
    assert list(output_schemas.differences(DOCS)) == []


def test_the_check_tells_each_difference_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing, a changed and a stray file are each named; the exit code is 1; nothing is repaired."""
    assert output_schemas.main([str(tmp_path)]) == 0
    assert output_schemas.main([str(tmp_path), "--check"]) == 0
    (tmp_path / "schemas" / "segments.json").unlink()
    (tmp_path / "asyncapi.json").write_text("{}")
    (tmp_path / "schemas" / "stray.json").write_text("{}")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}

    assert output_schemas.main([str(tmp_path), "--check"]) == 1

    told = capsys.readouterr().err
    assert [name in told for name in ("segments.json", "asyncapi.json", "stray.json")] == [True] * 3
    assert len(told.splitlines()) == 3
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*.json")}


def references(node: Any) -> Iterator[str]:
    """Yield the target of every `$ref` below a node, examples left out."""
    if isinstance(node, dict):
        for key, child in node.items():
            if key == "$ref" and isinstance(child, str):
                yield child
            elif key != "examples":
                yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


def resolve(file: Path, reference: str) -> Any:
    """Return what a reference in a file means, or raise."""
    name, _, pointer = reference.partition("#")
    node = json.loads(((file.parent / name) if name else file).read_bytes())
    for step in pointer.split("/")[1:]:
        node = node[step.replace("~1", "/").replace("~0", "~")]
    return node


@pytest.mark.parametrize(
    "file",
    [DOCS / "asyncapi.json", *sorted((DOCS / "schemas").glob("*.json"))],
    ids=lambda file: str(file.name),
)
def test_every_reference_resolves(file: Path) -> None:
    """Validators of AsyncAPI do not notice a reference to nowhere; this does."""
    for reference in references(json.loads(file.read_bytes())):
        assert isinstance(resolve(file, reference), dict), reference


def test_the_asyncapi_document_is_one() -> None:
    """The document obeys the published schema of AsyncAPI 3.0.0, and a wrong action would not."""
    validator = Draft7Validator(json.loads(gzip.decompress(ASYNCAPI_SCHEMA.read_bytes())))
    broken = json.loads(json.dumps(asyncapi()))
    broken["operations"]["send-segments"]["action"] = "publish"

    assert [error.message for error in validator.iter_errors(asyncapi())] == []
    assert list(validator.iter_errors(broken))


def test_the_asyncapi_document_has_every_topic_once() -> None:
    """Each declared topic is a channel with one operation and one message."""
    names = [topic.name for topic in TOPICS]

    assert list(asyncapi()["channels"]) == names
    assert list(asyncapi()["components"]["messages"]) == names
    assert [operation["channel"]["$ref"] for operation in asyncapi()["operations"].values()] == [
        f"#/channels/{name}" for name in names
    ]


def test_the_payload_of_each_subscribers_topic_is_its_schema() -> None:
    """Backfills have the schema of the changes; the internal topics have none."""
    payloads = {
        name: message["payload"]["$ref"]
        for name, message in asyncapi()["components"]["messages"].items()
        if "payload" in message
    }

    assert payloads == {
        name: f"./schemas/{'segment-changes' if name == 'segment-changes-backfill' else name}.json"
        for name in (
            "clicks",
            "product-views",
            "purchases",
            "customers",
            "segments",
            "segment-changes",
            "segment-changes-backfill",
            "dead-letters",
            "segment-definitions",
        )
    }


def test_the_examples_of_the_asyncapi_document_obey_their_schemas() -> None:
    """Payload and headers of each shown message are as described."""
    message = asyncapi()["components"]["messages"]["segment-changes"]
    headers = Draft7Validator(asyncapi()["components"]["schemas"]["changeHeaders"])
    payload = Draft7Validator(json.loads((DOCS / "schemas" / "segment-changes.json").read_bytes()))

    assert len(message["examples"]) == 4
    for example in message["examples"]:
        payload.validate(example["payload"])
        headers.validate(example["headers"])
