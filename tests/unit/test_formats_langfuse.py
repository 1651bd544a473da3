"""Langfuse exports. Written from the field lists of its documentation ("Blob storage export field reference": names, types, and the form
of times) and of its API reference ("Observation"); neither has a sample row. What stands in `input` and `output` is whatever a
tracer wrote: TRACED has the shapes of real traces, those that Langfuse's repository keeps for its own tests
(langfuse/langfuse, worker/src/__tests__/chatml/framework-traces/*.json), with other texts.
"""

import json
from typing import Any

import pytest

from stream import times
from stream.core.records import RejectReason, ResponseEvent
from tests.unit.log_records import event, reject

CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is my parcel?"}]
ROW: dict[str, Any] = {
    "id": "obs-1",
    "trace_id": "trace-1",
    "project_id": "p-1",
    "environment": "production",
    "type": "GENERATION",
    "start_time": "2024-05-29 13:46:19.963000",
    "end_time": "2024-05-29 13:46:21.100000",
    "name": "answer",
    "level": "DEFAULT",
    "status_message": None,
    "version": None,
    "release": "2024.22",
    "provided_model_name": "gpt-4o",
    "model_parameters": '{"temperature": 0.2}',
    "input": json.dumps(CHAT),
    "output": '{"role": "assistant", "content": "It is on its way."}',
    "prompt_name": "support",
    "prompt_version": 7,
    "user_id": "u-1",
    "session_id": "s-1",
    "usage_details": {"input": 12, "output": 5, "total": 17},
}


def test_a_generation_of_the_blob_storage_export_is_read() -> None:
    assert event(ROW) == ResponseEvent(
        event_id="obs-1",
        ts=times.parse("2024-05-29T13:46:21.1Z"),
        model="gpt-4o",
        prompt="Where is my parcel?",
        response="It is on its way.",
        system="Be brief.",
        conversation_id="s-1",
        environment="production",
        attributes={"prompt_name": "support", "prompt_version": "7", "release": "2024.22"},
    )


def test_the_spelling_of_the_api_says_the_same() -> None:
    row = {
        "id": "obs-1",
        "traceId": "trace-1",
        "type": "GENERATION",
        "startTime": "2024-05-29T13:46:19.963Z",
        "endTime": "2024-05-29T13:46:21.100Z",
        "model": "gpt-4o",
        "input": CHAT,
        "output": {"role": "assistant", "content": "It is on its way."},
        "level": "DEFAULT",
        "promptVersion": 7,
    }
    read = event(row)
    assert (read.ts, read.model, read.prompt) == (event(ROW).ts, "gpt-4o", "Where is my parcel?")
    assert (read.conversation_id, read.attributes) == ("trace-1", {"prompt_version": "7"})


def test_a_row_of_a_csv_export_has_texts_only_and_may_have_empty_ones() -> None:
    row = {name: value if isinstance(value, str) else "" for name, value in ROW.items()} | {"prompt_version": "7"}
    assert event(row | {"end_time": ""}).ts == times.parse("2024-05-29T13:46:19.963Z")
    assert event(row).attributes == {"prompt_name": "support", "prompt_version": "7", "release": "2024.22"}


@pytest.mark.parametrize(
    ("asked", "prompt"),
    [
        ("plain text", "plain text"),
        ('{"messages": [{"role": "user", "content": [{"type": "text", "text": "in a request"}]}]}', "in a request"),
        ({"contents": [{"role": "user", "parts": [{"text": "Gemini's"}]}]}, "Gemini's"),
        ('{"city": "Paris"}', '{"city": "Paris"}'),
        ([{"role": "human", "content": "LangChain's"}], "LangChain's"),
        ("[1, 2]", "[1, 2]"),
    ],
)
def test_inputs_of_many_shapes_are_read(asked: object, prompt: str) -> None:
    assert event(ROW | {"input": asked}).prompt == prompt


