"""Anthropic's Messages API. REQUEST and MESSAGE are the example of its API reference ("Create a message"), shortened. BATCH is written
from its guide "Batch processing", the refusal and the tools from "Handling stop reasons" and "Tool use".
"""

from typing import Any

import pytest

from stream import times
from stream.core.records import RejectReason, ResponseEvent
from stream.formats.missing_time import RecordTime
from tests.unit.log_records import ARRIVED, event, reject

REQUEST: dict[str, Any] = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 1024,
    "messages": [{"role": "user", "content": "Hello, world"}],
}
MESSAGE: dict[str, Any] = {
    "id": "msg_013Zva2CMHLNnXjNJJKqJ2EF",
    "content": [{"citations": None, "text": "Hi! My name is Claude.", "type": "text"}],
    "model": "claude-sonnet-4-5-20250929",
    "role": "assistant",
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "type": "message",
    "usage": {"input_tokens": 2095, "output_tokens": 503},
}
BATCH: dict[str, Any] = {
    "custom_id": "my-first-request",
    "params": REQUEST,
    "result": {"type": "succeeded", "message": MESSAGE},
}
NOON = "2026-03-02T12:00:00Z"


def pair(request: dict[str, Any] | None = None, **message: Any) -> dict[str, Any]:
    return {"ts": NOON, "request": REQUEST | (request or {}), "response": MESSAGE | message}


def test_the_example_of_the_reference_is_read() -> None:
    assert event(pair()) == ResponseEvent(
        event_id="msg_013Zva2CMHLNnXjNJJKqJ2EF",
        ts=times.parse(NOON),
        model="claude-sonnet-4-5",
        prompt="Hello, world",
        response="Hi! My name is Claude.",
        finish_reason="stop",
        attributes={"response_model": "claude-sonnet-4-5-20250929"},
    )


def test_a_joined_line_of_a_batch_is_read_with_the_time_of_the_record() -> None:
    read = event(BATCH, policy=RecordTime())
    assert (read.prompt, read.response, read.ts) == ("Hello, world", "Hi! My name is Claude.", ARRIVED)


def test_system_texts_stand_apart_and_results_of_tools_are_no_user_turns() -> None:
    turns = [
        {"role": "user", "content": [{"type": "text", "text": "What's the weather?"}, {"type": "image", "source": {}}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "weather", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "rainy"}]},
    ]
    read = event(pair({"messages": turns, "system": [{"type": "text", "text": "Today is Monday."}]}))
    assert (read.prompt, read.system) == ("What's the weather?", "Today is Monday.")


def test_thinking_is_left_out() -> None:
    content = [{"type": "thinking", "thinking": "hm", "signature": "x"}, {"type": "text", "text": "Yes."}]
    assert event(pair(content=content)).response == "Yes."


@pytest.mark.parametrize(
    ("stop_reason", "name", "hint"),
    [("max_tokens", "length", None), ("refusal", "refusal", "refusal"), ("stop_sequence", "stop", None)],
)
def test_stop_reasons_have_the_names_of_all_formats(stop_reason: str, name: str, hint: str | None) -> None:
    read = event(pair(stop_reason=stop_reason))
    assert (read.finish_reason, read.refusal_hint) == (name, hint)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (pair(content=[{"type": "tool_use", "id": "t", "name": "f", "input": {}}]), RejectReason.NO_TEXT),
        (pair(content=[]), RejectReason.EMPTY_RESPONSE),
        (pair(content="text"), RejectReason.WRONG_TYPE),
        ({"request": REQUEST, "response": MESSAGE}, RejectReason.NO_TIME),
        (
            {"request": REQUEST, "response": {"type": "error", "error": {"type": "overloaded_error"}}},
            RejectReason.FAILED_CALL,
        ),
        (BATCH | {"result": {"type": "errored", "error": {}}}, RejectReason.FAILED_CALL),
        ({name: BATCH[name] for name in ("custom_id", "result")}, RejectReason.MISSING_FIELD),
        (BATCH | {"result": {"type": "succeeded"}}, RejectReason.MISSING_FIELD),
    ],
)
def test_what_cannot_be_used_has_a_reason(value: object, reason: RejectReason) -> None:
    assert reject(value).reason is reason
