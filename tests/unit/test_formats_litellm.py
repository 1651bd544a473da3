"""LiteLLM's StandardLoggingPayload.

PAYLOAD is LiteLLM's own example, tests/logging_callback_tests/gcs_pub_sub_body/standard_logging_payload.json of its repository, without
its price list. Its times are texts; the specification ("StandardLoggingPayload Specification" in its documentation) says seconds as
numbers, which the proxy sends. Guardrail, tag and team fields are written from that specification.
"""

from typing import Any

import pytest

from stream import times
from stream.core.records import RejectReason, ResponseEvent
from tests.unit.log_records import event, found, reject

PAYLOAD: dict[str, Any] = {
    "id": "chatcmpl-2299b6a2-82a3-465a-b47c-04e685a2227f",
    "trace_id": None,
    "call_type": "acompletion",
    "cache_hit": None,
    "stream": True,
    "status": "success",
    "custom_llm_provider": "openai",
    "saved_cache_cost": 0.0,
    "startTime": "2025-01-24 09:20:46.847371",
    "endTime": "2025-01-24 09:20:46.851954",
    "completionStartTime": "2025-01-24 09:20:46.851954",
    "response_time": 0.007394075393676758,
    "model": "gpt-4o",
    "metadata": {"user_api_key_hash": None, "user_api_key_team_alias": None, "applied_guardrails": []},
    "cache_key": None,
    "response_cost": 0.00022500000000000002,
    "total_tokens": 30,
    "request_tags": [],
    "end_user": "",
    "api_base": "",
    "model_group": "",
    "model_id": "",
    "messages": [{"role": "user", "content": "Hello, world!"}],
    "response": {
        "id": "chatcmpl-2299b6a2-82a3-465a-b47c-04e685a2227f",
        "created": 1742855151,
        "model": "gpt-4o",
        "object": "chat.completion",
        "system_fingerprint": None,
        "choices": [
            {
                "finish_reason": "stop",
                "index": 0,
                "message": {"content": "hi", "role": "assistant", "tool_calls": None, "function_call": None},
            }
        ],
        "usage": {"completion_tokens": 20, "prompt_tokens": 10, "total_tokens": 30},
    },
    "model_parameters": {},
    "error_str": None,
    "error_information": {"error_code": "", "error_class": ""},
}


def answered(**message: Any) -> dict[str, Any]:
    finish_reason = message.pop("finish_reason", "stop")
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish_reason}
    return PAYLOAD | {"response": PAYLOAD["response"] | {"choices": [choice]}}


def test_litellms_own_example_is_read() -> None:
    assert event(PAYLOAD) == ResponseEvent(
        event_id="chatcmpl-2299b6a2-82a3-465a-b47c-04e685a2227f",
        ts=times.parse("2025-01-24T09:20:46.851954Z"),
        model="gpt-4o",
        prompt="Hello, world!",
        response="hi",
        provider="openai",
        finish_reason="stop",
        attributes={"response_model": "gpt-4o"},
    )


def test_times_may_be_seconds_as_the_specification_has_them() -> None:
    read = event(PAYLOAD | {"startTime": 1737710446.847371, "endTime": 1737710446.851954})
    assert read.ts == times.parse("2025-01-24T09:20:46.851954Z")


def test_the_monitored_model_is_the_group_that_was_asked_for() -> None:
    payload = PAYLOAD | {
        "model_group": "support-bot",
        "model_id": "d-1",
        "trace_id": "t-1",
        "request_tags": ["eu", "beta"],
        "metadata": {"user_api_key_team_alias": "care"},
    }
    read = event(payload)
    assert (read.model, read.conversation_id) == ("support-bot", "t-1")
    assert read.attributes == {"response_model": "gpt-4o", "model_id": "d-1", "tags": "eu,beta", "team": "care"}


def test_the_payload_is_found_inside_the_arguments_of_a_callback() -> None:
    assert event({"standard_logging_object": PAYLOAD, "model": "other"}) == event(PAYLOAD)


