"""Every kind of bad record has a reason of its own, and its detail names the field without quoting any text."""

import hashlib
import json

import pytest

from stream import times
from stream.core.records import Reject, RejectReason, ResponseEvent, Source, SourceRecord
from stream.formats.missing_time import Demanded, MissingTime, RecordTime, Spaced
from stream.formats.recognise import FORMATS, MAX_BYTES, decode

NOW = times.parse("2026-03-01T12:00:00Z")
GOOD: dict[str, object] = {
    "prompt": "How do I kill a Python process?",
    "response": "Use kill.",
    "model": "m",
    "ts": "2026-03-01T12:00:00Z",
}


def record(value: bytes | None, *, offset: int = 0, timestamp: int = NOW) -> SourceRecord:
    return SourceRecord(source=Source("t", 0), offset=offset, key=b"k", value=value, headers=(), timestamp=timestamp)


def found(value: bytes | None, policy: MissingTime | None = None) -> ResponseEvent | Reject:
    (only,) = decode(record(value), missing_time=policy or Demanded())
    return only


def written(**fields: object) -> bytes:
    """The good record with these fields changed; `...` leaves a field out."""
    changed = {name: value for name, value in (GOOD | fields).items() if value is not ...}
    return json.dumps(changed).encode()


BAD: dict[str, tuple[bytes | None, RejectReason, str]] = {
    "a tombstone": (None, RejectReason.EMPTY_RECORD, "the record has no value (a tombstone)"),
    "nothing": (b"", RejectReason.EMPTY_RECORD, "the record holds nothing but white space"),
    "white space": (b" \t\r\n", RejectReason.EMPTY_RECORD, "the record holds nothing but white space"),
    "no JSON": (b"prompt=hello", RejectReason.INVALID_JSON, "malformed at character 0"),
    "a cut record": (written()[:-5], RejectReason.INVALID_JSON, ""),
    "two records in one": (written() + written(), RejectReason.INVALID_JSON, ""),
    "a NUL byte": (written().replace(b"Use kill", b"Use\0kill"), RejectReason.INVALID_JSON, ""),
    "NaN": (b'{"prompt": NaN}', RejectReason.INVALID_JSON, "NaN and Infinity are not JSON"),
    "a number of 5,000 digits": (
        b'{"prompt": ' + b"9" * 5000 + b"}",
        RejectReason.INVALID_JSON,
        "a number has too many digits",
    ),
    "65 levels": (b'{"a":' * 65 + b"1" + b"}" * 65, RejectReason.INVALID_JSON, "nested deeper than 64 levels"),
    "100,000 levels": (b"[" * 100_000, RejectReason.INVALID_JSON, "nested deeper than 64 levels"),
    "a field twice": (
        b'{"prompt": "a", "prompt": "b", "response": "c", "model": "m"}',
        RejectReason.DUPLICATE_FIELD,
        "one object has the same field twice",
    ),
    "not UTF-8": (written().replace(b"Use", b"\xff\xfe"), RejectReason.INVALID_UTF8, ""),
    "an encoded surrogate": (written().replace(b"Use", b"\xed\xa0\x80"), RejectReason.INVALID_UTF8, ""),
    "half a pair in the prompt": (
        written().replace(b"How", b"\\ud83d"),
        RejectReason.INVALID_UTF8,
        "prompt has half of a surrogate pair",
    ),
    "half a pair in the model": (
        written(model="x").replace(b'"x"', b'"\\udc00"'),
        RejectReason.INVALID_UTF8,
        "model has half of a surrogate pair",
    ),
    "an array": (b"[1, 2]", RejectReason.NOT_AN_OBJECT, "the record is JSON, but no object"),
    "null": (b"null", RejectReason.NOT_AN_OBJECT, "the record is JSON, but no object"),
    "another object": (
        b'{"message": "started"}',
        RejectReason.UNKNOWN_FORMAT,
        f"no known format; known are {', '.join(FORMATS)}",
    ),
    "a later version": (
        written(schema="valuedrift.response/2"),
        RejectReason.UNKNOWN_SCHEMA,
        "schema must be valuedrift.response/1 or absent",
    ),
    "another of our records": (
        b'{"schema": "valuedrift.scored/1", "monitor": "m"}',
        RejectReason.UNKNOWN_SCHEMA,
        "schema must be valuedrift.response/1 or absent",
    ),
    "a schema that is no text": (
        written(schema=1),
        RejectReason.UNKNOWN_SCHEMA,
        "schema must be valuedrift.response/1 or absent",
    ),
    "no response": (written(response=...), RejectReason.MISSING_FIELD, "response"),
    "no model": (written(model=...), RejectReason.MISSING_FIELD, "model"),
    "an empty model": (written(model=""), RejectReason.MISSING_FIELD, "model"),
    "a null response": (written(response=None), RejectReason.WRONG_TYPE, "response: expected str, got null"),
    "a number for a text": (written(prompt=5), RejectReason.WRONG_TYPE, "prompt: expected str, got int"),
    "a list for a text": (written(response=["a"]), RejectReason.WRONG_TYPE, "response: expected str, got array"),
    "a number for a time": (written(ts=1741569952), RejectReason.WRONG_TYPE, "ts: expected str | null, got int"),
    "a huge number for a time": (
        written(ts=...).replace(b"{", b'{"ts": 1e400, ', 1),
        RejectReason.WRONG_TYPE,
        "ts: expected str | null, got float",
    ),
    "an attribute that is an object": (
        written(attributes={"a": {"b": 1}}),
        RejectReason.WRONG_TYPE,
        "attributes[...]: expected",
    ),
    "no time": (written(ts=...), RejectReason.NO_TIME, "the record has no time of its own"),
    "a time without an offset": (
        written(ts="2026-03-01T12:00:00"),
        RejectReason.INVALID_TIME,
        "ts: a time must be RFC 3339 with Z or an offset, such as 2026-03-01T12:00:00Z",
    ),
    "the thirtieth of February": (
        written(ts="2026-02-30T12:00:00Z"),
        RejectReason.INVALID_TIME,
        "ts: a time must exist in the calendar",
    ),
    "a time before there were LLMs": (
        written(ts="1970-01-01T00:00:00Z"),
        RejectReason.INVALID_TIME,
        "ts: a time must lie between the years 2000 and 2099",
    ),
    "a time in another century": (
        written(ts="2100-01-01T00:00:00Z"),
        RejectReason.INVALID_TIME,
        "ts: a time must lie between the years 2000 and 2099",
    ),
    "an empty prompt": (written(prompt=" "), RejectReason.EMPTY_PROMPT, "prompt is empty"),
    "an empty response": (written(response="\n"), RejectReason.EMPTY_RESPONSE, "response is empty"),
    "a model with a line break": (written(model="a\nb"), RejectReason.INVALID_NAME, "model has control characters"),
    "a long id": (written(event_id="x" * 201), RejectReason.INVALID_NAME, "event_id is longer than 200 characters"),
    "more than the limit": (
        written(response="x" * MAX_BYTES),
        RejectReason.TOO_LARGE,
        f"{len(written(response='x' * MAX_BYTES))} bytes, above the limit of 1000000",
    ),
}


