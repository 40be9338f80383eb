"""One run: brokers, ways, workers and load come up, harm is done round by round, the checker judges."""

from __future__ import annotations

import random
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streams.broker.kafka import Kafka
from streams.errors import ExitCode
from streams.settings import Settings, load_settings
from streams.topics import create_topics
from tests.chaos.actions import ACTIONS, TRANSACTION_TIMEOUT_S, draw
from tests.chaos.checker import Checker, Finding
from tests.chaos.expected import INPUTS
from tests.chaos.fleet import Fleet
from tests.chaos.load import Load
from tests.chaos.proxy import Proxy
from tests.chaos.reading import count_aborted, count_transactions, read_all
from tests.chaos.sampler import Sampler
from tests.chaos.stage import Stage

APP = "chaos"
BROKER_CONFIG = {
    # the coordinator looks every 10 s by default: too seldom for a round
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "2000",
}
SESSION_TIMEOUT_S = 6
WARM_UP_S = 60.0
"""How long the first commits of all partitions may take."""
CATCH_UP_S = 300.0
"""How long the workers may need after the last round until nothing is left to do."""
SILENCE_S = 60.0
"""A partition with lag, while brokers answer and workers are left alone, has a commit within this time."""
HITS_WORKERS = frozenset(
    (
        "kill_child",
        "kill_worker",
        "kill_several",
        "kill_supervisor",
        "freeze",
        "transaction_timeout",
        "kill_in_rebalance",
    )
)
"""Actions that kill or freeze workers."""


BROKEN_INVARIANT = (
    rf"ended with code {int(ExitCode.INVARIANT)},| CRITICAL .*(?: is at .*begins? at | was made up to )"
)
"""A worker's last words when what it was given or what it kept does not add up."""


@dataclass(frozen=True)
class Parameters:
    """What a run is asked for."""

    rounds: int
    seed: int
    brokers: int
    workers: int
    partitions: int
    rate: float
    """Records a second."""
    customers: int
    turnover: float
    """New customers a second."""
    round_s: float
    """Least length of a round; one whose action takes longer lasts until it is over."""
    actions: tuple[str, ...] = ()
    """Instead of the deck: these, over and over."""


