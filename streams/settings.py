"""Every setting once: name, type, bounds, default and meaning; commands and README print this table."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from streams.errors import UsageError

PREFIX = "LIVE_SEGMENTS_"
CONFIG = "LIVE_SEGMENTS_CONFIG"
"""Names the TOML file; the only LIVE_SEGMENTS_ variable that is no setting itself."""
_UNPREFIXED = {"kafka_bootstrap": "KAFKA_BOOTSTRAP"}


def _is_timezone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _are_rates(rates: Mapping[str, float]) -> bool:
    return all(re.fullmatch("[A-Z]{3}", code) and 0 < rate < 1e9 for code, rate in rates.items())


def _are_addresses(text: str) -> bool:
    form = re.compile(r"(?:\[[0-9a-fA-F:]+\]|[\w.-]+):([0-9]{1,5})")
    found = [form.fullmatch(part.strip()) for part in text.split(",")]
    return all(match is not None and 1 <= int(match[1]) <= 65_535 for match in found)


def _meta(
    meaning: str,
    *,
    allowed: str = "",
    check: Callable[[Any], bool] | None = None,
    secret: bool = False,
    **bounds: Any,
) -> Meta:
    """Return what msgspec checks (the bounds) together with what people read."""
    return Meta(description=meaning, extra={"allowed": allowed, "check": check, "secret": secret}, **bounds)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings; build it with `load_settings`, or directly in tests (then nothing is checked)."""

    kafka_bootstrap: Annotated[
        str | None,
        _meta(
            "addresses of the Kafka brokers; every command that speaks to Kafka needs them, but for `demo`",
            allowed="HOST:PORT, several with commas between; ports from 1 to 65535",
            check=_are_addresses,
        ),
    ] = None
    app_id: Annotated[
        str,
        _meta(
            "consumer group and prefix of transactional ids; deployments on one Kafka must differ in it",
            allowed="1 to 100 of the characters a-z A-Z 0-9 . _ -",
            pattern=r"^[a-zA-Z0-9._-]{1,100}$",
        ),
    ] = "live-segments"
    topic_prefix: Annotated[
        str,
        _meta(
            "put before the name of every topic",
            allowed="at most 100 of the characters a-z A-Z 0-9 . _ -",
            pattern=r"^[a-zA-Z0-9._-]{0,100}$",
        ),
    ] = ""
    partitions: Annotated[
        int,
        _meta(
            "partitions of each input topic; it bounds the number of workers and cannot be changed later",
            ge=1,
            le=1024,
        ),
    ] = 8
    replication_factor: Annotated[
        int, _meta("copies of each topic; 3 in production, at most the number of brokers", ge=1, le=15)
    ] = 1
    commit_interval_ms: Annotated[
        int,
        _meta(
            "how long a commit waits for more events; up to five times as long where few come",
            ge=10,
            le=10_000,
        ),
    ] = 100
    sweep_interval_s: Annotated[
        int, _meta("how often customers whom time has changed are looked for", ge=1, le=3600)
    ] = 30
    catchup_after_s: Annotated[
        int,
        _meta(
            "a change whose event is older than this at its commit has origin `catchup`, not `live`",
            ge=1,
            le=31_536_000,
        ),
    ] = 3600
    max_unusable_share: Annotated[
        float,
        _meta(
            "exit when more of a topic partition's last 1,000 records are unusable; 1 = never", ge=0.0, le=1.0
        ),
    ] = 0.9
    partitioner: Annotated[
        Literal["murmur2", "crc32"],
        _meta("how the producers of the input place keys: murmur2 (Java's default) or crc32 (librdkafka's)"),
    ] = "murmur2"
    timezone: Annotated[
        str,
        _meta(
            "time zone of the calendar days behind *_1d, *_7d, *_30d, evening and weekend",
            allowed="an IANA time zone such as Europe/Berlin",
            check=_is_timezone,
        ),
    ] = "UTC"
    currency: Annotated[
        str,
        _meta(
            "reporting currency, also assumed where a record names none",
            allowed="three capital letters such as EUR",
            pattern="^[A-Z]{3}$",
        ),
    ] = "EUR"
    currency_rates: Annotated[
        dict[str, float],
        _meta(
            "what one unit of another currency is worth in the reporting currency; others are dead letters",
            allowed="CODE=RATE with commas between, such as USD=0.92,GBP=1.17; rates above 0",
            check=_are_rates,
        ),
    ] = {}
    segments_file: Annotated[
        str | None,
        _meta("file with the declared audiences; unset: the shipped one", allowed="path of a TOML file"),
    ] = None
    n_clusters: Annotated[int, _meta("number of behaviour segments", ge=2, le=64)] = 8
    seed: Annotated[int, _meta("seed of the clusterer and the simulated shop", ge=0, le=2**32 - 1)] = 42
    min_events: Annotated[
        int, _meta("events a customer needs before they get a behaviour segment", ge=1, le=1000)
    ] = 3
    margin: Annotated[
        float,
        _meta(
            "share by which another behaviour segment must be nearer before a customer moves", ge=0.0, le=0.9
        ),
    ] = 0.35
    min_stay_s: Annotated[
        int,
        _meta(
            "event time that a behaviour segment is held at least before another takes its place; 0 = none",
            ge=0,
            le=31_536_000,
        ),
    ] = 0
    main_features: Annotated[
        tuple[str, ...],
        _meta("features shown in every change record and in `segments`", allowed="names with commas between"),
    ] = ("orders_total", "money_365d", "days_since_order", "top_category", "consent_marketing")
    max_chunk: Annotated[
        int,
        _meta(
            "most events decoded and decided in one call; fewer after one that took above 0.25 s of CPU",
            ge=1,
            le=100_000,
        ),
    ] = 8000
    transaction_timeout_ms: Annotated[
        int,
        _meta(
            "longest broker outage a worker survives; readers wait as long for a killed worker",
            ge=10_000,
            le=900_000,
        ),
    ] = 30_000
    session_timeout_ms: Annotated[
        int,
        _meta("after this silence a worker's partitions go to the others", ge=6_000, le=300_000),
    ] = 10_000
    handover_timeout_ms: Annotated[
        int,
        _meta(
            "a worker that is told to stop waits so long for others to take over; 0 = stops at once",
            ge=0,
            le=600_000,
        ),
    ] = 15_000
    web_bind: Annotated[
        str, _meta("address the worker's page listens on", allowed="an IP address or host name")
    ] = "127.0.0.1"
    web_port: Annotated[int, _meta("port of the worker's page; 0 = any free one", ge=0, le=65_535)] = 6066
    erasure_key: Annotated[
        str,
        _meta(
            "key of the hash that marks erased customers; choose your own and never change it",
            allowed="text of 1 to 64 bytes",
            check=lambda text: 1 <= len(text.encode()) <= 64,
            secret=True,
        ),
    ] = "live-segments"
    security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], _meta("how to speak to Kafka")
    ] = "PLAINTEXT"
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], _meta("how to sign in with a SASL_ protocol")
    ] = "PLAIN"
    sasl_username: Annotated[str | None, _meta("user for a SASL_ protocol", allowed="text")] = None
    sasl_password: Annotated[
        str | None, _meta("password for a SASL_ protocol", allowed="text", secret=True)
    ] = None
    ssl_cafile: Annotated[
        str | None,
        _meta("certificates that sign the brokers' ones; unset: the system's", allowed="path of a PEM file"),
    ] = None
    cache: Annotated[
        str, _meta("folder for fetched files, such as the jars of a test Kafka", allowed="path of a folder")
    ] = "~/.cache/live-segments"
    log_format: Annotated[Literal["text", "json"], _meta("form of the log lines on stderr")] = "text"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        _meta("least level that is logged; customer ids appear at debug only"),
    ] = "info"

    def __repr__(self) -> str:
        """Return the settings with secrets hidden, so that they may be logged."""
        return f"Settings({', '.join(f'{row.name}={shown(self, row)!r}' for row in SETTINGS)})"


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the table of settings."""

    name: str
    env: str
    default: Any
    meaning: str
    allowed: str
    secret: bool
    type: Any
    check: Callable[[Any], bool] | None


def _allowed(kind: Any, meta: Meta) -> str:
    """Return in words which values a setting takes."""
    if meta.extra and meta.extra["allowed"]:
        return str(meta.extra["allowed"])
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(get_args(kind))
    what = "a whole number" if kind is int else "a number"
    return (
        f"{what} from {meta.ge:g} to {meta.le:g}" if kind is float else f"{what} from {meta.ge} to {meta.le}"
    )


def _table() -> tuple[Setting, ...]:
    hints = get_type_hints(Settings, include_extras=True)
    rows = []
    for field in msgspec.structs.fields(Settings):
        kind, meta = get_args(hints[field.name])
        default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
        env = _UNPREFIXED.get(field.name, PREFIX + field.name.upper())
        extra = meta.extra
        rows.append(
            Setting(
                name=field.name,
                env=env,
                default=default,
                meaning=meta.description,
                allowed=_allowed(kind, meta),
                secret=extra["secret"],
                type=hints[field.name],
                check=extra["check"],
            )
        )
    return tuple(rows)


SETTINGS: tuple[Setting, ...] = _table()
"""The table behind `live-segments settings` and the README, in the order of the declaration."""
_BY_NAME = {row.name: row for row in SETTINGS}
_BY_ENV = {row.env: row for row in SETTINGS}


def shown(settings: Settings, row: Setting) -> Any:
    """Return a setting's value as it may be shown: a secret that is set is hidden."""
    value = getattr(settings, row.name)
    return "***" if row.secret and value is not None else value