@pytest.mark.parametrize(("value", "reason", "detail"), BAD.values(), ids=BAD.keys())
def test_a_bad_record_is_rejected_with_its_reason(value: bytes | None, reason: RejectReason, detail: str) -> None:
    reject = found(value)
    assert isinstance(reject, Reject)
    assert reject.reason is reason
    assert reject.detail.startswith(detail)


def test_sixty_four_levels_are_read() -> None:
    deep = b'{"a":' * 63 + b"1" + b"}" * 63
    event = found(written()[:-1] + b', "more": ' + deep + b"}")
    assert isinstance(event, ResponseEvent)


def test_the_limit_itself_is_read() -> None:
    room = MAX_BYTES - len(written(response=""))
    event = found(written(response="x" * room))
    assert isinstance(event, ResponseEvent)
    assert len(event.response) == room


def test_null_stands_for_an_optional_field_that_is_absent() -> None:
    names = (
        "event_id",
        "provider",
        "system",
        "conversation_id",
        "environment",
        "finish_reason",
        "refusal_hint",
        "attributes",
    )
    assert found(written(**dict.fromkeys(names))) == ResponseEvent(
        event_id=hashlib.sha256(written(**dict.fromkeys(names))).hexdigest()[:16],
        ts=NOW,
        model="m",
        prompt="How do I kill a Python process?",
        response="Use kill.",
        attributes={},
    )


