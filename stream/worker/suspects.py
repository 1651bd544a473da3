"""Finding the record that kills a worker: what was in hand at a death is handed over again in pieces, and pieces of pieces.

Before records are handed over, a note says which (`stream.kafka.memo.Note`). Whoever reads the partition next finds the note, and where its
records are not committed they are suspects: one of them may have been the cause. They go through in PIECES pieces, each noted
before. A single record with which, alone, two processes died is set aside. Of n records that were in hand together it takes
2 + log(n) / log(PIECES) deaths, rounded up, to find one that kills; a worker that died of something else costs its successor a few
small micro-batches.
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace

from stream.core.records import SourceRecord
from stream.kafka.memo import Note

PIECES = 16

ENOUGH_DEATHS = 2
"""Processes that died with a record alone in hand, after which it is not tried again."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Records of one partition that are handed over together, with the note of it; or never again (`killed`)."""

    records: Sequence[SourceRecord]
    note: Note | None = None
    killed: bool = False


@dataclass(frozen=True, slots=True)
class Suspects:
    """Records of one partition, by offset from `start` to before `end`; `deaths` processes died with just these in hand."""

    start: int
    end: int
    deaths: int
    step: int

    @classmethod
    def of(cls, note: Note, first: int) -> "Suspects | None":
        """Who is suspect, where reading goes on at the offset `first`."""
        start = max(note.start, first)
        if start >= note.end:
            return None
        return cls(start, note.end, note.deaths + 1, step=-(-(note.end - start) // PIECES))

    def pieces(self, records: Sequence[SourceRecord], *, killers: Container[int] = ()) -> Iterator[Piece]:
        """The next records of the partition, cut: those before the suspects, the suspects in pieces, those after them.

        Those in `killers` were found before, and are never handed over.
        """
        rest = [each for each in records if each.offset not in killers]
        if known := [each for each in records if each.offset in killers]:
            yield Piece(known, killed=True)
        within = [each for each in rest if self.start <= each.offset < self.end]
        if before := [each for each in rest if each.offset < self.start]:
            yield Piece(before, note_of(before))
        for at in range(0, len(within), self.step):
            yield self._piece(within[at : at + self.step])
        if after := [each for each in rest if each.offset >= self.end]:
            yield Piece(after, note_of(after))

    def after(self, records: Sequence[SourceRecord]) -> "Suspects | None":
        """Who is still suspect once these have gone through: of the others nobody knows yet what happens when they are alone."""
        last = records[-1].offset
        return self if last < self.start else None if last + 1 >= self.end else replace(self, start=last + 1, deaths=0)

    def _piece(self, records: Sequence[SourceRecord]) -> Piece:
        alone = self.end - self.start == 1
        if alone and self.deaths >= ENOUGH_DEATHS:
            return Piece(records, killed=True)
        return Piece(records, replace(note_of(records), deaths=self.deaths if alone else 0))


NOBODY = Suspects(0, 0, 0, step=1)


def note_of(records: Sequence[SourceRecord]) -> Note:
    """The note of records that are handed over for the first time."""
    return Note(records[0].offset, records[-1].offset + 1)
