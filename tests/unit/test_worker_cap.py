"""The cap on dead letters: what counts, when it stops a worker, and what the next worker makes of that."""

import asyncio
from collections.abc import Iterable, Mapping

import pytest

from stream.core.records import DeadLetter, RejectReason, Source, SourceRecord
from stream.errors import BrokerError
from stream.kafka.memo import Note
from stream.worker.cap import WINDOW, Cap, CapError, Limits
from stream.worker.caution import Caution
from stream.worker.notebook import Notebook

BAD, SKIPPED = RejectReason.MISSING_FIELD, RejectReason.NO_TEXT


class Stream:
    """Records of one partition after each other: "." is usable, "x" is not, "-" is merely skipped."""

    def __init__(self, *, partition: int = 0) -> None:
        self.source = Source("in", partition)
        self.next = 0

    def take(self, kinds: str) -> tuple[list[SourceRecord], list[DeadLetter]]:
        records, dead = [], []
        for kind in kinds:
            record = SourceRecord(source=self.source, offset=self.next, key=None, value=b"", headers=(), timestamp=0)
            self.next += 1
            records.append(record)
            if kind != ".":
                dead.append(letter(record, BAD if kind == "x" else SKIPPED))
        return records, dead


def letter(record: SourceRecord, reason: RejectReason) -> DeadLetter:
    return DeadLetter(
        source=record.source,
        offset=record.offset,
        key=None,
        value=None,
        headers=(),
        reason=reason,
        detail="",
        ts=None,
    )


def counted(limits: Limits, *parts: str) -> None:
    cap, stream = Cap(limits, advice="Do this"), Stream()
    for kinds in parts:
        cap.count(*stream.take(kinds))


def test_too_many_in_a_row_stop_it_and_it_says_where_why_and_what_to_do() -> None:
    with pytest.raises(CapError) as stopped:
        counted(Limits(in_a_row=4), "..xx", ".xx", "xx....")
    said = str(stopped.value)
    assert (
        "4 records in a row of in cannot be used (partition 0 up to offset 8; in this micro-batch: 2 missing_field)"
        in said
    )
    assert "has committed none of this micro-batch" in said
    assert "Do this." in said
    assert "unusable_in_a_row = 0" in said


def test_fewer_in_a_row_pass_however_often() -> None:
    counted(Limits(in_a_row=4), *["xxx."] * 400)


def test_what_is_merely_skipped_neither_counts_nor_interrupts() -> None:
    counted(Limits(in_a_row=2, share=0.01), "-" * 2 * WINDOW)
    with pytest.raises(CapError):
        counted(Limits(in_a_row=2), "x--", "-x")


def test_too_large_a_share_stops_it_once_enough_was_seen() -> None:
    limits = Limits(share=0.5)
    counted(limits, "x" * (WINDOW - 1))
    counted(limits, *["x."] * WINDOW)
    with pytest.raises(CapError, match=f"251 of the last {WINDOW}"):
        counted(limits, *["x."] * WINDOW, "xx")


def test_no_limit_is_no_limit() -> None:
    counted(Limits(in_a_row=0, share=1), *["x" * 100] * 20)


def test_partitions_are_counted_apart() -> None:
    cap, one, other = Cap(Limits(in_a_row=4)), Stream(), Stream(partition=1)
    for stream in (one, other):
        cap.count(*stream.take("xxx"))
    with pytest.raises(CapError) as stopped:
        cap.count(*other.take("x"))
    assert stopped.value.source == Source("in", 1)


def test_a_record_that_was_used_in_part_is_usable() -> None:
    cap, stream = Cap(Limits(in_a_row=1)), Stream()
    records, dead = stream.take("x")
    cap.count(records, dead, used={(records[0].source, records[0].offset)})
    with pytest.raises(CapError):
        cap.count(*stream.take("x"))


def test_a_record_that_gives_letters_of_both_kinds_counts_once() -> None:
    records, dead = Stream().take("x")
    with pytest.raises(CapError, match="1 missing_field"):
        Cap(Limits(in_a_row=1)).count(records, [letter(records[0], SKIPPED), *dead, letter(records[0], SKIPPED)])


class Kept:
    """Stands where Kafka keeps notes."""

    def __init__(self) -> None:
        self.notes: dict[Source, Note] = {}
        self.away = False

    def read(self, sources: Iterable[Source]) -> dict[Source, Note]:
        self._answer()
        return {source: self.notes.get(source, Note()) for source in sources}

    def write(self, notes: Mapping[Source, Note]) -> None:
        self._answer()
        self.notes.update(notes)

    def _answer(self) -> None:
        if self.away:
            raise BrokerError("Kafka is away")


def worker(kept: Kept) -> Caution:
    return Caution(Cap(Limits(in_a_row=4)), Notebook(kept))  # type: ignore[arg-type]  # only read and write are used


async def meet(caution: Caution, stream: Stream, kinds: str) -> None:
    records, dead = stream.take(kinds)
    await caution.begin(records)
    await caution.count(records, dead)


def test_the_next_worker_lets_nothing_of_the_same_pass() -> None:
    async def test() -> None:
        kept = Kept()
        with pytest.raises(CapError):
            await meet(worker(kept), Stream(), "xxxx")
        for _ in range(3):
            with pytest.raises(CapError, match="still 2 of 3 records"):
                await meet(worker(kept), Stream(), "xx.")

    asyncio.run(test())


def test_after_a_repair_the_next_worker_goes_on_and_counts_anew() -> None:
    async def test() -> None:
        kept = Kept()
        with pytest.raises(CapError):
            await meet(worker(kept), Stream(), "xxxx")
        repaired, stream = worker(kept), Stream()
        await meet(repaired, stream, "...x")
        await meet(repaired, stream, "xx")
        assert not kept.notes[stream.source].stopped
        with pytest.raises(CapError, match="4 records in a row"):
            await meet(repaired, stream, "x")

    asyncio.run(test())


def test_without_kafka_the_cap_still_holds(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        kept = Kept()
        kept.away = True
        with pytest.raises(CapError, match="4 records in a row"):
            await meet(worker(kept), Stream(), "xxxx")

    asyncio.run(test())
    assert "Kafka is away" in caplog.text