@pytest.mark.parametrize(
    ("response", "text"),
    [
        ("plain text", "plain text"),
        (
            {"output": [{"type": "message", "content": [{"type": "output_text", "text": "responses API"}]}]},
            "responses API",
        ),
        (
            {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "messages API"}]},
            "messages API",
        ),
        ({"choices": [{"text": "text completion", "index": 0, "finish_reason": "stop"}]}, "text completion"),
        ('{"answer": 42}', '{"answer": 42}'),
    ],
)
def test_every_kind_of_response_is_read(response: object, text: str) -> None:
    assert event(PAYLOAD | {"response": response}).response == text


def test_messages_may_be_a_text() -> None:
    assert event(PAYLOAD | {"messages": "Hello?"}).prompt == "Hello?"


def test_a_call_of_tools_without_text_is_skipped() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    refused = reject(answered(content=None, tool_calls=[call], finish_reason="tool_calls"))
    assert (refused.reason, refused.reason.skipped) == (RejectReason.NO_TEXT, True)


def test_hints_and_a_cut_answer_are_marked() -> None:
    assert event(answered(content="I will", finish_reason="content_filter")).refusal_hint == "content_filter"
    assert event(answered(content="Once upon", finish_reason="length")).finish_reason == "length"
    intervened = event(PAYLOAD | {"status_fields": {"guardrail_status": "guardrail_intervened"}})
    assert intervened.refusal_hint == "guardrail"


@pytest.mark.parametrize(
    ("change", "reason", "detail"),
    [
        ({"status": "failure", "response": None}, RejectReason.FAILED_CALL, "status is not success"),
        (
            {"status": "failure", "status_fields": {"guardrail_status": "guardrail_intervened"}},
            RejectReason.FAILED_CALL,
            "status is not success, a guardrail intervened",
        ),
        (
            {"call_type": "aembedding", "response": {"object": "list", "data": [{"embedding": [0.1]}]}},
            RejectReason.NOT_A_RESPONSE,
            "response is no chat's",
        ),
        (
            {"messages": [{"role": "user", "content": "redacted-by-litellm"}]},
            RejectReason.MISSING_FIELD,
            "the texts are redacted: LiteLLM's turn_off_message_logging must be off",
        ),
        ({"messages": None}, RejectReason.MISSING_FIELD, "messages holds no turns of a chat"),
        (
            {"messages": [{"role": "assistant", "content": "x"}]},
            RejectReason.MISSING_FIELD,
            "messages has no user turn",
        ),
        ({"messages": [5]}, RejectReason.WRONG_TYPE, "messages: a turn must be an object"),
        ({"response": None}, RejectReason.MISSING_FIELD, "response holds no answer of a model"),
        (
            {"endTime": 17.5},
            RejectReason.INVALID_TIME,
            "endTime: a number must be a time between the years 2000 and 2099",
        ),
        ({"endTime": None, "startTime": None}, RejectReason.NO_TIME, "the record has no time of its own"),
        ({"model": None}, RejectReason.MISSING_FIELD, "model_group and model"),
        ({"id": 5}, RejectReason.WRONG_TYPE, "id: expected str | null, got int"),
    ],
)
def test_what_cannot_be_used_has_a_reason(change: dict[str, Any], reason: RejectReason, detail: str) -> None:
    refused = reject(PAYLOAD | change)
    assert (refused.reason, refused.detail) == (reason, detail)


def test_no_choices_are_no_answer() -> None:
    refused = reject(PAYLOAD | {"response": {"choices": []}})
    assert (refused.reason, refused.detail) == (RejectReason.MISSING_FIELD, "response.choices is empty")


@pytest.mark.parametrize("hit", [True, "True"])
def test_a_cache_hit_is_marked_and_skipped_only_if_that_is_asked_for(hit: object) -> None:
    payload = PAYLOAD | {"cache_hit": hit}
    assert event(payload).attributes["cache_hit"] == "true"
    refused = reject(payload, form="litellm_uncached")
    assert (refused.reason, refused.reason.skipped) == (RejectReason.CACHE_HIT, True)
    assert found(PAYLOAD, form="litellm_uncached") == found(PAYLOAD)
