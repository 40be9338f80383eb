"""The verdict for people: a table, and a file of it with the parameters and the log of actions."""

from __future__ import annotations

import platform
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version

from streams.broker.jars import kafka_version
from tests.chaos.checker import Finding
from tests.chaos.run import Outcome, Parameters

LIBRARIES = ("faust-streaming", "aiokafka", "numpy", "confluent-kafka")


def table(findings: list[Finding]) -> str:
    """Return the findings as a Markdown table."""
    rows = [("what", "found", "must be", "")]
    rows += [
        (f.name, _short(f.found), "" if f.bound is None else _short(f.bound), _mark(f)) for f in findings
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def faults(outcome: Outcome) -> str:
    """Return examples of what is wrong."""
    lines = []
    for finding in outcome.findings:
        if not finding.ok:
            lines += [
                f"WRONG: {finding.name}: {finding.found}",
                *(f"    {text}" for text in finding.examples),
            ]
    return "\n".join(lines)


def document(asked: Parameters, outcome: Outcome, now_ms: int) -> str:
    """Return the results file."""
    day = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    versions = [f"Kafka {kafka_version()}", f"Python {platform.python_version()}"]
    versions += [f"{name} {version(name)}" for name in LIBRARIES]
    parameters = ", ".join(f"{name} {value}" for name, value in asdict(asked).items() if value != ())
    parts = [
        "# Chaos: results",
        f"{day}. {', '.join(versions)}.",
        f"`python -m tests.chaos` with {parameters}: **{'exact' if outcome.ok else 'NOT EXACT'}**.",
        table(outcome.findings),
    ]
    if not outcome.ok:
        parts.append("```\n" + faults(outcome) + "\n```")
    if outcome.criticals:
        parts.append("## Last words of workers that gave up")
        parts.append("```\n" + "\n".join(outcome.criticals) + "\n```")
    parts += ["## Log of actions", "```\n" + "\n".join(outcome.journal) + "\n```"]
    return "\n\n".join(parts) + "\n"


def _short(value: object) -> str:
    if isinstance(value, list) and value == list(range(1, len(value) + 1)) and value:
        return f"1 to {len(value)}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _mark(finding: Finding) -> str:
    if finding.bound is None:
        return ""
    return "ok" if finding.ok else "WRONG"
