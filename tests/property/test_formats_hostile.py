"""No bytes whatever stop a decoder, no detail quotes a text, and every valid record of each format says the same event."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stream import times
from stream.core.records import Reject, RejectReason, ResponseEvent, Source, SourceRecord
from stream.core.taxonomy import PAPER
from stream.formats.labelled import decode_labelled_rows
from stream.formats.missing_time import Demanded, MissingTime, RecordTime, Spaced
from stream.formats.recognise import FORMATS, decode
from stream.naming import LONGEST, monitor_name

SECRET = "xyzzy"
"""Stands in every text of a valid record, and nowhere else."""

CANONICAL: dict[str, Any] = {
    "schema": "valuedrift.response/1",
    "event_id": "e",
    "ts": "2026-03-01T12:00:00Z",
    "model": SECRET,
    "prompt": SECRET,
    "response": SECRET,
    "attributes": {SECRET: SECRET},
}
CHAT: dict[str, Any] = {
    "request": {
        "model": SECRET,
        "messages": [
            {"role": "system", "content": SECRET},
            {"role": "user", "content": [{"type": "text", "text": SECRET}]},
        ],
    },
    "response": {
        "id": "chatcmpl-1",
        "created": 1741569952,
        "model": SECRET,
        "choices": [{"index": 0, "message": {"content": SECRET, "refusal": None}, "finish_reason": "stop"}],
    },
}
LABELLED: dict[str, Any] = {
    "monitor": SECRET,
    "ts": "2026-03-01T12:00:00Z",
    "category": "off_topic",
    "event_id": SECRET,
}

TEXT = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=60).filter(
    str.strip
)
NAME = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=LONGEST)
INSTANT = st.integers(times.EARLIEST, times.LATEST - 1)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.just(SECRET),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
POLICIES = st.sampled_from([RecordTime(), Demanded(), Spaced(every=1_000_000)])


def record(value: bytes | None) -> SourceRecord:
    return SourceRecord(
        source=Source("t", 0), offset=3, key=None, value=value, headers=(), timestamp=1_741_569_952_000_000
    )


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places of a JSON value, the value itself included."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, child in items for path in paths(child, (*at, key)))]


@st.composite
def damaged(draw: st.DrawFn, template: dict[str, Any]) -> bytes:
    """A valid record in which up to three places hold something else or are gone, and perhaps a few bytes are wrong."""
    value = json.loads(json.dumps(template))
    for _ in range(draw(st.integers(1, 3))):
        if not value:
            break
        *parents, last = draw(st.sampled_from(paths(value)[1:]))
        parent = value
        for key in parents:
            parent = parent[key]
        if draw(st.booleans()):
            parent[last] = draw(JUNK)
        else:
            del parent[last]
    content = bytearray(json.dumps(value, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass"))
    for _ in range(draw(st.integers(0, 2))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content)


def check(found: tuple[ResponseEvent | Reject, ...]) -> None:
    assert found
    for each in found:
        if isinstance(each, Reject):
            assert SECRET not in each.detail
            assert len(each.detail) < 300
        else:
            assert times.EARLIEST <= each.ts < times.LATEST
            (each.prompt + each.response + monitor_name(each, ("model",))).encode()


@given(st.none() | st.binary(max_size=200), POLICIES, st.sampled_from([None, *FORMATS]))
def test_any_bytes_give_an_event_or_a_reason(value: bytes | None, policy: MissingTime, form: str | None) -> None:
    check(decode(record(value), missing_time=policy, form=form))


@given(JUNK, POLICIES, st.sampled_from([None, *FORMATS]))
def test_any_json_gives_an_event_or_a_reason(value: Any, policy: MissingTime, form: str | None) -> None:
    check(decode(record(json.dumps(value).encode()), missing_time=policy, form=form))


@given(damaged(CANONICAL) | damaged(CHAT), POLICIES, st.sampled_from([None, *FORMATS]))
def test_a_damaged_record_gives_an_event_or_a_reason(value: bytes, policy: MissingTime, form: str | None) -> None:
    check(decode(record(value), missing_time=policy, form=form))


@given(st.lists(damaged(LABELLED) | st.binary(max_size=60), max_size=4), st.sampled_from([(), ("version",)]))
def test_damaged_rows_are_counted_rejected_or_read(lines: list[bytes], attributes: tuple[str, ...]) -> None:
    rows = decode_labelled_rows(b"\n".join(lines), PAPER, source=Source("f", 0), attributes=attributes)
    assert rows.n == sum(map(len, rows.scored)) + len(rows.rejects)
    for _, _, reject in rows.rejects:
        assert SECRET not in reject.detail


@given(st.binary(max_size=100), st.integers(1, 2_000_000))
def test_a_record_above_the_limit_is_too_large_whatever_it_holds(head: bytes, extra: int) -> None:
    (found,) = decode(record(head.ljust(1_000_000 + extra, b"[")), missing_time=Demanded())
    assert isinstance(found, Reject)
    assert found.reason is RejectReason.TOO_LARGE


@given(TEXT, TEXT, NAME, INSTANT, st.dictionaries(NAME, TEXT, max_size=3))
def test_a_valid_canonical_record_is_read_as_it_was_meant(
    prompt: str, response: str, model: str, ts: int, attributes: dict[str, str]
) -> None:
    value = {
        "prompt": prompt,
        "response": response,
        "model": model,
        "ts": times.render(ts),
        "event_id": "e",
        "attributes": attributes,
    }
    for escaped in (True, False):
        found = decode(record(json.dumps(value, ensure_ascii=escaped).encode()), missing_time=Demanded())
        assert found == (
            ResponseEvent(event_id="e", ts=ts, model=model, prompt=prompt, response=response, attributes=attributes),
        )


@given(TEXT, TEXT, NAME, st.integers(times.EARLIEST // 10**6, times.LATEST // 10**6 - 1))
def test_a_valid_chat_is_read_as_it_was_meant(prompt: str, response: str, model: str, created: int) -> None:
    for content in (prompt, [{"type": "text", "text": prompt}]):
        check_chat(content, prompt, response=response, model=model, created=created)


def check_chat(content: object, prompt: str, *, response: str, model: str, created: int) -> None:
    value = {
        "request": {"model": model, "messages": [{"role": "user", "content": content}]},
        "response": {
            "id": "chatcmpl-1",
            "created": created,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": response}, "finish_reason": "stop"}],
        },
    }
    assert decode(record(json.dumps(value).encode()), missing_time=Demanded()) == (
        ResponseEvent(
            event_id="chatcmpl-1",
            ts=created * 10**6,
            model=model,
            prompt=prompt,
            response=response,
            finish_reason="stop",
            attributes={},
        ),
    )


@given(INSTANT, st.integers(-23 * 60, 23 * 60))
def test_an_instant_is_the_same_in_every_time_zone(ts: int, offset: int) -> None:
    shifted = ts + offset * 60 * 10**6
    if times.EARLIEST <= shifted < times.LATEST:
        zone = f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02}:{abs(offset) % 60:02}"
        assert times.parse(times.render(shifted).removesuffix("Z") + zone) == ts
