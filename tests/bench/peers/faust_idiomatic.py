"""Faust as its documentation has it: one event at a time, one write to a table each, its defaults."""

from __future__ import annotations

import sys
from typing import Any

import faust

from tests.bench.peers import job
from tests.bench.peers.candidate import EVENTS, OUT, Candidate, Place, Start


def make_app(place: Place) -> Any:
    """Return the app."""
    app = faust.App(
        place.group,
        broker=f"kafka://{place.bootstrap}",
        topic_partitions=place.partitions,
        topic_replication_factor=1,
        datadir=place.folder,
        web_enabled=False,
    )
    events = app.topic(EVENTS, key_type=str, value_serializer="json")
    changes = app.topic(OUT, key_type=str, value_serializer="json")
    customers = app.Table("customers", default=job.new_state, partitions=place.partitions)

    @app.agent(events)  # type: ignore[untyped-decorator] # Faust has no types
    async def segment(stream: Any) -> None:
        async for event in stream:
            customer = event["customer_id"]
            state = customers[customer]
            before = state[5]
            changed = job.step(state, event)
            customers[customer] = state
            if changed:
                await changes.send(key=customer, value=job.change(customer, before, state))

    return app


def start(place: Place) -> Start:
    """Start this file."""
    return Start((sys.executable, "-m", "tests.bench.peers.faust_idiomatic"), place.environ())


# half of the events would take many minutes, and there is nothing to warm up but its interpreter
CANDIDATE = Candidate("faust", "Faust, idiomatic", "small", "at least once", start, warm_s=10.0)

if __name__ == "__main__":
    faust.Worker(make_app(Place.told()), loglevel="ERROR").execute_from_commandline()
