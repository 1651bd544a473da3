"""Dead letters by place: what counts once, what may be sent again, and what no terminal is made to do."""

import json

import pytest

from stream.codec.dead_letter import encode_dead_letter
from stream.codec.resent import Resent, decode_resent, encode_resent
from stream.core.records import DeadLetter, RejectReason, Source, SourceRecord
from stream.deadletters import HEADER, Entry, Place, Resending, Verdict, contents, letters, original
from stream.errors import RecordError, UnknownSchemaError
from stream.naming import visible

T = 1_772_366_400_000_000
GOOD = json.dumps({"prompt": "p", "response": "r", "model": "m"}).encode()
SEVERAL = json.dumps(
    {
        "request": {"model": "m", "messages": [{"role": "user", "content": "p"}]},
        "response": {"created": 1772366400, "choices": [{"message": {"content": text}} for text in ("a", "b")]},
    }
).encode()


def letter(
    offset: int, *, value: bytes | None = GOOD, reason: RejectReason = RejectReason.INVALID_JSON, topic: str = "in"
) -> DeadLetter:
    return DeadLetter(
        source=Source(topic, 0),
        offset=offset,
        key=b"k",
        value=value,
        headers=(("h", b"1"),),
        reason=reason,
        detail="broken",
        ts=T + offset,
    )


def mark(offset: int) -> bytes:
    return encode_resent(Resent(source=Source("in", 0), offset=offset, ts=T))


def topic(*values: bytes) -> list[SourceRecord]:
    return [
        SourceRecord(source=Source("dead", 0), offset=at, key=None, value=value, headers=(), timestamp=0)
        for at, value in enumerate(values)
    ]


def test_a_letter_that_was_delivered_twice_counts_once() -> None:
    records = topic(*[encode_dead_letter(letter(5))] * 2, encode_dead_letter(letter(6)))
    assert list(contents(records).entries) == [Place("in", 0, 5), Place("in", 0, 6)]
    assert list(letters(records)) == [letter(5), letter(6)]


def test_a_mark_says_that_a_letter_was_sent_again_and_is_no_letter() -> None:
    records = topic(encode_dead_letter(letter(5)), mark(5), mark(5))
    assert contents(records).entries[Place("in", 0, 5)].resent == [T, T]
    assert list(letters(records)) == [letter(5)]


def test_records_of_another_kind_are_counted_and_passed_over() -> None:
    records = topic(b"{", b'{"schema": "other/1"}', encode_dead_letter(letter(5)))
    found = contents(records)
    assert (len(found.entries), found.unreadable) == (1, 2)


@pytest.mark.parametrize(
    ("dead", "entry", "rules", "verdict"),
    [
        (letter(1), Entry(), Resending(topic="in"), Verdict.SENT),
        (letter(1, topic="scored"), Entry(), Resending(topic="in"), Verdict.NOT_INPUT),
        (letter(1, value=None), Entry(), Resending(topic="in"), Verdict.NO_VALUE),
        (letter(1), Entry(resent=[T]), Resending(topic="in"), Verdict.SENT_BEFORE),
        (letter(1), Entry(resent=[T]), Resending(topic="in", again=True), Verdict.SENT),
        (letter(1, value=b"{"), Entry(), Resending(topic="in"), Verdict.STILL_UNUSABLE),
        (letter(1), Entry(), Resending(topic="in", form="kong"), Verdict.STILL_UNUSABLE),
        (letter(1, value=SEVERAL), Entry(), Resending(topic="in"), Verdict.SEVERAL),
        (letter(1, value=SEVERAL), Entry(), Resending(topic="in", whole=True), Verdict.SENT),
    ],
)
def test_only_what_is_usable_now_and_cannot_count_twice_is_sent(
    dead: DeadLetter, entry: Entry, rules: Resending, verdict: Verdict
) -> None:
    assert rules.judge(dead, entry) is verdict


def test_what_is_sent_again_says_where_it_was_before_however_often() -> None:
    once = original(letter(5))
    assert once.headers == (("h", b"1"), (HEADER, b"in/0/5"))
    back = DeadLetter(
        source=Source("in", 3),
        offset=9,
        key=once.key,
        value=once.value,
        headers=once.headers,
        reason=RejectReason.INVALID_JSON,
        detail="",
        ts=None,
    )
    assert original(back).headers == (("h", b"1"), (HEADER, b"in/3/9"))


def test_places_are_read_as_they_are_written() -> None:
    assert Place.parse("in/0/5", topic="other") == Place("in", 0, 5) == Place.parse("0/5", topic="in")
    assert Place.parse(str(Place("a.b", 1, 2)), topic="x") == Place("a.b", 1, 2)
    for wrong in ("5", "a/b", "in/0/-5", "in/0/5/6", ""):
        with pytest.raises(ValueError, match="PARTITION/OFFSET"):
            Place.parse(wrong, topic="in")


def test_marks_are_read_strictly() -> None:
    assert decode_resent(mark(5)) == Resent(source=Source("in", 0), offset=5, ts=T)
    assert json.loads(mark(5)) == {
        "schema": "valuedrift.resent/1",
        "source": {"topic": "in", "partition": 0},
        "offset": 5,
        "ts": "2026-03-01T12:00:00.000000Z",
    }
    with pytest.raises(UnknownSchemaError):
        decode_resent(b'{"schema": "valuedrift.resent/2"}')
    with pytest.raises(RecordError):
        decode_resent(mark(5).replace(b"2026", b"1026"))


@pytest.mark.parametrize(
    "hostile", ["\x1b[2J", "\x9b31m", "a\rb", "\u202egpj.exe", "\x1b]0;title\x07", "\u2028", "\ud800"]
)
def test_no_text_can_steer_a_terminal(hostile: str) -> None:
    assert visible(hostile).isprintable()
