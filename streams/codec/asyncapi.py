"""The AsyncAPI 3.0 document: topics, keys, headers and where the schemas of the values lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from streams.codec import output_examples
from streams.codec.changes import CHANGE_TYPE
from streams.codec.output_records import SCHEMA_VERSION
from streams.records import INPUT_TOPICS
from streams.topics import FOREVER, TOPICS, Topic

_Object = dict[str, Any]
_BINDING = "0.5.0"
"""Version of AsyncAPI's Kafka bindings."""
_TOPIC_KEYS = ("delete.retention.ms", "max.message.bytes")
"""Settings of a topic that the binding knows, beside clean-up and retention."""
_INTERNAL = frozenset(("profiles-changelog", "model-deltas", "models"))
_CUSTOMER_KEY = {"type": "string", "minLength": 1, "description": "customer_id, UTF-8, at most 256 bytes."}
_KEYS: dict[str, _Object] = {
    "segment-definitions": {"type": "string", "description": "Id of the segment, UTF-8."},
    "dead-letters": {"type": "string", "description": "Key of the record that could not be used, if any."},
}
_TOMBSTONES = {
    "customers": "A null value erases the customer.",
    "segments": "A null value: the customer was erased.",
}


def document(schema_of_topic: Callable[[str], str | None]) -> _Object:
    """Return the AsyncAPI document over all topics; references are relative to docs/.

    Args:
        schema_of_topic: name of the schema of a topic's values in docs/schemas/; None: they are not JSON.
    """
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "live-segments",
            "version": f"{SCHEMA_VERSION}.0.0",
            "description": "Keeps every shop customer in the right segment, live. Names are without the "
            "deployment's topic prefix. Fields are only ever added; ignore those you do not know.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {_operation_name(topic): _operation(topic) for topic in TOPICS},
        "components": {
            "messages": {topic.name: _message(topic, schema_of_topic(topic.name)) for topic in TOPICS},
            "schemas": {"changeHeaders": _change_headers()},
        },
    }


def _channel(topic: Topic) -> _Object:
    """Return a topic with its Kafka settings; the partition count of the inputs is a deployment's choice."""
    settings: _Object = {"cleanup.policy": [topic.cleanup]}
    if topic.cleanup == "delete":
        settings["retention.ms"] = topic.retention_ms
    settings |= {key: int(topic.config[key]) for key in _TOPIC_KEYS if key in topic.config}
    kafka: _Object = {"topic": topic.name}
    if topic.partitions != "input":
        kafka["partitions"] = topic.partitions
    partitions = "partitions: as many as each input topic" if topic.partitions == "input" else "one partition"
    kept = "kept for ever" if topic.cleanup == "delete" and topic.retention_ms == FOREVER else ""
    internal = "internal: its format is no contract" if topic.name in _INTERNAL else ""
    facts = "; ".join(fact for fact in (topic.meaning, partitions, kept, internal) if fact)
    return {
        "address": topic.name,
        "description": f"{facts[0].upper()}{facts[1:]}.",
        "messages": {topic.name: {"$ref": f"#/components/messages/{topic.name}"}},
        "bindings": {"kafka": {**kafka, "topicConfiguration": settings, "bindingVersion": _BINDING}},
    }


def _operation_name(topic: Topic) -> str:
    return f"{'receive' if topic.name in INPUT_TOPICS else 'send'}-{topic.name}"


def _operation(topic: Topic) -> _Object:
    """Return what this application does with a topic; `send` is what a subscriber receives."""
    return {
        "action": "receive" if topic.name in INPUT_TOPICS else "send",
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "summary": f"{topic.meaning[0].upper()}{topic.meaning[1:]}.",
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/{topic.name}"}],
    }


def _message(topic: Topic, schema: str | None) -> _Object:
    """Return the record of a topic: key, headers, value."""
    message: _Object = {"name": topic.name, "title": topic.name}
    if schema is None:
        return {**message, "contentType": "application/octet-stream"}
    if topic.name in _TOMBSTONES:
        message["description"] = _TOMBSTONES[topic.name]
    message |= {
        "contentType": "application/json",
        "payload": {"$ref": f"./schemas/{schema}.json"},
        "bindings": {"kafka": {"key": _KEYS.get(topic.name, _CUSTOMER_KEY), "bindingVersion": _BINDING}},
    }
    if schema == "segment-changes":
        message["headers"] = {"$ref": "#/components/schemas/changeHeaders"}
    if topic.name == "segment-changes":
        message["examples"] = [
            {
                "summary": title,
                "headers": {name: text.decode() for name, text in headers},
                "payload": orjson.loads(value),
            }
            for title, value, headers in output_examples.change_records()
        ]
    return message


def _change_headers() -> _Object:
    """Return the schema of the headers of a change record; nothing depends on them."""
    described = {
        "ce_specversion": "CloudEvents, binary mode: 1.0.",
        "ce_id": "As messageId.",
        "ce_type": f"`{CHANGE_TYPE}`.",
        "ce_source": "`/live-segments/<app id>`.",
        "ce_time": "As timestamp.",
        "ce_subject": "As userId.",
        "content-type": "`application/json`.",
        "origin": "As properties.origin: filter without parsing the value.",
        "traceparent": "W3C trace context, when there is one.",
    }
    return {
        "type": "object",
        "properties": {name: {"type": "string", "description": text} for name, text in described.items()},
        "required": [name for name in described if name != "traceparent"],
    }
