"""Where answers go: a file, standard output, or a topic by way of a journal on disk."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from kafka import KafkaProducer

from stream.config import Settings
from stream.core.records import ResponseEvent
from stream.errors import OutputError
from stream.sampling.delivery import Delivery
from stream.sampling.journal import Journal, encode
from stream.sampling.order import Interleaver
from stream.sampling.protocol import Unanswered
from stream.sampling.sampler import Keeper


class Output(Keeper, Protocol):
    """A keeper that knows rounds: which one to go on with, that one begins, that one is complete."""

    @property
    def round_name(self) -> str | None:
        """The round to go on with, None to begin another."""

    def begin(self, round_name: str) -> None:
        """Starts a round."""

    async def settle(self) -> None:
        """Returns when all that was kept is where it belongs."""

    async def complete(self) -> None:
        """Ends a round of which nothing is missing."""


class FileOutput:
    """Answers in a file; `place` says where, for people."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.place = str(journal.path)

    @property
    def round_name(self) -> str | None:
        """The round to go on with, None to begin another."""
        return self._journal.round_name

    @property
    def done(self) -> dict[str, frozenset[int]]:
        """Indexes that need no asking."""
        return self._journal.done

    @property
    def texts(self) -> dict[str, list[tuple[str, str]]]:
        """The (prompt, response) pairs of this round."""
        return self._journal.texts

    def begin(self, round_name: str) -> None:
        """Starts a round."""
        self._journal.begin(round_name)

    def add(self, prompt: str, events: Sequence[ResponseEvent], unanswered: Sequence[tuple[int, Unanswered]]) -> None:
        """Keeps what one request brought."""
        self._journal.add(prompt, events, unanswered)

    def close(self, prompt: str) -> None:
        """Waits no longer for answers of this prompt."""
        self._journal.close(prompt)

    async def settle(self) -> None:
        """Returns: a line that is written is where it belongs."""

    async def complete(self) -> None:
        """Notes the end of the round."""
        self._journal.complete()


class TopicOutput(FileOutput):
    """Answers in a topic; the journal keeps them until Kafka has them all."""

    def __init__(self, journal: Journal, producer: KafkaProducer, *, topic: str, settings: Settings) -> None:
        super().__init__(journal)
        self._delivery = Delivery(journal, producer, topic=topic, settings=settings)
        self.place = f"topic {topic}"

    async def settle(self) -> None:
        """Returns when Kafka has acknowledged everything kept so far."""
        await asyncio.to_thread(self._delivery.settle)

    async def complete(self) -> None:
        """Empties the journal once Kafka has everything."""
        self._journal.finish()
        await self.settle()
        self._journal.complete()
        self._delivery.clear()


class StreamOutput:
    """Answers on standard output: nothing to resume from, so a killed run begins anew."""

    place = "standard output"

    def __init__(self, stream: BinaryIO, prompts: Sequence[str]) -> None:
        self._stream = stream
        self._prompts = prompts
        self._order = Interleaver("", prompts)
        self.round_name: str | None = None
        self.done: dict[str, frozenset[int]] = {}
        self.texts: dict[str, list[tuple[str, str]]] = {}

    def begin(self, round_name: str) -> None:
        """Starts a round."""
        self.round_name, self.done, self.texts = round_name, {}, {}
        self._order = Interleaver(round_name, self._prompts)

    def add(self, prompt: str, events: Sequence[ResponseEvent], unanswered: Sequence[tuple[int, Unanswered]]) -> None:
        """Writes what it is the turn of, now that one request brought something."""
        for event in events:
            self._order.add(prompt, int(event.attributes["probe_index"]), event)
        self._order.skip(prompt, [index for index, _ in unanswered])
        self._write(self._order.ready())

    def close(self, prompt: str) -> None:
        """Waits no longer for answers of this prompt."""
        self._order.close(prompt)
        self._write(self._order.ready())

    async def settle(self) -> None:
        """Returns: what is written is gone."""

    async def complete(self) -> None:
        """Ends the round."""
        self.finish()
        self.round_name = None

    def finish(self) -> None:
        """Writes what still waits for its turn."""
        self._write(self._order.rest())

    def _write(self, events: Sequence[ResponseEvent]) -> None:
        try:
            self._stream.write(b"".join(map(encode, events)))
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"cannot write to standard output: {error.strerror}") from None


def journal_for(topic: str, fingerprint: str, cache: Path) -> Path:
    """Returns where the answers of a plan wait for Kafka: found again by the same command, wherever it is run."""
    return cache / "sampling" / f"{topic}-{fingerprint}.jsonl"