@pytest.mark.parametrize(
    ("answered", "response"),
    [
        ("plain text", "plain text"),
        ('{"answer": 42}', '{"answer": 42}'),
        ("[1, 2]", "[1, 2]"),
        ({"choices": [{"message": {"content": "of a completion"}}]}, "of a completion"),
        ([{"role": "user", "content": "x"}, {"role": "assistant", "content": "the last turn"}], "the last turn"),
        ({"candidates": [{"content": {"role": "model", "parts": [{"text": "Gemini's"}]}}]}, "Gemini's"),
        ({"content": [{"type": "text", "text": "of parts"}]}, "of parts"),
    ],
)
def test_outputs_of_many_shapes_are_read(answered: object, response: str) -> None:
    assert event(ROW | {"output": answered}).response == response


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"type": "SPAN"}, RejectReason.NOT_A_RESPONSE),
        ({"level": "ERROR"}, RejectReason.FAILED_CALL),
        ({"input": ""}, RejectReason.MISSING_FIELD),
        ({"output": None}, RejectReason.MISSING_FIELD),
        ({"output": 5}, RejectReason.MISSING_FIELD),
        ({"output": {"role": "assistant", "content": None, "tool_calls": [{"id": "c"}]}}, RejectReason.NO_TEXT),
        ({"output": "data: {}\n\n"}, RejectReason.WRONG_TYPE),
        ({"provided_model_name": None}, RejectReason.MISSING_FIELD),
        ({"end_time": "yesterday"}, RejectReason.INVALID_TIME),
        ({"id": 5}, RejectReason.WRONG_TYPE),
    ],
)
def test_what_cannot_be_used_has_a_reason(change: dict[str, Any], reason: RejectReason) -> None:
    assert reject(ROW | change).reason is reason


ASKED = {"role": "user", "content": "Weather?"}
CALL = {"toolCallId": "call_1", "toolName": "weather", "input": '{"city": "Rome"}'}
TRACED: dict[str, tuple[object, object, tuple[str, str | None, str] | RejectReason]] = {
    "google-gemini": (
        {"model": "g", "contents": "Weather?"},
        {"candidates": [{"content": {"parts": [{"text": "Sunny."}], "role": "model"}, "finish_reason": "STOP"}]},
        ("Weather?", None, "Sunny."),
    ),
    "llamaindex": ({"args": ["Weather?"]}, "Sunny.", ("Weather?", None, "Sunny.")),
    "pydantic-ai": (
        [{"role": "system", "content": "Be kind.", "event.name": "gen_ai.system.message"}, ASKED],
        {"index": 0, "message": {"role": "assistant", "content": "Sunny."}, "event.name": "gen_ai.choice"},
        ("Weather?", None, "Sunny."),
    ),
    "vercel-aisdk, a call of a tool": ({"prompt": "Weather?"}, [CALL], RejectReason.NO_TEXT),
    "anthropic-messages-api, thinking and a call": (
        {"model": "c", "messages": [ASKED], "tools": []},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm"},
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "t", "name": "weather", "input": {}},
            ],
        },
        ("Weather?", None, "Let me see."),
    ),
    "openai-agents, after a call": (
        [
            ASKED,
            {"type": "function_call", "name": "weather", "call_id": "c", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "sunny"},
        ],
        {
            "object": "response",
            "output": [
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Sunny."}]}
            ],
        },
        ("Weather?", None, "Sunny."),
    ),
    "google-adk, after a call": (
        {
            "contents": [
                {"parts": [{"text": "Weather?"}], "role": "user"},
                {"parts": [{"function_call": {"name": "weather"}}], "role": "model"},
                {"parts": [{"function_response": {"response": {}}}], "role": "user"},
            ]
        },
        {"content": {"parts": [{"text": "Sunny."}], "role": "model"}, "finish_reason": "STOP"},
        ("Weather?", None, "Sunny."),
    ),
}


@pytest.mark.parametrize(("asked", "answered", "wanted"), TRACED.values(), ids=TRACED.keys())
def test_what_frameworks_write_is_read(asked: object, answered: object, wanted: object) -> None:
    row = ROW | {"input": json.dumps(asked), "output": answered if isinstance(answered, str) else json.dumps(answered)}
    if isinstance(wanted, RejectReason):
        assert reject(row).reason is wanted
    else:
        read = event(row)
        assert (read.prompt, read.earlier, read.response) == wanted


def test_a_call_that_is_traced_twice_counts_once() -> None:
    assert reject(ROW | {"name": "ai.streamText"}).reason is RejectReason.NOT_A_RESPONSE
    assert event(ROW | {"name": "ai.streamText.doStream"}).response == "It is on its way."
