"""CloudEvents around other formats, in both content modes of the Kafka protocol binding.

The events are made by the CloudEvents SDK for Python, not written by hand; the names of its headers are those of the binding.
"""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from stream import times
from stream.core.records import RejectReason, ResponseEvent
from tests.unit.log_records import event, reject
from tests.unit.test_formats_litellm import PAYLOAD

CHAT = {"prompt": "Hello!", "response": "Hi.", "model": "m"}
ATTRIBUTES: dict[str, Any] = {
    "id": "A234-1234-1234",
    "source": "/mycontext/subcontext",
    "type": "com.example.chat",
    "specversion": "1.0",
    "time": datetime(2026, 3, 2, 12, tzinfo=UTC),
    "datacontenttype": "application/json",
}


def read(data: Any, *, mode: str) -> ResponseEvent:
    made = CloudEvent(attributes=ATTRIBUTES, data=data)
    message = (to_structured if mode == "structured" else to_binary)(made, JSONFormat())
    headers = tuple(
        (name, content if isinstance(content, bytes) else content.encode()) for name, content in message.headers.items()
    )
    assert message.value is not None
    return event(bytes(message.value), headers=headers)


@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_the_event_gives_its_id_and_time_to_a_response_that_has_none(mode: str) -> None:
    assert read(CHAT, mode=mode) == ResponseEvent(
        event_id="A234-1234-1234",
        ts=times.parse("2026-03-02T12:00:00Z"),
        model="m",
        prompt="Hello!",
        response="Hi.",
        attributes={},
    )


@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_what_the_response_says_itself_wins(mode: str) -> None:
    assert read(PAYLOAD, mode=mode) == event(PAYLOAD)


def test_data_may_be_a_text_or_base64() -> None:
    wrapped = {name: str(value) for name, value in ATTRIBUTES.items() if name != "time"}
    own = {"ts": "2026-03-02T12:00:00Z"}
    text = json.dumps(CHAT | own)
    for data in ({"data": text}, {"data_base64": base64.b64encode(text.encode()).decode()}, {"data": CHAT | own}):
        assert event(wrapped | data).response == "Hi."


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, RejectReason.MISSING_FIELD),
        ({"data": 5}, RejectReason.MISSING_FIELD),
        ({"data": "no JSON"}, RejectReason.INVALID_JSON),
        ({"data": {"message": "started"}}, RejectReason.UNKNOWN_FORMAT),
        ({"data_base64": "%"}, RejectReason.WRONG_TYPE),
        ({"data": CHAT, "time": "then"}, RejectReason.INVALID_TIME),
        ({"data": CHAT, "id": "a\nb"}, RejectReason.INVALID_NAME),
    ],
)
def test_what_cannot_be_used_has_a_reason(change: dict[str, Any], reason: RejectReason) -> None:
    wrapped = {name: str(value) for name, value in ATTRIBUTES.items() if name != "time"}
    assert reject(wrapped | change).reason is reason


def test_headers_that_are_no_text_have_a_reason() -> None:
    refused = reject(CHAT, headers=(("ce_specversion", b"1.0"), ("ce_id", b"\xff")))
    assert refused.reason is RejectReason.INVALID_UTF8