def load_settings(
    environ: Mapping[str, str] | None = None, overrides: Mapping[str, Any] | None = None
) -> Settings:
    """Return the settings: overrides before environment before TOML file before defaults.

    An empty environment variable counts as unset (compose files hand those on). Overrides are by
    field name, as from command-line options; None leaves a setting as it is.

    Raises:
        UsageError: an unknown name, a value that is not allowed, or an unreadable file.
    """
    environ = os.environ if environ is None else environ
    values = _from_file(environ.get(CONFIG, ""))
    for env, text in environ.items():
        if env in _BY_ENV and text:
            values[_BY_ENV[env].name] = _convert(_BY_ENV[env], text, env)
        elif env.startswith(PREFIX) and env not in _BY_ENV and env != CONFIG:
            raise UsageError(f"unknown setting {env}{_nearest(env, [*_BY_ENV, CONFIG])}")
    for name, value in (overrides or {}).items():
        if value is not None:
            values[name] = _convert(_row(name, "option"), value, name)
    settings = Settings(**values)
    _check_together(settings)
    return settings


def _from_file(path: str) -> dict[str, Any]:
    if not path:
        return {}
    try:
        loaded = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{CONFIG}={path}: {error.strerror}; name a TOML file that can be read") from error
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError
        raise UsageError(f"{CONFIG}={path}: not a TOML file: {error}") from error
    return {name: _convert(_row(name, path), value, f"{path}: {name}") for name, value in loaded.items()}


