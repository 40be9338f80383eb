"""The worker's page: `/` for people, `/metrics` for Prometheus, `/livez` and `/readyz` for a supervisor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Protocol, TypedDict

import orjson
from aiohttp import web

from streams.codec.output_records import CALLED
from streams.health import Health, Verdict
from streams.metrics import CONTENT_TYPE, Metrics, product_version

REFRESH_S = 5
MAX_CHANGES = 20
"""Changes on the page; older ones are left out."""
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2833}"
    "table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}"
    "th,td{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #d5dbdf;vertical-align:top}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}"
    ".bad{color:#a93226}h2{font-size:1.1rem;margin-bottom:0}"
)
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


class SegmentRow(TypedDict):
    """One segment, as seen by this worker."""

    segment_set: str
    id: str
    name: str
    size: int
    """Members among the customers of this worker's partitions."""


class ChangeRow(TypedDict):
    """One change of segment; without the customer, whose id has no place on a page."""

    timestamp: str
    change: str
    segment_set: str
    segment_name: str
    cause: str
    reason: str


class Snapshot(TypedDict):
    """What the page shows."""

    customers: int
    events: Mapping[str, int]
    """Usable input records since the start, by topic."""
    dead_letters: int
    model_version: int
    broker: str
    """What the broker is, with what it cannot do: `Kafka at host:9092`, `embedded (at least once)`."""
    segments: Sequence[SegmentRow]
    changes: Sequence[ChangeRow]
    """The last ones, newest first."""


class Status(Protocol):
    """Something that can tell the state of the worker without touching disk or network."""

    def snapshot(self) -> Snapshot:
        """Return the state as of now."""
        ...


def register(app: Any, metrics: Metrics, health: Health, status: Status) -> None:
    """Serve the four pages from a Faust app's web server, instead of Faust's own pages.

    Faust's pages tell about keys and tables; none of them is served. Call it once,
    before the app starts. Address and port are the app's settings `web_bind` and `web_port`.
    """
    server = app.web
    server.blueprints = type(server.blueprints)()
    add_routes(server.web_app, metrics, health, status)


def add_routes(server: web.Application, metrics: Metrics, health: Health, status: Status) -> None:
    """Add the four pages to an aiohttp application."""

    async def index(_request: web.Request) -> web.Response:
        text = page(status.snapshot(), health)
        return web.Response(text=text, content_type="text/html", headers=_HEADERS)

    async def samples(_request: web.Request) -> web.Response:
        return web.Response(body=metrics.page(), headers={"Content-Type": CONTENT_TYPE})

    async def livez(_request: web.Request) -> web.Response:
        return _answer(health.live())

    async def readyz(_request: web.Request) -> web.Response:
        return _answer(health.ready())

    server.router.add_get("/", index)
    server.router.add_get("/metrics", samples)
    server.router.add_get("/livez", livez)
    server.router.add_get("/readyz", readyz)


def page(snapshot: Snapshot, health: Health) -> str:
    """Return the status page: one file of HTML, no script, nothing loaded from elsewhere."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="refresh" content="{REFRESH_S}"><title>live-segments</title>'
        f"<style>{_STYLE}</style></head><body><h1>live-segments</h1>"
        "<p>Keeps every customer of a shop in the right segment, live: clicks, views and purchases in, "
        "one record for each change of segment out, with the reason.</p>"
        f"{_state(snapshot, health)}{_segments(snapshot['segments'], 'behaviour', 'Behaviour segments')}"
        f"{_segments(snapshot['segments'], 'audience', 'Audiences')}{_changes(snapshot['changes'])}"
        '<p><a href="/metrics">metrics</a> · <a href="/livez">alive?</a> · <a href="/readyz">ready?</a> · '
        f"version {escape(product_version())}</p></body></html>\n"
    )


def _answer(verdict: Verdict) -> web.Response:
    body = orjson.dumps({"ok": verdict.ok, "reasons": verdict.reasons})
    return web.Response(
        body=body + b"\n", status=200 if verdict else 503, content_type="application/json", headers=_HEADERS
    )


def _state(snapshot: Snapshot, health: Health) -> str:
    ready = health.ready()
    states = health.partitions()
    active = sum(state == "active" for state in states.values())
    rows = [
        ("ready", "yes" if ready else "; ".join(ready.reasons)),
        ("customers", _number(snapshot["customers"])),
        *((f"events from {topic}", _number(count)) for topic, count in snapshot["events"].items()),
        ("dead letters", _number(snapshot["dead_letters"])),
        ("partitions", f"{active} active of {len(states)} assigned"),
        ("behind", f"{health.lag_seconds():.0f} s"),
        ("model", str(snapshot["model_version"] or "none yet: too few customers have been seen")),
        ("broker", snapshot["broker"] + ("" if health.broker_up else ", does not answer")),
    ]
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
    problems = "".join(f'<p class="bad">{escape(reason)}</p>' for reason in health.live().reasons)
    return f"{problems}<h2>This worker</h2><table>{cells}</table>"


def _segments(everything: Sequence[SegmentRow], segment_set: str, title: str) -> str:
    rows = [row for row in everything if row["segment_set"] == segment_set]
    if not rows:
        return f"<h2>{title}</h2><p>None yet.</p>"
    cells = "".join(
        f"<tr><td>{escape(row['id'])}</td><td>{escape(row['name'])}</td>"
        f'<td class="n">{_number(row["size"])}</td></tr>'
        for row in rows
    )
    head = '<tr><th>id</th><th>name</th><th class="n">customers here</th></tr>'
    return f"<h2>{title}</h2><table>{head}{cells}</table>"


def _changes(rows: Sequence[ChangeRow]) -> str:
    if not rows:
        return "<h2>Last changes</h2><p>None yet.</p>"
    cells = "".join(
        f"<tr><td>{escape(row['timestamp'])}</td>"
        f"<td>{escape(row['change'])} {CALLED[row['segment_set']]} {escape(row['segment_name'])}</td>"
        f"<td>{escape(row['cause'])}</td><td>{escape(row['reason'])}</td></tr>"
        for row in rows[:MAX_CHANGES]
    )
    head = "<tr><th>time</th><th>change</th><th>cause</th><th>reason</th></tr>"
    return f"<h2>Last changes</h2><table>{head}{cells}</table>"


def _number(count: int) -> str:
    return f"{count:,}"
