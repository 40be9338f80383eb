"""`settings` and `features`: what there is, with its meaning."""

# ruff: noqa: PLC0415 - a command imports what it needs when it runs, so that --help answers at once

from __future__ import annotations

from typing import Any

import click

from streams.cli.command import Command
from streams.cli.options import json_option
from streams.cli.output import markdown, print_json, print_table, shown
from streams.errors import UsageError


def _markdown_option(function: Any) -> Any:
    return click.option("--markdown", "as_markdown", is_flag=True, help="Print a table in Markdown.")(
        function
    )


@click.command(
    cls=Command,
    short_help="List all settings with their meaning.",
    example="LIVE_SEGMENTS_PARTITIONS=16 live-segments settings",
)
@json_option
@_markdown_option
def settings(as_json: bool, as_markdown: bool) -> None:
    """List all settings: variable, value, what is allowed, meaning.

    The same names without LIVE_SEGMENTS_ and in small letters stand in the TOML file that
    LIVE_SEGMENTS_CONFIG names; the environment goes first.
    """
    from streams.settings import SETTINGS, load_settings
    from streams.settings import shown as value_of

    _not_both(as_json, as_markdown)
    if as_markdown:
        # the defaults: the page is the same on every machine
        rows = [(f"`{s.env}`", f"`{_text(s.default)}`", s.meaning, s.allowed) for s in SETTINGS]
        print(markdown(("variable", "default", "meaning", "allowed"), rows))
        return
    now = load_settings()
    values = {s.name: value_of(now, s) for s in SETTINGS}
    if as_json:
        print_json(
            [
                {
                    "name": s.name,
                    "env": s.env,
                    "value": values[s.name],
                    "default": s.default,
                    "meaning": s.meaning,
                    "allowed": s.allowed,
                }
                for s in SETTINGS
            ]
        )
        return
    for s in SETTINGS:
        value = _text(values[s.name])
        note = "" if values[s.name] == s.default else f"  (default {_text(s.default)})"
        click.echo(f"{s.env}={value}{note}\n    {s.meaning}\n    allowed: {s.allowed}")


@click.command(
    cls=Command,
    short_help="List all features with their meaning.",
    example="live-segments features --markdown",
)
@json_option
@_markdown_option
def features(as_json: bool, as_markdown: bool) -> None:
    """List all features of a customer: name, meaning, unit, and whether segments are found by it."""
    from models.features import FEATURES

    _not_both(as_json, as_markdown)
    if as_json:
        print_json(
            [
                {
                    "name": f.name,
                    "label": f.label,
                    "meaning": f.meaning,
                    "unit": f.unit,
                    "family": f.family,
                    "clustered": f.clustered,
                    "transform": f.transform,
                    "exact": f.exact,
                    "order_sensitive": f.order_sensitive,
                }
                for f in FEATURES
            ]
        )
        return
    if as_markdown:
        rows = [
            (f"`{f.name}`", f.family, f.meaning, f.unit, f.exact, "yes" if f.clustered else "")
            for f in FEATURES
        ]
        print(markdown(("feature", "family", "meaning", "unit", "exact", "clustered on"), rows))
        return
    print_table(
        f"{len(FEATURES)} features; * = behaviour segments are found by it",
        ("feature", "unit", "meaning"),
        [(f.name + ("*" if f.clustered else ""), f.unit, f.meaning) for f in FEATURES],
    )


def _text(value: object) -> str:
    """Return a setting's value as one would write it into a variable."""
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, dict):
        return ",".join(f"{key}={rate:g}" for key, rate in value.items())
    return str(value) if isinstance(value, int | float) else shown(value)


def _not_both(as_json: bool, as_markdown: bool) -> None:
    if as_json and as_markdown:
        raise UsageError("--json and --markdown exclude each other; choose one")
