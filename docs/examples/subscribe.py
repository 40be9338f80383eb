"""Follow segment changes: the smallest subscriber that never acts on an aborted or an old change."""

import asyncio
import json
import os

from aiokafka import AIOKafkaConsumer


async def main() -> None:
    """Print each live change; stop after CHANGES of them, or never."""
    left = int(os.environ.get("CHANGES", "-1"))
    consumer = AIOKafkaConsumer(
        os.environ.get("LIVE_SEGMENTS_TOPIC_PREFIX", "") + "segment-changes",
        bootstrap_servers=os.environ.get("KAFKA_BOOTSTRAP", "localhost:9092"),
        group_id=os.environ.get("GROUP", "mailer"),
        isolation_level="read_committed",  # what a failed transaction wrote is not for you
        auto_offset_reset="earliest",
    )
    async with consumer:
        async for record in consumer:
            change = json.loads(record.value)["properties"]
            if change["origin"] not in os.environ.get("ORIGINS", "live").split(","):
                continue  # a first start over a year of history must not mail a year of customers
            print(
                record.key.decode(),
                change["change"],
                change["segment_name"],
                "|",
                change["reason"],
                flush=True,
            )
            left -= 1
            if left == 0:
                return


asyncio.run(main())
