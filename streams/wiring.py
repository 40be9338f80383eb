"""Settings to engine: the one place that builds it, for the worker, the replay and the tools."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from models.clusterer import Model
from models.features import BY_NAME
from streams.calendars import calendar_of
from streams.clock import Clock
from streams.codec.events import Decoder, InputRules
from streams.codec.guards import PartitionerCheck
from streams.codec.output_records import Origin
from streams.engine import Engine
from streams.errors import UsageError
from streams.merging import Merging
from streams.notice import compiling_told
from streams.observer import NO_OBSERVER, EngineObserver
from streams.rules import EngineRules
from streams.segments_file import read_definitions, segments_file
from streams.settings import Settings


def make_engine(
    settings: Settings,
    clock: Clock,
    *,
    observer: EngineObserver = NO_OBSERVER,
    recorded: bool = False,
    sweep_ms: int | None = None,
    run_id: str = "live",
    origin: Origin | None = None,
    exactly_once: bool = True,
) -> Engine:
    """Return an engine without partitions; says so when its kernels have to be compiled first.

    Args:
        settings: the deployment's.
        clock: the wall clock; a replay's stands at the event time.
        observer: who listens.
        recorded: the input is recorded: times are not compared with the clock, nor keys with partitions.
        sweep_ms: tick interval of a replay; None for a worker, which sweeps by the settings.
        run_id: part of the message ids.
        origin: origin of all change records; None for a worker.
        exactly_once: the broker has transactions.

    Raises:
        UsageError: a setting does not fit.
    """
    if unknown := [name for name in settings.main_features if name not in BY_NAME]:
        raise UsageError(
            f"LIVE_SEGMENTS_MAIN_FEATURES: unknown feature {unknown[0]}; see `live-segments features`"
        )
    rules = InputRules(
        settings.partitions, settings.partitioner, settings.currency, settings.currency_rates, not recorded
    )
    grid = settings.sweep_interval_s * 1000
    engine_rules = EngineRules(
        app_id=settings.app_id,
        margin=settings.margin,
        min_stay_ms=settings.min_stay_s * 1000,
        min_events=settings.min_events,
        sweep_ms=grid,
        catchup_sweep_ms=sweep_ms or EngineRules.catchup_sweep_ms,
        history_sweep_ms=sweep_ms or EngineRules.history_sweep_ms,
        catchup_after_ms=-1 if sweep_ms else settings.catchup_after_s * 1000,
        main_features=settings.main_features,
        erasure_key=settings.erasure_key,
        run_id=run_id,
        origin=origin,
        max_unusable_share=settings.max_unusable_share,
        exactly_once=exactly_once,
        sliced=sweep_ms is None,
    )
    check = None if recorded else PartitionerCheck(settings.partitions, settings.partitioner)
    with compiling_told():
        return Engine(engine_rules, Decoder(rules), clock, calendar_of(settings.timezone), check, observer)


def make_merging(
    settings: Settings,
    definitions_refused: Callable[[], None] = lambda: None,
    on_model: Callable[[Model], None] = lambda _: None,
) -> Merging:
    """Return the merger's state.

    Args:
        settings: the deployment's.
        definitions_refused: called when definitions cannot be put in force.
        on_model: called with the model to begin from, and each new one.
    """
    first = partial(read_definitions, segments_file(settings))
    return Merging(first, settings.n_clusters, settings.seed, definitions_refused, on_model)
