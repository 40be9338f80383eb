"""Brokers for trials, tests and the demo: a real Kafka from its jars, or one inside this process.

Nothing here serves production; there KAFKA_BOOTSTRAP names the cluster. Commands and tests call
`start_broker`; the rest of the product only ever sees a bootstrap address.
"""

from streams.broker.choose import BrokerKind, start_broker
from streams.broker.handle import Broker, External

__all__ = ["Broker", "BrokerKind", "External", "start_broker"]
