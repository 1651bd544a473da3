"""Notes about partitions that outlive every process: Kafka keeps them as the positions of a consumer group without members.

One request writes or reads them, no topic has to be made or compacted, and whoever gets a partition finds what was noted before.
Kafka forgets them a week after the last one (`offsets.retention.minutes`), which does no harm.
"""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from stream.config import KafkaSettings
from stream.core.records import Source
from stream.errors import BrokerError
from stream.kafka.client import open_consumer

ANSWER_WITHIN_MS = 2_000


@dataclass(frozen=True, slots=True)
class Note:
    """What is remembered of a partition.

    Records from `start` to before `end` were handed over together, by a process that had not finished them yet; `deaths` says how
    many processes had died before with just these in hand. `killers` are offsets of records that are not to be tried again. `stopped`
    says that a worker stopped here because too much was unusable.
    """

    start: int = 0
    end: int = 0
    deaths: int = 0
    killers: tuple[int, ...] = ()
    stopped: bool = False


class Memo:
    """Reads and writes the notes of one group; for one thread at a time. It connects when it is first used."""

    def __init__(self, settings: KafkaSettings, *, group: str) -> None:
        self._settings = settings
        self._group = group
        self._stack = ExitStack()
        self._consumer: KafkaConsumer | None = None

    def read(self, sources: Iterable[Source]) -> dict[Source, Note]:
        """What is noted of each partition, an empty note where nothing is.

        Raises:
            BrokerError: Kafka does not answer.
        """
        try:
            client = self._client()
            return {
                source: _note(
                    client.committed(_partition(source), metadata=True, timeout_ms=ANSWER_WITHIN_MS), source=source
                )
                for source in sources
            }
        except KafkaError as error:
            raise self._failed(error) from error

    def write(self, notes: Mapping[Source, Note]) -> None:
        """Returns when Kafka has the notes.

        Raises:
            BrokerError: Kafka does not answer.
        """
        positions = {_partition(source): _position(note) for source, note in notes.items()}
        try:
            self._client().commit(positions, timeout_ms=ANSWER_WITHIN_MS)
        except KafkaError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Lets go of the connection; the next use makes a new one."""
        self._consumer = None
        self._stack.close()

    def _client(self) -> KafkaConsumer:
        if self._consumer is None:
            self._consumer = self._stack.enter_context(open_consumer(self._settings, group=self._group))
        return self._consumer

    def _failed(self, error: KafkaError) -> BrokerError:
        self.close()
        return BrokerError(f"Kafka does not keep the notes of {self._group}: {type(error).__name__}")


def _partition(source: Source) -> TopicPartition:
    return TopicPartition(source.topic, source.partition)


def _position(note: Note) -> OffsetAndMetadata:
    numbers = (note.start, note.deaths, int(note.stopped), *note.killers)
    return OffsetAndMetadata(note.end, " ".join(map(str, numbers)), -1)


def _note(position: OffsetAndMetadata | None, *, source: Source) -> Note:
    if position is None:
        return Note()
    try:
        start, deaths, stopped, *killers = map(int, position.metadata.split())
    except ValueError:
        raise BrokerError(
            f"what is noted of partition {source.partition} of {source.topic} was written by something else"
        ) from None
    return Note(start, position.offset, deaths, tuple(killers), stopped=bool(stopped))
