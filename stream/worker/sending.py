"""Records on their way to Kafka."""

from collections.abc import Sequence
from dataclasses import dataclass

from stream.worker.driver import WorkerApp


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to send; `key` decides its partition."""

    topic: str
    key: bytes | None
    value: bytes


async def send_all(app: WorkerApp, records: Sequence[Outgoing]) -> None:
    """Sends in order and returns when all replicas have everything.

    Straight through the driver: Faust's own sending would log the content of a record that cannot be delivered.

    Raises:
        KafkaError: one could not be delivered.
    """
    send = app.producer.send
    for sent in [await send(each.topic, each.key, each.value, None, None, None) for each in records]:
        await sent  # one after the other: they arrive in whole batches, and gathering them would cost a callback each
