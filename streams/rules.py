"""What a deployment says about the engine."""

from __future__ import annotations

from dataclasses import dataclass

from models.calendar import DAY_MS, HOUR_MS
from streams.codec.output_records import Origin


@dataclass(frozen=True, kw_only=True)
class EngineRules:
    """Bounds and choices; times in milliseconds."""

    app_id: str
    margin: float = 0.35
    """Share by which another segment must be nearer before a customer moves."""
    min_stay_ms: int = 0
    """Event time that a behaviour segment is held at least before another takes its place; 0: no minimum."""
    min_events: int = 3
    """Events before a customer without orders gets a segment; an order suffices."""
    sweep_ms: int = 30_000
    """The tick interval near the wall clock, and the grid of due times."""
    catchup_sweep_ms: int = HOUR_MS
    """The tick interval while stream time is more than `catchup_after_ms` behind the wall clock."""
    catchup_after_ms: int = HOUR_MS
    history_sweep_ms: int = DAY_MS
    """The tick interval while stream time is more than `history_after_ms` behind."""
    history_after_ms: int = 7 * DAY_MS
    main_features: tuple[str, ...] = ()
    erasure_key: str = "live-segments"
    run_id: str = "live"
    origin: Origin | None = None
    """Origin of all records; None: live or catchup, by age at the commit."""
    sliced: bool = False
    """Sweeps go on between chunks, a slice at a time; False: a tick decides everyone at once."""
    max_unusable_share: float = 0.9
    exactly_once: bool = True
    """State and offsets are committed together; False: after a crash the state may be ahead."""
    capacity: int = 1 << 23
    """Most customers in memory."""
