"""Finding the record that kills: simulated processes over one partition, which die at marked records and at random."""

import asyncio
import math
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.core.records import Source, SourceRecord
from stream.kafka.memo import Note
from stream.worker.caution import Caution
from stream.worker.notebook import Notebook
from stream.worker.suspects import PIECES, Suspects
from tests.unit.test_worker_cap import Kept

IN = Source("in", 0)


class Death(BaseException):
    """Takes a simulated process away at once."""


def record(offset: int, source: Source = IN) -> SourceRecord:
    return SourceRecord(source=source, offset=offset, key=None, value=b"", headers=(), timestamp=0)


class Partition:
    """What survives processes: the log, its committed offset, the notes, and what became of each record."""

    def __init__(self, n: int, *, killers: Iterable[int]) -> None:
        self.n = n
        self.killers = set(killers)
        self.committed = 0
        self.kept = Kept()
        self.done: list[int] = []
        self.aside: list[int] = []
        self.deaths = 0

    async def process(self, size: int, *, killed_after: int | None = None) -> None:
        """One process, to the end of the log or to its death (by a killer, or from outside after so many records)."""
        caution = Caution(notebook=Notebook(self.kept))  # type: ignore[arg-type]  # only read and write are used
        try:
            for start in range(self.committed, self.n, size):
                batch = [record(offset) for offset in range(start, min(start + size, self.n))]
                async for offset, killed in handed(caution, batch):
                    self._meet(offset, killed=killed, killed_after=killed_after)
                self.committed = batch[-1].offset + 1
        except Death:
            self.deaths += 1

    def _meet(self, offset: int, *, killed: bool, killed_after: int | None) -> None:
        if killed_after is not None and len(self.done) >= killed_after:
            raise Death
        if not killed and offset in self.killers:
            raise Death
        (self.aside if killed else self.done).append(offset)


async def handed(caution: Caution, batch: list[SourceRecord]) -> AsyncIterator[tuple[int, bool]]:
    async with aclosing(caution.pieces(batch)) as pieces:
        async for piece in pieces:
            for each in piece.records:
                yield each.offset, piece.killed


def run_until_done(partition: Partition, size: int, *, most: int) -> None:
    async def run() -> None:
        while partition.committed < partition.n:
            await partition.process(size)
            assert partition.deaths <= most

    asyncio.run(run())


@pytest.mark.parametrize("size", [1, 2, 16, 17, 64, 257])
@pytest.mark.parametrize("place", ["first", "last", "middle"])
def test_the_record_that_kills_is_set_aside_and_nothing_else(size: int, place: str) -> None:
    killer = {"first": 0, "last": size - 1, "middle": size // 2}[place]
    partition = Partition(2 * size, killers=[killer])
    run_until_done(partition, size, most=2 + math.ceil(math.log(size, PIECES)))
    assert set(partition.aside) == {killer}
    assert set(partition.done) == set(range(2 * size)) - {killer}


@given(st.integers(1, 80), st.integers(1, 40), st.data())
def test_several_that_kill_are_all_found(n: int, size: int, data: st.DataObject) -> None:
    killers = data.draw(st.sets(st.integers(0, n - 1), max_size=4))
    partition = Partition(n, killers=killers)
    run_until_done(partition, size, most=5 * len(killers))
    assert set(partition.aside) == killers
    assert set(partition.done) == set(range(n)) - killers


def test_a_death_in_company_does_not_count_against_the_last_of_it() -> None:
    async def run() -> None:
        partition = Partition(16, killers=())
        await partition.process(16, killed_after=0)  # all of them in hand
        await partition.process(15, killed_after=15)  # the last one alone, as it comes in a micro-batch of its own
        await partition.process(15)
        assert (partition.deaths, partition.aside) == (2, [])
        assert set(partition.done) == set(range(16))

    asyncio.run(run())


@given(st.integers(1, 200), st.integers(1, 64), st.integers(0, 2**32))
def test_one_death_from_outside_sets_nothing_aside(n: int, size: int, seed: int) -> None:
    async def run() -> None:
        partition = Partition(n, killers=())
        await partition.process(size, killed_after=random.Random(seed).randrange(n))
        await partition.process(size)
        assert partition.aside == []
        assert set(partition.done) == set(range(n))
        assert partition.committed == n

    asyncio.run(run())


def test_who_has_survived_is_no_suspect_when_a_record_of_another_partition_kills() -> None:
    async def test() -> None:
        kept, other = Kept(), Source("in", 1)
        first, second = [record(0)], [record(at, other) for at in range(3)]
        aside: list[tuple[Source, int]] = []
        for _ in range(6):
            caution = Caution(notebook=Notebook(kept))  # type: ignore[arg-type]
            async with aclosing(caution.pieces([*first, *second])) as pieces:
                async for piece in pieces:
                    places = [(each.source, each.offset) for each in piece.records]
                    if piece.killed:
                        aside += places
                    elif (other, 1) in places:
                        break  # dead, with the first partition's record classified and not committed
                else:
                    break
        assert set(aside) == {(other, 1)}

    asyncio.run(test())


def test_records_that_were_committed_are_no_suspects() -> None:
    assert Suspects.of(Note(10, 20), first=20) is None
    assert Suspects.of(Note(), first=0) is None
    found = Suspects.of(Note(10, 20), first=15)
    assert found is not None
    assert (found.start, found.end) == (15, 20)


def test_two_micro_batches_in_hand_are_suspect_together() -> None:
    async def test() -> None:
        kept = Kept()
        caution = Caution(notebook=Notebook(kept))  # type: ignore[arg-type]
        first, second = (caution.pieces([record(at) for at in range(start, start + 4)]) for start in (0, 4))
        await anext(first)
        await anext(second)
        assert kept.notes[IN] == Note(0, 8)
        await first.aclose()
        third = caution.pieces([record(8)])
        await anext(third)
        assert kept.notes[IN] == Note(4, 9)
        await second.aclose()
        await third.aclose()

    asyncio.run(test())


def test_suspects_have_the_worker_to_themselves() -> None:
    async def test() -> None:
        kept, other = Kept(), Source("in", 1)
        kept.notes[IN] = Note(0, 1)
        caution = Caution(notebook=Notebook(kept))  # type: ignore[arg-type]
        harmless, suspect = caution.pieces([record(0, other)]), caution.pieces([record(0)])
        await anext(harmless)
        waiting = asyncio.ensure_future(anext(suspect))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await harmless.aclose()
        await asyncio.wait_for(waiting, 5)
        late = asyncio.ensure_future(anext(caution.pieces([record(1, other)])))
        await asyncio.sleep(0.05)
        assert not late.done()
        await suspect.aclose()
        await asyncio.wait_for(late, 5)

    asyncio.run(test())


def test_without_notes_records_still_go_through(caplog: pytest.LogCaptureFixture) -> None:
    partition = Partition(10, killers=())
    partition.kept.away = True
    run_until_done(partition, 4, most=0)
    assert partition.done == list(range(10))
    assert "Kafka is away" in caplog.text
