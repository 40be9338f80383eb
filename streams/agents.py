"""The agents: what Faust calls for each chunk and each bundle of deltas."""

from __future__ import annotations

from typing import Any

from streams.records import INPUT_TOPICS
from streams.transport.chunk import ChunkSchema


def declare_agents(app: Any) -> None:
    """Declare the agents of an app that has `ownership` and `merge_part`.

    Faust acks a message whose agent raises and goes on with the next one: here an error ends the process.
    """
    ownership, merge_part = app.ownership, app.merge_part
    names = [ownership.settings.topic_prefix + name for name in INPUT_TOPICS]

    @app.agent(app.topic(*names, schema=ChunkSchema()), name="segments")
    async def segments(chunks: Any) -> None:
        async for chunk in chunks:
            try:
                ownership.process(chunk)
            except Exception as error:  # noqa: BLE001 - see above
                ownership.fail_stop(error)

    if merge_part is None:
        return

    @app.agent(app.topic(merge_part.source.topic, schema=ChunkSchema()), name="merger")
    async def merger(bundles: Any) -> None:
        async for deltas in bundles:
            try:
                merge_part.process(deltas)
                ownership.alarms.commit.ring()
            except Exception as error:  # noqa: BLE001 - see above
                ownership.fail_stop(error)
