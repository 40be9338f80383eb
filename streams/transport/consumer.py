"""Faust's consumer, with chunks instead of messages and its acks, commits and seeks switched off.

The aiokafka consumer runs in the worker's own event loop, not in Faust's thread: hand-overs of the
interpreter lock cost a tenth of the speed and double the time of a commit, and one loop makes "drain
and deliver" and "seek and activate" steps that nothing comes between.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import aiokafka
from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver

from streams.transport.assignor import Assignor
from streams.transport.clients import connection
from streams.transport.collector import Collector
from streams.transport.offsets import committed_offsets
from streams.transport.ownership import Ownership

log = logging.getLogger(__name__)


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread without a thread: everything runs in the worker's loop."""

    async def start(self) -> None:
        """Start in the present loop."""
        self._thread_started.set()
        await self._default_start()
        await self.on_thread_started()

    async def stop(self) -> None:
        """Stop and leave the group, once."""
        if not self._stopped.is_set():
            self._stopped.set()
            await self._shutdown_thread()

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:  # noqa: ARG002 - Faust's signature
        conf = self.app.conf
        # Without tables Faust takes RoundRobin, which spreads the topics of a partition number over workers.
        self._assignor: Assignor = self.app.assignor
        ownership: Ownership = self.app.ownership
        return aiokafka.AIOKafkaConsumer(
            **connection(ownership.settings),
            client_id=conf.broker_client_id,
            group_id=conf.id,
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            check_crcs=False,  # TCP has its own; in Python it costs 0.3 µs an event
            max_poll_interval_ms=int(conf.broker_max_poll_interval * 1000),
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
        )


