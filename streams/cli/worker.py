"""`worker`: the process that does the work."""

# ruff: noqa: PLC0415 - a command imports what it needs when it runs, so that --help answers at once

from __future__ import annotations

import click

from streams.cli.command import Command


@click.command(
    cls=Command, short_help="Run a worker.", example="KAFKA_BOOTSTRAP=localhost:9092 live-segments worker"
)
@click.option(
    "--supervisor/--no-supervisor",
    default=True,
    help="Restart a worker that fails, with back-off; without, something else must (Kubernetes, systemd).",
)
def worker(supervisor: bool) -> int:
    """Run a worker: input topics in, changes of segment out.

    It runs until SIGTERM or Ctrl-C, then commits and gives its partitions back. Start as many as there are
    partitions; each takes its share.
    """
    from streams.settings import load_settings
    from streams.worker import run_worker

    return run_worker(load_settings(), supervise=supervisor)