@dataclass
class Outcome:
    """What a run came to."""

    findings: list[Finding] = field(default_factory=list)
    journal: list[str] = field(default_factory=list)
    criticals: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Return whether everything is as it has to be."""
        return bool(self.findings) and all(finding.ok for finding in self.findings)


def run(asked: Parameters, folder: Path) -> Outcome:
    """Run it all in a folder that exists, and leave no process behind."""
    with ExitStack() as stack:
        stage, settings = _set_up(asked, folder, stack)
        outcome = Outcome(journal=stage.journal.lines)
        try:
            _play(asked, folder, stage, settings, stack, outcome)
        finally:
            outcome.criticals = stage.fleet.criticals()
        return outcome


def _set_up(asked: Parameters, folder: Path, stack: ExitStack) -> tuple[Stage, Settings]:
    proxy = Proxy(asked.brokers)
    stack.callback(proxy.close)
    cache = Path(load_settings({}).cache)
    kafka = Kafka(cache, folder / "kafka", asked.brokers, BROKER_CONFIG, proxy.ports)
    stack.callback(_kill, kafka)
    for node in kafka.nodes:
        proxy.send("target", node.number, node.proxied_port)
    copies = min(3, asked.brokers)
    settings = Settings(
        kafka_bootstrap=kafka.bootstrap, app_id=APP, partitions=asked.partitions, replication_factor=copies
    )
    create_topics(settings)
    environ = {
        "KAFKA_BOOTSTRAP": proxy.bootstrap,
        "LIVE_SEGMENTS_APP_ID": APP,
        "LIVE_SEGMENTS_PARTITIONS": str(asked.partitions),
        "LIVE_SEGMENTS_REPLICATION_FACTOR": str(copies),
        "LIVE_SEGMENTS_WEB_PORT": "0",
        "LIVE_SEGMENTS_SESSION_TIMEOUT_MS": str(SESSION_TIMEOUT_S * 1000),
        "LIVE_SEGMENTS_TRANSACTION_TIMEOUT_MS": f"{TRANSACTION_TIMEOUT_S * 1000:.0f}",
        # many changes: customers who move easily, and are looked at often
        "LIVE_SEGMENTS_MARGIN": "0.05",
        "LIVE_SEGMENTS_SWEEP_INTERVAL_S": "10",
        "OPENBLAS_NUM_THREADS": "1",
    }
    fleet = Fleet(folder, environ)
    stack.callback(fleet.kill)
    return Stage(random.Random(asked.seed), kafka, proxy, fleet, asked.workers), settings


def _kill(kafka: Kafka) -> None:
    """End all nodes; an orderly stop of data that nobody needs any more takes longer."""
    for number in list(kafka._processes):
        kafka.kill_node(number)


def _play(
    asked: Parameters, folder: Path, stage: Stage, settings: Settings, stack: ExitStack, outcome: Outcome
) -> None:
    bootstrap = settings.kafka_bootstrap or ""
    load = Load(
        bootstrap,
        rate=asked.rate,
        customers=asked.customers,
        seed=asked.seed,
        turnover=asked.turnover,
        folder=folder,
    )
    stack.callback(load.kill)
    sampler = Sampler(bootstrap, APP, INPUTS, asked.partitions, stage.journal.started)
    sampler.start()
    stack.callback(sampler.stop)
    stage.top_up()
    stage.schedule.run(
        WARM_UP_S, lambda: sampler.warm and sampler.lag is not None and sampler.lag < 3 * asked.rate
    )
    stage.journal(f"warm: {sampler.processed} records committed, {sampler.lag} to go")
    sampler.forget()
    started = time.monotonic()
    _rounds(asked, stage, sampler)
    if not load.running:
        raise RuntimeError("the load ended by itself: see load.log")
    sent = load.finish()
    stage.journal(f"the load has stopped, {sum(sent['stored'].values())} records stored")
    caught_up = _catch_up(stage, sampler)
    sampler.stop()
    took = time.monotonic() - started
    codes = stage.fleet.stop()
    stage.journal(f"all workers stopped with codes {codes}")
    checker = Checker()
    read_all(bootstrap, checker.topics, checker.add)
    outcome.findings = [
        Finding("all committed in time", caught_up, bound=True),
        Finding("workers that did not stop in good order at the end", sum(code != 0 for code in codes), 0),
        *checker.report(sent),
        *_silence(sampler),
        *_figures(stage, bootstrap, took),
    ]


def _rounds(asked: Parameters, stage: Stage, sampler: Sampler) -> None:
    """Do one action a round."""
    if asked.actions:
        drawn = [ACTIONS[asked.actions[i % len(asked.actions)]] for i in range(asked.rounds)]
    else:
        drawn = draw(asked.rounds, stage.rng)
    for number, action in enumerate(drawn, 1):
        stage.top_up()
        stage.journal(f"-- round {number}: {action.__name__}; {sampler.processed} done, lag {sampler.lag}")
        if action.__name__ in HITS_WORKERS:
            sampler.workers_hit()
        started = time.monotonic()
        lasts_s = action(stage)
        # an action may wait before it begins: what it does lasts from then on
        stage.schedule.run(max(asked.round_s - (time.monotonic() - started), lasts_s + 4))
    stage.schedule.run_all()


def _catch_up(stage: Stage, sampler: Sampler) -> bool:
    """Wait until everything stored is committed."""
    started = time.monotonic()
    stage.top_up()
    done = stage.schedule.run(CATCH_UP_S, lambda: sampler.lag == 0)
    stage.schedule.run(WARM_UP_S, lambda: all(worker.begun for worker in stage.fleet.alive))
    stage.journal(f"lag {sampler.lag} after {time.monotonic() - started:.1f} s")
    return done


def _silence(sampler: Sampler) -> Iterator[Finding]:
    where = "" if sampler.longest is None else " (partition {}, at second {:.0f})".format(*sampler.longest)
    yield Finding(
        "longest time without commit, with lag, brokers answering", f"{sampler.longest_s:.0f} s{where}"
    )
    alive_s = sampler.longest_alive_s
    yield Finding("the same since workers were last killed or frozen", f"{alive_s:.0f} s")
    yield Finding("workers left alone have committed within 60 s", alive_s <= SILENCE_S, bound=True)
    yield Finding(
        "samples of committed offsets, of them without answers from all brokers",
        f"{sampler.samples}, {sampler.unanswered}",
    )


def _figures(stage: Stage, bootstrap: str, took_s: float) -> Iterator[Finding]:
    """Yield what is worth knowing, without a bound."""
    fleet = stage.fleet
    brokers = "\n".join(node.log.read_text(encoding="utf-8", errors="replace") for node in stage.kafka.nodes)
    transactions = count_transactions(bootstrap)
    stopped = [worker.code for worker in fleet.all if worker.told]
    generations = {int(n) for n in re.findall(rf"Stabilized group {APP} generation (\d+)", brokers)}
    yield Finding("workers started", len(fleet.all))
    yield Finding("restarts by supervisors", fleet.restarts())
    yield Finding("children killed", fleet.killed_children)
    yield Finding("exits of workers by themselves, by code", _named(fleet.exits()))
    yield Finding("workers told to stop, of them ended with 0", f"{len(stopped)}, {stopped.count(0)}")
    yield Finding("partitions fenced and dropped", fleet.count(r": fenced \("))
    yield Finding("broken invariants", fleet.count(BROKEN_INVARIANT), 0)
    yield Finding("rebalances", len(generations))
    yield Finding("transactions committed", transactions["committed"])
    yield Finding("transactions aborted", transactions["aborted"])
    yield Finding("of them by Kafka, timed out", len(re.findall("due to timeout", brokers)))
    yield Finding(
        "aborted changes that a reader of uncommitted records sees",
        count_aborted(bootstrap, "segment-changes"),
    )
    yield Finding("seconds from the first round to the last commit", round(took_s))


def _named(counts: dict[str, Any]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in sorted(counts.items())) or "none"


def discard(folder: Path) -> None:
    """Remove a run's folder."""
    shutil.rmtree(folder, ignore_errors=True)
