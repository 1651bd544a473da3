"""What a stage does about records that cannot be used, across restarts and for whoever gets the partition next."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace

from stream.core.records import DeadLetter, Source, SourceRecord
from stream.kafka.memo import Note
from stream.worker.cap import Cap, CapError, Limits
from stream.worker.notebook import Notebook


class Caution:
    """Keeps the cap on dead letters of one stage, and notes in Kafka where it stopped the stage."""

    def __init__(self, cap: Cap | None = None, notebook: Notebook | None = None) -> None:
        self._cap = cap or Cap(Limits())
        self._notebook = notebook or Notebook()
        self._notes: dict[Source, Note] = {}

    def forget(self) -> None:
        """Asks for the notes again: called when partitions change hands."""
        self._notes.clear()
        self._cap.forget()

    async def begin(self, records: Iterable[SourceRecord]) -> None:
        """Reads what was noted of partitions that are new here; called before their first records are understood."""
        fresh = {record.source for record in records} - self._notes.keys()
        if fresh:
            self._notes |= await self._notebook.read(fresh)

    async def count(
        self,
        records: Sequence[SourceRecord],
        dead: Iterable[DeadLetter],
        *,
        used: Container[tuple[Source, int]] = frozenset(),
    ) -> None:
        """Counts what could not be used; `used` are places of records that gave something useful beside a dead letter.

        Raises:
            CapError: it is too much. The next worker that begins here is told.
        """
        stopped = {source for source, note in self._notes.items() if note.stopped}
        try:
            self._cap.count(records, dead, used=used, stopped=stopped)
        except CapError as error:
            await self._write(error.source, stopped=True)
            raise
        for source in stopped & {record.source for record in records}:
            await self._write(source, stopped=False)

    def close(self) -> None:
        """Lets go of what is needed for the notes."""
        self._notebook.close()

    async def _write(self, source: Source, *, stopped: bool) -> None:
        self._notes[source] = replace(self._notes.get(source, Note()), stopped=stopped)
        await self._notebook.write({source: self._notes[source]})
