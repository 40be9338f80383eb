"""Wire the worker: settings, clock and engine in, a Faust app out. Wiring only."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import faust
import msgspec

from streams.agents import declare_agents
from streams.clock import Clock
from streams.merge_part import MergePart
from streams.model_log import ModelLog
from streams.settings import Settings
from streams.telemetry import Telemetry
from streams.transport.assignor import Assignor
from streams.transport.failstop import fail_stop
from streams.transport.ownership import Ownership
from streams.transport.ports import EnginePort, MergePort
from streams.transport.sharing import Member
from streams.transport.watchdog import Watchdog

ADVANCE_S = 0.5
"""How often time passes in partitions that have nothing to do."""
HEARTBEAT_S = 0.3
"""A member learns of a rebalance at its next heartbeat; until then the others wait for it."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What makes one worker differ from another: tests and the demo put their own here."""

    engine: EnginePort
    merger: MergePort | None = None
    telemetry: Telemetry | None = None
    transactions: bool = True
    """False for a broker without transactions: at least once."""
    stop_at: Callable[[BaseException], NoReturn] = fail_stop
    web: Callable[[Any], None] | None = None
    """Registers pages on the app; None: no web server."""


def create_app(settings: Settings, clock: Clock, parts: Parts) -> Any:
    """Return a Faust app that is not started.

    Raises:
        UsageError: no brokers are named.
    """
    telemetry = parts.telemetry or Telemetry()
    app = faust.App(settings.app_id, **_configuration(settings, web=parts.web is not None))
    app.ownership = Ownership(
        settings, parts.engine, clock, telemetry, transactions=parts.transactions, fail_stop=parts.stop_at
    )
    app.merge_part = None
    if parts.merger is not None:
        app.merge_part = MergePart(
            settings, parts.merger, clock, telemetry, transactions=parts.transactions, fail_stop=parts.stop_at
        )
    app.delta_topic = settings.topic_prefix + "model-deltas"
    app.member = lambda: _member(app)
    declare_agents(app)
    _declare_timers(app, settings, telemetry, parts)
    if parts.web is not None:
        parts.web(app)
    return app


def _member(app: Any) -> Member:
    """Return what this worker says of itself when it joins the group."""
    merge = app.merge_part
    return msgspec.structs.replace(
        app.ownership.member(), merger=merge is not None and merge.life is not None
    )


def _configuration(settings: Settings, *, web: bool) -> dict[str, Any]:
    """Return Faust's configuration; reasons beside what is not its default."""
    brokers = (settings.kafka_bootstrap or "").split(",")
    return {
        "broker": ";".join(f"chunk://{broker.strip()}" for broker in brokers),
        "store": "memory://",
        "PartitionAssignor": Assignor,
        "datadir": str(Path(tempfile.gettempdir()) / "live-segments-faust"),  # made, and never used
        "broker_session_timeout": settings.session_timeout_ms / 1000,
        "broker_heartbeat_interval": HEARTBEAT_S,
        "broker_rebalance_timeout": 60.0,
        "broker_max_poll_interval": 1e11,  # nobody polls: a worker would leave the group, for ever, after it
        "broker_commit_interval": 2.8,
        "consumer_max_fetch_size": 1 << 20,
        "stream_buffer_maxsize": 2,  # chunks; more would only be dropped at a rebalance
        "stream_wait_empty": True,  # the revoke commits
        "table_standby_replicas": 0,
        "topic_allow_declare": False,  # topics are made by `live-segments topics create`
        "topic_disable_leader": True,
        "topic_partitions": settings.partitions,
        "web_enabled": web,
        "web_bind": settings.web_bind,
        "web_port": settings.web_port,
        "worker_redirect_stdouts": False,
    }


def _every(app: Any, interval_s: float, look: Callable[[], Awaitable[None]]) -> None:
    """Have something done at intervals; a timer of Faust's would turn the loop several times for each."""

    @app.task
    async def repeat() -> None:
        while not app.should_stop:
            await asyncio.sleep(interval_s)
            await look()


def _declare_timers(app: Any, settings: Settings, telemetry: Telemetry, parts: Parts) -> None:
    ownership, merge_part = app.ownership, app.merge_part
    refused = telemetry.metrics.definitions_refused_total.inc
    model_log = ModelLog(settings, parts.engine.offer_model, refused, committed=parts.transactions)
    watchdog = Watchdog(app, telemetry)

    @app.task
    async def commit() -> None:
        while not app.should_stop:
            await ownership.alarms.commit.wait()
            ownership.tick()
            if merge_part is not None:
                merge_part.tick()

    async def advance() -> None:
        telemetry.health.on_loop()
        try:
            ownership.advance()
        except Exception as error:  # noqa: BLE001 - Faust would go on for some turns, with half of a decision
            ownership.fail_stop(error)

    @app.task
    async def sweep() -> None:
        while not app.should_stop:
            try:
                more = ownership.sweep()
            except Exception as error:  # noqa: BLE001 - as above
                ownership.fail_stop(error)
            await (asyncio.sleep(0) if more else ownership.alarms.sweep.wait())

    _every(app, ADVANCE_S, advance)
    _every(app, watchdog.interval_s, watchdog.look)

    @app.task
    async def follow_models() -> None:
        await model_log.follow(ownership.ready_to_open.set)