def _row(name: str, where: str) -> Setting:
    if name not in _BY_NAME:
        raise UsageError(f"unknown setting {name} ({where}){_nearest(name, list(_BY_NAME))}")
    return _BY_NAME[name]


def _nearest(name: str, known: list[str]) -> str:
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else "; see `live-segments settings`"


def _convert(row: Setting, value: Any, where: str) -> Any:
    """Return a value in the type of its setting, checked against its bounds."""
    kind = get_args(row.type)[0]
    try:
        parsed = _parsed(kind, value) if isinstance(value, str) else value
        # numbers may come as text; a text that reads "null" stays one
        converted = msgspec.convert(parsed, row.type, strict=kind == str | None)
        if converted is not None and row.check is not None and not row.check(converted):
            raise ValueError(row.name)  # noqa: TRY301 - every refusal is worded at one place
    except ValueError as error:  # msgspec's ValidationError is one
        got = "***" if row.secret else value
        raise UsageError(f"{where}={got}: allowed is {row.allowed}") from error
    return converted


def _parsed(kind: Any, text: str) -> Any:
    """Split the text of a setting that holds several values; leave others as they are."""
    if get_origin(kind) is dict:
        pairs = [part.partition("=") for part in text.split(",") if part.strip()]
        return {key.strip(): float(value) for key, _, value in pairs}
    if get_origin(kind) is tuple:
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _check_together(settings: Settings) -> None:
    """Refuse settings that contradict each other."""
    signing_in = settings.security_protocol.startswith("SASL_")
    if signing_in and not (settings.sasl_username and settings.sasl_password):
        raise UsageError(
            f"LIVE_SEGMENTS_SECURITY_PROTOCOL={settings.security_protocol}: "
            "set LIVE_SEGMENTS_SASL_USERNAME and LIVE_SEGMENTS_SASL_PASSWORD too"
        )
    if settings.ssl_cafile is not None and not Path(settings.ssl_cafile).is_file():
        raise UsageError(f"LIVE_SEGMENTS_SSL_CAFILE={settings.ssl_cafile}: no such file; name a PEM file")
