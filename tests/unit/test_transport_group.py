"""What aiokafka's group coordinator makes of a consumer from which nobody polls."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.cluster import ClusterMetadata
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import GroupAuthorizationFailedError

from streams.app import _configuration
from streams.settings import Settings
from streams.transport import fetch

A_YEAR_S = 365 * 86_400


def coordinator(subscription: SubscriptionState) -> Any:
    """Return one with the worker's settings, and without a broker."""
    conf = _configuration(Settings(kafka_bootstrap="nowhere:1"), web=False)
    client: Any = SimpleNamespace(cluster=ClusterMetadata(), set_topics=lambda _topics: None)
    made: Any = GroupCoordinator(
        client,
        subscription,
        group_id="live-segments",
        assignors=[RangePartitionAssignor],
        enable_auto_commit=False,
        heartbeat_interval_ms=1,
        max_poll_interval_ms=int(conf["broker_max_poll_interval"] * 1000),
    )
    made._coordinator_dead_fut = asyncio.get_running_loop().create_future()
    made.ensure_coordinator_known = lambda: asyncio.sleep(0)
    return made


async def end(made: Any) -> None:
    """End its background task."""
    made._coordination_task.cancel()
    await asyncio.wait([made._coordination_task])


async def beats(up_s: float) -> int:
    """Return how often a member that has been up for so long has said within 50 ms that it is there."""
    subscription, count = SubscriptionState(), [0]
    made = coordinator(subscription)

    async def beat() -> bool:
        count[0] += 1
        return True

    async def leave() -> None:
        made.member_id = ""

    made.member_id, made._do_heartbeat, made._maybe_leave_group = "me", beat, leave
    subscription._last_fetch_ended = time.monotonic() - up_s
    beating = asyncio.ensure_future(made._heartbeat_routine())
    await asyncio.sleep(0.05)
    assert beating.done() == (made.member_id == "")
    beating.cancel()
    await asyncio.wait([beating])
    await end(made)
    return count[0] if made.member_id else 0


@pytest.mark.parametrize("up_s", [0, A_YEAR_S, 100 * A_YEAR_S])
def test_a_worker_stays_in_the_group_however_long_it_is_up(up_s: float) -> None:
    """It used to leave it after 11.6 days, and never to join it again."""
    assert asyncio.run(beats(up_s)) > 1


def test_a_refusal_while_nobody_waits_for_a_fetch_is_kept_until_somebody_asks() -> None:
    """Who is about to wait for one does, and in a rebalance, when nobody fetches, the watchdog."""

    async def refused() -> None:
        subscription = SubscriptionState()
        subscription.register_fetch_waiters(set())
        subscription.subscribe({"clicks"})
        made = coordinator(subscription)

        async def join(*_: object) -> None:
            raise GroupAuthorizationFailedError("live-segments")

        made.ensure_active_group = join
        await asyncio.sleep(0.05)
        assert not made._coordination_task.done()
        try:
            fetch.check_group(cast("Any", SimpleNamespace(_coordinator=made)))
        finally:
            await end(made)

    with pytest.raises(GroupAuthorizationFailedError):
        asyncio.run(refused())
