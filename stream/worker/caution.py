"""What a stage does about records that cannot be used or that kill it, across restarts and for whoever gets the partition next."""

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Container, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from stream.core.records import DeadLetter, Source, SourceRecord
from stream.kafka.memo import Note
from stream.worker.cap import Cap, CapError, Limits
from stream.worker.notebook import Notebook
from stream.worker.suspects import NOBODY, Piece, Suspects, note_of
from stream.worker.turns import Turns

MOST_KILLERS = 100
"""Of a partition, the latest: a note has room for so many."""


class Caution:
    """Keeps the cap on dead letters of one stage, hands over suspects in pieces, and notes in Kafka what the next one must know."""

    def __init__(self, cap: Cap | None = None, notebook: Notebook | None = None) -> None:
        self._cap = cap or Cap(Limits())
        self._notebook = notebook or Notebook()
        self._stopped: dict[Source, bool] = {}
        self._suspects: dict[Source, Suspects] = {}
        self._killers: dict[Source, deque[int]] = {}
        self._in_hand: dict[Source, list[int]] = {}
        self._turns = Turns()

    def forget(self) -> None:
        """Asks for the notes again: called when partitions change hands."""
        self._stopped.clear()
        self._suspects.clear()
        self._killers.clear()
        self._cap.forget()

    async def begin(self, records: Sequence[SourceRecord]) -> None:
        """Reads what was noted of partitions that are new here; called before their first records are understood."""
        # By number first, because a stage reads one topic, and hashing a Source for each record would cost as much as the rest.
        begins = {record.source.partition: record for record in reversed(records)}.values()
        if firsts := {record.source: record.offset for record in begins if record.source not in self._stopped}:
            for source, note in (await self._notebook.read(firsts.keys())).items():
                self._stopped[source] = note.stopped
                self._killers[source] = deque(note.killers, MOST_KILLERS)
                if suspects := Suspects.of(note, firsts[source]):
                    self._suspects[source] = suspects

    async def pieces(self, records: Sequence[SourceRecord]) -> AsyncGenerator[Piece, None]:
        """The records as they are to be handed over: all together, unless some may have killed a worker before.

        What a piece gave must be in order before the next is asked for: asking says that the worker has survived it.
        """
        await self.begin(records)
        if not self._any_suspect(records):
            async with self._turns.together(), self._holding(records):
                yield Piece(records)
            return
        async with self._turns.alone():
            for group in _by_source(records):
                source = group[0].source
                suspects = self._suspects.pop(source, NOBODY)
                for piece in suspects.pieces(group, killers=self._killers.get(source, ())):
                    if piece.note is not None:
                        await self._write({source: piece.note})
                    elif piece.killed:
                        await self._remember(piece.records)
                    yield piece
                # Survived, though not committed before the other partitions' records are through: of their deaths these are innocent.
                await self._write({source: Note()})
                if rest := suspects.after(group):
                    self._suspects[source] = rest

    async def count(
        self,
        records: Sequence[SourceRecord],
        dead: Sequence[DeadLetter],
        *,
        used: Container[tuple[Source, int]] = frozenset(),
    ) -> None:
        """Counts what could not be used; `used` are places of records that gave something useful beside a dead letter.

        Raises:
            CapError: it is too much. The next worker that begins here is told.
        """
        stopped = {source for source, there in self._stopped.items() if there}
        try:
            self._cap.count(records, dead, used=used, stopped=stopped)
        except CapError as error:
            self._stopped[error.source] = True
            await self._write({error.source: Note()})  # this process ends by itself, so nobody is suspect
            raise
        for source in stopped and stopped & {record.source for record in records}:
            self._stopped[source] = False
            await self._write({source: Note()})

    def close(self) -> None:
        """Lets go of what is needed for the notes."""
        self._notebook.close()

    @asynccontextmanager
    async def _holding(self, records: Sequence[SourceRecord]) -> AsyncIterator[None]:
        """Notes what is in hand: these records, and those of an earlier micro-batch that is not through yet."""
        groups = [(group[0].source, note_of(group)) for group in _by_source(records)]
        for source, note in groups:
            self._in_hand.setdefault(source, []).append(note.start)
        await self._write({source: replace(note, start=min(self._in_hand[source])) for source, note in groups})
        try:
            yield
        finally:
            for source, note in groups:
                self._in_hand[source].remove(note.start)

    def _any_suspect(self, records: Sequence[SourceRecord]) -> bool:
        if not self._suspects and not any(self._killers.values()):
            return False
        return any(
            record.source in self._suspects or record.offset in self._killers.get(record.source, ())
            for record in records
        )

    async def _remember(self, records: Sequence[SourceRecord]) -> None:
        """Notes records that are not to be tried again: others may kill before the letters of these are delivered."""
        source = records[0].source
        killers = self._killers.setdefault(source, deque(maxlen=MOST_KILLERS))
        if fresh := [record.offset for record in records if record.offset not in killers]:
            killers.extend(fresh)
            await self._write({source: Note()})

    async def _write(self, notes: dict[Source, Note]) -> None:
        await self._notebook.write(
            {
                source: replace(
                    note, killers=tuple(self._killers.get(source, ())), stopped=self._stopped.get(source, False)
                )
                for source, note in notes.items()
            }
        )


def _by_source(records: Sequence[SourceRecord]) -> list[list[SourceRecord]]:
    groups: dict[Source, list[SourceRecord]] = {}
    for record in records:
        groups.setdefault(record.source, []).append(record)
    return list(groups.values())
