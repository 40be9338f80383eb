"""The worker's pages, over HTTP, as Prometheus, a supervisor and a person see them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import faust
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from streams.health import Health
from streams.metrics import Metrics
from streams.web import MAX_CHANGES, SegmentRow, Snapshot, add_routes, register


class Shop:
    """A status that is set by hand."""

    def __init__(self) -> None:
        self.state = Snapshot(
            customers=12345,
            events={"clicks": 7, "purchases": 3},
            dead_letters=2,
            model_version=4,
            broker="Kafka at kafka:9092",
            segments=[{"segment_set": "behaviour", "id": "b-1", "name": "Loyal <b>", "size": 1200}],
            changes=[],
        )

    def snapshot(self) -> Snapshot:
        """Return the state."""
        return self.state


class Time:
    """A monotonic clock that is moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


def get(
    *paths: str, health: Health | None = None, shop: Shop | None = None
) -> list[tuple[ClientResponse, str]]:
    """Serve the pages on a free port and fetch some."""

    async def fetch() -> list[tuple[ClientResponse, str]]:
        app = web.Application()
        add_routes(app, Metrics(), health or Health(), shop or Shop())
        async with TestClient(TestServer(app)) as client:
            answers = [await client.get(path) for path in paths]
            return [(answer, await answer.text()) for answer in answers]

    return asyncio.run(fetch())


def ready_health() -> Health:
    health = Health()
    health.on_broker(up=True)
    health.on_assigned({0})
    health.on_state(0, "active")
    return health


def test_metrics_in_the_form_that_prometheus_reads() -> None:
    """Content type and text are those of the exposition format."""
    [(answer, text)] = get("/metrics")

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "# TYPE live_segments_events_total counter" in text


def test_probes_say_yes() -> None:
    """200 and no reasons when all is well."""
    for answer, text in get("/livez", "/readyz", health=ready_health()):
        assert answer.status == 200
        assert json.loads(text) == {"ok": True, "reasons": []}


def test_probes_say_no_with_the_reason() -> None:
    """503, and one line for each reason."""
    timer = Time()
    health = Health(timer)
    timer.now = 100.0

    (live, live_text), (ready, ready_text) = get("/livez", "/readyz", health=health)

    assert (live.status, ready.status) == (503, 503)
    assert json.loads(live_text) == {"ok": False, "reasons": ["the event loop has not turned for 100 s"]}
    assert json.loads(ready_text)["reasons"] == ["has not joined the consumer group yet"]


def test_the_page_shows_state_and_segments() -> None:
    """A person sees at a glance whether it runs, how much it did, and who is in which segment."""
    [(answer, text)] = get("/", health=ready_health())

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    for shown in ("12,345", "events from clicks", "1 active of 1 assigned", "Kafka at kafka:9092", "1,200"):
        assert shown in text
    assert 'href="/metrics"' in text


def test_behaviour_segments_and_audiences_are_tables_of_their_own() -> None:
    """A customer is in one behaviour segment, and in any number of audiences: their sizes are told apart."""
    shop = Shop()
    audience = SegmentRow(segment_set="audience", id="loyal", name="Loyal ones", size=77)
    shop.state["segments"] = [*shop.state["segments"], audience]

    [(_, text)] = get("/", health=ready_health(), shop=shop)

    behaviour, rest = text.split("<h2>Behaviour segments</h2>")[1].split("<h2>Audiences</h2>")
    assert ("1,200" in behaviour, "Loyal ones" in behaviour) == (True, False)
    assert ("1,200" in rest, "77" in rest) == (False, True)


def test_the_page_escapes_what_comes_from_outside() -> None:
    """Names of segments and reasons hold text from events: it is shown, never run."""
    shop = Shop()
    shop.state["changes"] = [
        {
            "timestamp": "2026-01-02T03:04:05Z",
            "change": "entered",
            "segment_set": "audience",
            "segment_name": "Loyal <b>",
            "cause": "event",
            "reason": "bought <script>alert(1)</script>",
        }
    ]

    [(answer, text)] = get("/", shop=shop)

    assert "<script" not in text
    assert "bought &lt;script&gt;" in text
    assert "entered audience Loyal &lt;b&gt;" in text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_the_page_never_shows_a_customer() -> None:
    """Whatever else a status hands over with a change, the customer's id does not reach the page."""
    shop = Shop()
    row: Any = {
        "timestamp": "2026-01-02T03:04:05Z",
        "change": "left",
        "segment_set": "behaviour",
        "segment_name": "New",
        "cause": "time",
        "reason": "no visit for 30 days",
        "customer_id": "jane-4711",
    }
    shop.state["changes"] = [row] * (MAX_CHANGES + 5)

    [(_, text)] = get("/", shop=shop)

    assert "jane-4711" not in text
    assert text.count("no visit for 30 days") == MAX_CHANGES


def test_the_page_before_anything_happened() -> None:
    """An empty worker says so, in words, instead of empty tables."""
    shop = Shop()
    shop.state |= {"segments": [], "changes": [], "model_version": 0}

    [(_, text)] = get("/", shop=shop)

    assert text.count("None yet.") == 3
    assert "none yet: too few customers have been seen" in text
    assert "has not joined the consumer group yet" in text
    assert "does not answer" in text


def test_a_faust_app_serves_our_pages_and_none_of_its_own() -> None:
    """Faust's table and router pages, which tell of keys, are gone; ours answer."""

    async def fetch() -> dict[str, int]:
        app = faust.App("web-test", broker="kafka://127.0.0.1:1", web_enabled=True)
        register(app, Metrics(), ready_health(), Shop())
        app.web.init_server()
        async with TestClient(TestServer(app.web.web_app)) as client:
            paths = ("/", "/metrics", "/livez", "/readyz", "/table/", "/router/", "/graph/")
            return {path: (await client.get(path)).status for path in paths}

    statuses = asyncio.run(fetch())

    assert {path for path, status in statuses.items() if status == 200} == {
        "/",
        "/metrics",
        "/livez",
        "/readyz",
    }
    assert {statuses[path] for path in ("/table/", "/router/", "/graph/")} == {404}