class Consumer(driver.Consumer):
    """Delivers chunks; partitions and commits belong to `Ownership`."""

    _thread: ConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ownership: Ownership = self.app.ownership
        self.ownership.performer.consumer = self
        self.merge_part = self.app.merge_part
        if self.merge_part is not None:
            self.merge_part.consumer = self
        self.collector = Collector(self.ownership, self.merge_part)

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, thread_loop=self.loop, beacon=self.beacon)

    @property
    def client(self) -> aiokafka.AIOKafkaConsumer:
        """Return the group's aiokafka consumer.

        Raises:
            ConsumerNotStarted: too early.
        """
        return self._thread._ensure_consumer()  # noqa: SLF001 - Faust has no other way

    # ---- what the partitions need --------------------------------------------------------------------
    def start_at(self, offsets: Mapping[TopicPartition, int]) -> bool:
        """Seek and let fetching begin, without awaiting; false when they are no longer ours."""
        client = self.client
        if not all(client._subscription.is_assigned(tp) for tp in offsets):  # noqa: SLF001 - the public one copies a set
            return False
        for tp, offset in offsets.items():
            client.seek(tp, offset)
        client.resume(*offsets)
        return True

    async def committed(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the group's committed offsets, 0 where there is none."""
        return await committed_offsets(self.client._coordinator, partitions)  # noqa: SLF001 - there is no public way

    @property
    def plain_commit(self) -> Callable[[dict[TopicPartition, OffsetAndMetadata]], Awaitable[None]]:
        """Commit offsets outside of a transaction."""
        return self.client.commit

    def rejoin(self) -> None:
        """Ask the group for a rebalance: what this member says of itself has changed."""
        self.client._coordinator.request_rejoin()  # noqa: SLF001 - there is no public way

    # ---- rebalances ----------------------------------------------------------------------------------
    # aiokafka and Faust only log what these callbacks raise, and the worker would live on: fail-stop.
    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Freeze before anything else; Faust then clears its queues and calls `wait_empty`."""
        try:
            self._freeze()
            await super().on_partitions_revoked(revoked)
        except Exception as error:  # noqa: BLE001 - see above
            self.ownership.fail_stop(error)

    async def on_partitions_assigned(self, assigned: Any, generation_id: int = 0) -> None:
        """Keep everything paused until each partition is open."""
        try:
            self.stop_flow()
            self.app.flow_control.suspend()
            self.app.flow_control.clear()
            self.client.pause(*(TopicPartition(tp.topic, tp.partition) for tp in assigned))
            await super().on_partitions_assigned(assigned, generation_id)
            if not self.app.should_stop:
                self._assign([TopicPartition(tp.topic, tp.partition) for tp in assigned])
        except Exception as error:  # noqa: BLE001 - see above
            self.ownership.fail_stop(error)

    def _freeze(self) -> None:
        self.ownership.freeze()
        if self.merge_part is not None:
            self.merge_part.freeze()

    def _assign(self, assigned: list[TopicPartition]) -> None:
        merge = self.merge_part
        if merge is not None:
            merge.assign(owned=merge.source in assigned)
        inputs = [tp for tp in assigned if merge is None or tp != merge.source]
        self.ownership.assign(inputs, self.client._coordinator.generation)  # noqa: SLF001 - Faust hands on -1
        self.ownership.stand_by(self.app.assignor.portion)

    async def wait_empty(self) -> None:
        """Commit everything that is processed: Faust calls it at a revoke and at the end."""
        self._freeze()
        self._unacked_messages.clear()
        await self.ownership.flush()
        if self.merge_part is not None:
            await self.merge_part.flush()

    async def on_stop(self) -> None:
        """Commit, let Faust stop, close the producers."""
        await super().on_stop()
        await self.ownership.close_all()
        if self.merge_part is not None:
            await self.merge_part.close_all()

    # ---- Faust's own bookkeeping is switched off -----------------------------------------------------
    async def perform_seek(self) -> None:
        """Do nothing: positions are set for each partition when it becomes active."""

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ARG002 - Faust's signature
        """Forget the acks, which the stream's iterator keeps collecting."""
        self._acked.clear()
        self._acked_index.clear()
        self._unacked_messages.clear()
        return False

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ARG002 - Faust's signature
        """Do nothing."""
        return False

    async def verify_all_partitions_active(self) -> None:
        """Do nothing: the watchdog does."""

    # ---- fetch and deliver ---------------------------------------------------------------------------
    async def _drain_messages(self, fetcher: Any) -> None:
        """Collect and deliver until Faust stops it."""
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):  # noqa: SLF001 - as Faust's own
                if self.flow_active:
                    await self._deliver_next()
                else:
                    await self.wait(self.can_resume_flow)
        except asyncio.CancelledError:
            if not self.app.should_stop:
                raise
        except Exception as error:  # noqa: BLE001 - Faust would log it and fetch nothing any more
            if not self.app.should_stop:
                self.ownership.fail_stop(error)

    async def _deliver_next(self) -> None:
        """Deliver what is waiting as chunks, or wait a little for more."""
        collector = self.collector
        await collector.collect(self.client)
        while self.flow_active:
            ready = collector.next_message(self.app.consumer_generation_id)
            if ready is None:
                break
            # a full queue blocks here, a rebalance wakes us: what is not taken then is stale anyway
            await self.wait_first(self.callback(ready), self.suspend_flow.wait())
        await asyncio.sleep(collector.pause_s())


class Producer(driver.Producer):
    """Faust's producer that is never connected: all records go through transactions."""

    async def on_start(self) -> None:
        """Start the buffer only, which Faust's conductor asks for its fill."""
        await self.add_runtime_dependency(self.buffer)

    async def on_stop(self) -> None:
        """Do nothing."""

    async def flush(self) -> None:
        """Do nothing: nothing is ever in the buffer."""


class Transport(driver.Transport):
    """The transport behind `chunk://` addresses."""

    Consumer = Consumer
    Producer = Producer
    driver_version = "chunk+" + driver.Transport.driver_version


for service in (ConsumerThread, Consumer, Producer):
    service.logger = driver.logger  # their starts and stops are Faust's news; mode sets it for each class
