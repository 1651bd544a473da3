"""What was told to whom, and what could not be: two topics that outlive every process.

`valuedrift.notified` is compacted: one record for each receiver and alert, written after the receiver has the alert and before
the offset is committed. `valuedrift.undelivered` keeps the alert's own bytes, and in its headers who should have had it and why not.
"""

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError, TopicAlreadyExistsError

from stream import times
from stream.codec import wire
from stream.config import Settings
from stream.core.events import AlertEvent, Status
from stream.core.records import Micros
from stream.errors import BrokerError, TopicError
from stream.kafka.client import open_admin
from stream.kafka.read import read_topic
from stream.kafka.topics import MAX_OUTPUT_BYTES
from stream.notify.incidents import Told

SCHEMA = "valuedrift.notified/1"
TAKEN_WITHIN = 60.0


class _Notified(msgspec.Struct, tag_field="schema", tag=SCHEMA):
    receiver: str
    alert_id: str
    replay: bool
    dedup_key: str
    status: Status
    ts: str
    attempts: int


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(_Notified)


class Ledger:
    """Reads and writes both topics; safe to use from several threads."""

    def __init__(self, settings: Settings, producer: KafkaProducer) -> None:
        self._kafka = settings.kafka
        self._notified = settings.notify.notified
        self._undelivered = settings.notify.undelivered
        self._producer = producer

    def create_topics(self) -> None:
        """Makes both topics if they are missing.

        Raises:
            TopicError: Kafka refuses; the message says what must be there.
        """
        replicas = self._kafka.replication_factor
        wanted = {
            self._notified: {"cleanup.policy": "compact"},
            self._undelivered: {"retention.ms": "-1", "max.message.bytes": str(MAX_OUTPUT_BYTES)},
        }
        with open_admin(self._kafka) as admin:
            there = {topic["name"] for topic in admin.describe_topics()}
            for name in [name for name in wanted if name not in there]:
                try:
                    admin.create_topics(
                        {name: {"num_partitions": 1, "replication_factor": replicas, "configs": wanted[name]}}
                    )
                except TopicAlreadyExistsError:
                    continue  # another notify was faster: the same result
                except KafkaError as error:
                    raise TopicError(
                        f"Kafka refuses to create {name}: {error}; create it with one partition and {wanted[name]}"
                    ) from error
            admin.wait_for_topics(list(wanted))

    def told(self, receiver: str) -> Told:
        """What this receiver has been told, by whichever process.

        Raises:
            RecordError: the topic holds something else.
            BrokerError: Kafka cannot be reached.
        """
        told = Told()
        for record in read_topic(self._kafka, self._notified):
            if record.value is not None:
                entry = wire.decode(record.value, _DECODER, SCHEMA)
                if entry.receiver == receiver:
                    of = (entry.replay, entry.dedup_key)
                    told.add((entry.replay, entry.alert_id), of=of, status=entry.status)
        return told

    def note(self, receiver: str, alert: AlertEvent, *, attempts: int, at: Micros) -> None:
        """Returns when Kafka has it in writing that the receiver was told.

        Raises:
            BrokerError: Kafka does not take the record.
        """
        entry = _Notified(
            receiver, alert.alert_id, alert.replay, alert.dedup_key, alert.status, times.render(at), attempts
        )
        key = f"{receiver}|{'replay' if alert.replay else 'live'}|{alert.alert_id}"
        self._send(self._notified, key.encode(), _ENCODER.encode(entry), [])

    def dead_letter(self, receiver: str, *, key: bytes | None, value: bytes | None, why: str, attempts: int) -> None:
        """Returns when Kafka has this record of the alerts topic among the undelivered ones, bytes and key unchanged.

        Raises:
            BrokerError: Kafka does not take the record.
        """
        headers = [
            ("valuedrift.receiver", receiver.encode()),
            ("valuedrift.why", why.encode()),
            ("valuedrift.attempts", str(attempts).encode()),
        ]
        self._send(self._undelivered, key, value, headers)

    def _send(self, topic: str, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]) -> None:
        try:
            self._producer.send(topic, value, key=key, headers=headers).get(timeout=TAKEN_WITHIN)
        except KafkaError as error:
            raise BrokerError(
                f"Kafka did not take a record of {topic}: {type(error).__name__}: {error}; notify stops rather than forget what it did"
            ) from error
