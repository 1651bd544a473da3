"""From a journal on disk to a Kafka topic: every answer at least once, and none asked for again because Kafka was away."""

from pathlib import Path

import msgspec
from kafka import KafkaProducer

from stream.config import Settings
from stream.errors import BrokerError
from stream.formats import canonical
from stream.formats.fields import Fallback, parse_object
from stream.naming import monitor_name
from stream.sampling.journal import Journal

WITHIN = 150.0
"""Seconds for Kafka to acknowledge: longer than the two minutes after which the client itself gives records up, so that none is still
under way when this does. Until then Kafka may be away, and the run goes on."""


class _Sent(msgspec.Struct):
    bytes: int


class Delivery:
    """Sends a journal's events, in order, keyed by monitor; `position` is how many bytes of it Kafka has acknowledged.

    The position is kept in `FILE.sent.json`: after a kill, what was not yet acknowledged is sent again, with the same event ids.
    """

    def __init__(self, journal: Journal, producer: KafkaProducer, *, topic: str, settings: Settings) -> None:
        self._journal = journal
        self._producer = producer
        self._topic = topic
        self._settings = settings
        self._mark = journal.path.with_name(journal.path.name + ".sent.json")
        self.position = _read(self._mark)
        if self.position > journal.size:  # emptied by a run that was killed before it could say so
            self.position = 0
        self.delivered = 0

    def settle(self) -> None:
        """Returns when all that is in the journal is acknowledged. Blocking.

        Raises:
            BrokerError: Kafka does not take it; it stays in the journal.
        """
        end = self._journal.size
        if end <= self.position:
            return
        lines = self._journal.lines_from(self.position)
        futures = [self._producer.send(self._topic, line, key=self._key(line)) for line in lines]
        self._producer.flush(timeout=WITHIN)
        failed = [future for future in futures if future.failed()]
        if failed:
            raise BrokerError(
                f"Kafka did not take the answers ({failed[0].exception}); they are kept in {self._journal.path}: "
                "run the same command again to send them"
            )
        self.delivered += len(lines)
        self.position = end
        self._mark.write_bytes(msgspec.json.encode(_Sent(end)))

    def clear(self) -> None:
        """Empties the journal, whose events are all acknowledged."""
        self._journal.clear()
        self._mark.unlink(missing_ok=True)
        self.position = 0

    def _key(self, line: bytes) -> bytes:
        (event,) = canonical.decode(parse_object(line), Fallback("probe", None))
        return monitor_name(event, self._settings.monitor.monitor_by).encode()


def _read(mark: Path) -> int:
    try:
        return msgspec.json.decode(mark.read_bytes(), type=_Sent).bytes
    except FileNotFoundError:
        return 0
    except msgspec.MsgspecError:
        return 0  # torn by a kill: sending all of the journal again loses nothing
