"""JSON Schemas of all records that others write or read, and the AsyncAPI document over them.

`python -m streams.codec.output_schemas docs/` writes them; with `--check` it writes nothing and tells
what differs. Schemas are of draft 7, the dialect that AsyncAPI documents take as it is.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import orjson

from streams.codec import output_examples
from streams.codec.asyncapi import document
from streams.codec.output_records import ChangeRecord, DeadLetterRecord, Definition, MembershipRecord
from streams.codec.schemas import SCHEMAS
from streams.records import INPUT_TOPICS

DIALECT = "http://json-schema.org/draft-07/schema#"
ASYNCAPI_FILE = "asyncapi.json"

_Schema = dict[str, Any]
_SCALAR = {"type": ["string", "number", "boolean", "null"]}
"""What the flag and the main features beside the named properties may be."""
_TOPICS_LIKE = {"segment-changes-backfill": "segment-changes"}
"""Topics whose records have the schema of another topic."""
_OUTPUTS: dict[str, type[msgspec.Struct]] = {
    "segment-changes": ChangeRecord,
    "segments": MembershipRecord,
    "segment-definitions": Definition,
    "dead-letters": DeadLetterRecord,
}


def schemas() -> dict[str, _Schema]:
    """Return the JSON Schema of each topic's values, inputs first, with examples where we write them."""
    found = {topic: _schema(topic, kind) for topic, kind in zip(INPUT_TOPICS, SCHEMAS, strict=True)}
    found |= {topic: _schema(topic, kind) for topic, kind in _OUTPUTS.items()}
    found["segment-changes"]["definitions"]["ChangeProperties"]["additionalProperties"] = _SCALAR
    for topic, examples in _examples().items():
        found[topic]["examples"] = examples
    return found


def schema_of_topic(topic: str) -> str | None:
    """Return the name of the schema of a topic's values; None where they are not JSON."""
    name = _TOPICS_LIKE.get(topic, topic)
    return name if name in _OUTPUTS or name in INPUT_TOPICS else None


def files() -> dict[str, bytes]:
    """Return all generated documents by their path below docs/."""
    made = {f"schemas/{topic}.json": schema for topic, schema in schemas().items()}
    made[ASYNCAPI_FILE] = document(schema_of_topic)
    return {path: orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n" for path, value in made.items()}


def write(folder: Path) -> None:
    """Write all generated documents below a folder."""
    for path, text in files().items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text)


def differences(folder: Path) -> Iterator[str]:
    """Yield a line for each document below a folder that is missing, not up to date, or not ours."""
    made = files()
    for path, text in made.items():
        target = folder / path
        if not target.is_file():
            yield f"{target}: missing"
        elif target.read_bytes() != text:
            yield f"{target}: not what the code says"
    for extra in sorted(set((folder / "schemas").glob("*.json")) - {folder / path for path in made}):
        yield f"{extra}: no topic has this schema"


def _schema(topic: str, kind: type[msgspec.Struct]) -> _Schema:
    """Return the schema of a type, the type itself at the top and what it refers to in `definitions`."""
    _, parts = msgspec.json.schema_components([kind], ref_template="#/definitions/{name}")
    for part in parts.values():
        if "description" in part:
            part["description"] = " ".join(inspect.cleandoc(part["description"]).split())
    top = parts.pop(kind.__name__)
    if kind in _OUTPUTS.values():
        # what we write is always whole, also where reading it tolerates an absent field
        top["required"] = list(top["properties"])
        for part in parts.values():
            part["required"] += [name for name, field in part["properties"].items() if "default" in field]
    return {"$schema": DIALECT, **top, "title": topic, "definitions": parts}


def _examples() -> dict[str, list[Any]]:
    """Return the example values of the topics that we write."""
    return {
        "segment-changes": [orjson.loads(value) for _, value, _ in output_examples.change_records()],
        "segments": [orjson.loads(value) for value in output_examples.membership_records()],
        "segment-definitions": [orjson.loads(value) for value in output_examples.definition_records()],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the documents; return 0, or 1 when the check finds a difference."""
    parser = argparse.ArgumentParser(prog="python -m streams.codec.output_schemas", description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder docs/")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if something differs")
    chosen = parser.parse_args(arguments)
    if not chosen.check:
        write(chosen.folder)
        return 0
    found = list(differences(chosen.folder))
    for line in found:
        sys.stderr.write(f"{line}; run `{parser.prog} {chosen.folder}`\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