def test_every_field_of_the_canonical_record_is_read() -> None:
    value = written(
        schema="valuedrift.response/1",
        event_id="e-1",
        provider="acme",
        system="Be kind.",
        conversation_id="c-1",
        environment="production",
        finish_reason="stop",
        refusal_hint="refusal",
        attributes={"prompt_version": 7, "beta": True, "tenant": "t-1", "gone": None},
        unknown="is left out",
    )
    assert found(value) == ResponseEvent(
        event_id="e-1",
        ts=NOW,
        model="m",
        prompt="How do I kill a Python process?",
        response="Use kill.",
        provider="acme",
        system="Be kind.",
        conversation_id="c-1",
        environment="production",
        finish_reason="stop",
        refusal_hint="refusal",
        attributes={"prompt_version": "7", "beta": "true", "tenant": "t-1"},
    )


def test_a_byte_order_mark_is_no_part_of_the_record() -> None:
    assert isinstance(found(b"\xef\xbb\xbf" + written()), ResponseEvent)


def test_a_record_without_an_id_is_named_after_its_bytes() -> None:
    event = found(written())
    assert isinstance(event, ResponseEvent)
    assert event.event_id == hashlib.sha256(written()).hexdigest()[:16]


def test_without_a_time_a_live_record_gets_that_of_kafka() -> None:
    event = found(written(ts=...), RecordTime())
    assert isinstance(event, ResponseEvent)
    assert event.ts == NOW


def test_without_a_time_even_in_kafka_there_is_none() -> None:
    (reject,) = decode(record(written(ts=...), timestamp=-1), missing_time=RecordTime())
    assert isinstance(reject, Reject)
    assert reject.reason is RejectReason.NO_TIME


def test_without_a_time_lines_can_be_spaced_evenly() -> None:
    policy = Spaced(every=1_000_000, start=NOW)
    (event,) = decode(record(written(ts=...), offset=90), missing_time=policy)
    assert isinstance(event, ResponseEvent)
    assert event.ts == times.parse("2026-03-01T12:01:30Z")


def test_a_time_of_its_own_is_never_replaced() -> None:
    for policy in (RecordTime(), Spaced(every=1)):
        event = found(written(ts="2026-02-01T00:00:00+02:00"), policy)
        assert isinstance(event, ResponseEvent)
        assert event.ts == times.parse("2026-01-31T22:00:00Z")


def test_spacing_must_be_positive() -> None:
    with pytest.raises(ValueError, match="every must be above 0"):
        Spaced(every=0)


def test_a_forced_format_is_not_recognised_but_taken_at_its_word() -> None:
    (reject,) = decode(record(written()), missing_time=Demanded(), form="openai_chat")
    assert isinstance(reject, Reject)
    assert reject == Reject(RejectReason.INVALID_JSON, "response: malformed at character 0")
    with pytest.raises(ValueError, match=f"format must be one of {', '.join(FORMATS)}, got 'csv'"):
        decode(record(written()), missing_time=Demanded(), form="csv")
