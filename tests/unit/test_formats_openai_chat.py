"""Golden records: the response bodies are those of OpenAI's API reference and guides, with the request that belongs to each.

Compared with copies of those pages: the call of a tool as BerriAI/litellm's tests quote it from the API reference
(test_convert_to_model_response_object_function_output), the refusal as a dozen stored copies of the guide have it: without `content`,
where the API itself sends null.
"""

import json
from typing import Any

import pytest

from stream import times
from stream.core.records import Reject, RejectReason, ResponseEvent, Source, SourceRecord
from stream.formats.chat import LONGEST_EARLIER
from stream.formats.missing_time import Demanded, RecordTime
from stream.formats.recognise import decode

REQUEST: dict[str, Any] = {
    "model": "gpt-4.1",
    "messages": [
        {"role": "developer", "content": "You are a helpful assistant."},
        {"role": "user", "content": "Hello!"},
    ],
}
# API reference, "Create chat completion", default example.
RESPONSE: dict[str, Any] = {
    "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
    "object": "chat.completion",
    "created": 1741569952,
    "model": "gpt-4.1-2025-04-14",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Hello! How can I assist you today?",
                "refusal": None,
                "annotations": [],
            },
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 19,
        "completion_tokens": 10,
        "total_tokens": 29,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    },
    "service_tier": "default",
}
# API reference, "Create chat completion", functions example.
TOOL_CALL: dict[str, Any] = {
    "id": "chatcmpl-abc123",
    "object": "chat.completion",
    "created": 1699896916,
    "model": "gpt-4o-mini",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "call_abc123",
                        "type": "function",
                        "function": {
                            "name": "get_current_weather",
                            "arguments": '{\n"location": "Boston, MA"\n}',
                        },
                    }
                ],
            },
            "logprobs": None,
            "finish_reason": "tool_calls",
        }
    ],
}
# Guide "Structured model outputs", "Refusals with Structured Outputs".
REFUSAL: dict[str, Any] = {
    "id": "chatcmpl-9nYAG9LPNonX8DAyrkwYfemr3C8HC",
    "object": "chat.completion",
    "created": 1721596428,
    "model": "gpt-4o-2024-08-06",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "refusal": "I'm sorry, I cannot assist with that request."},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 81, "completion_tokens": 11, "total_tokens": 92},
    "system_fingerprint": "fp_3407719c7f",
}


def record(value: object) -> SourceRecord:
    return SourceRecord(
        source=Source("llm.responses", 0),
        offset=7,
        key=None,
        value=json.dumps(value).encode(),
        headers=(),
        timestamp=times.parse("2026-03-01T12:00:00Z"),
    )


def read(value: object) -> ResponseEvent:
    (found,) = decode(record(value), missing_time=Demanded())
    assert isinstance(found, ResponseEvent), found
    return found


def refused(value: object) -> Reject:
    (found,) = decode(record(value), missing_time=Demanded())
    assert isinstance(found, Reject), found
    return found


def answered(**message: Any) -> dict[str, Any]:
    finish_reason = message.pop("finish_reason", "stop")
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish_reason}
    return {"request": REQUEST, "response": {**RESPONSE, "choices": [choice]}}


def test_the_default_example_of_the_reference_is_read() -> None:
    assert read({"request": REQUEST, "response": RESPONSE}) == ResponseEvent(
        event_id="chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
        ts=1_741_569_952_000_000,
        model="gpt-4.1",
        prompt="Hello!",
        response="Hello! How can I assist you today?",
        system="You are a helpful assistant.",
        finish_reason="stop",
        attributes={"response_model": "gpt-4.1-2025-04-14"},
    )


def test_a_refusal_in_its_own_field_is_the_response_and_a_hint() -> None:
    event = read({"request": REQUEST, "response": REFUSAL})
    assert event.response == "I'm sorry, I cannot assist with that request."
    assert event.refusal_hint == "refusal"
    assert event.attributes["system_fingerprint"] == "fp_3407719c7f"


def test_a_call_of_tools_without_text_is_no_response_to_judge() -> None:
    assert refused({"request": REQUEST, "response": TOOL_CALL}).reason is RejectReason.NO_TEXT


def test_a_call_of_tools_with_text_is_judged_by_its_text() -> None:
    value = answered(content="Let me look.", tool_calls=[{"id": "call_1", "type": "function"}])
    assert read(value).response == "Let me look."


def test_a_content_filter_is_a_hint() -> None:
    event = read(answered(content="I will", finish_reason="content_filter"))
    assert (event.refusal_hint, event.finish_reason) == ("content_filter", "content_filter")


def test_a_response_cut_by_its_length_says_so() -> None:
    assert read(answered(content="Once upon", finish_reason="length")).finish_reason == "length"


def test_an_empty_response_without_tools_is_empty() -> None:
    assert refused(answered(content=None)).reason is RejectReason.EMPTY_RESPONSE
    assert refused(answered(content=" \n")).reason is RejectReason.EMPTY_RESPONSE


def test_the_last_user_turn_is_the_prompt_and_system_turns_stand_apart() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "tool", "content": "42", "tool_call_id": "call_1"},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": "second"},
        {"role": "assistant", "content": "thinking"},
    ]
    event = read({"request": {"model": "m", "messages": messages}, "response": RESPONSE})
    assert (event.prompt, event.system) == ("second", "Be brief.\n\nBe kind.")
    assert event.earlier == "User: first\n\nUser:"


def conversation(*said: str) -> dict[str, Any]:
    turns = [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(said)]
    return {"request": {"model": "m", "messages": turns}, "response": RESPONSE}


def test_what_was_said_before_the_last_user_turn_stands_beside_it_with_its_speakers() -> None:
    event = read(conversation("How do I kill a process?", "Which one?", "The Python one."))
    assert event.prompt == "The Python one."
    assert event.earlier == "User: How do I kill a process?\n\nAssistant: Which one?\n\nUser:"
    assert event.asked == f"{event.earlier} The Python one."
    first = read(conversation("How do I kill a process?"))
    assert (first.earlier, first.asked) == (None, "How do I kill a process?")


def test_of_a_long_chat_the_latest_turns_are_kept_within_a_bound_and_the_last_user_turn_whole() -> None:
    last = "z" * 50_000
    event = read(conversation(*["a" * 900, "b" * 900] * 50, "latest question", "latest answer", last))
    assert event.prompt == last
    assert event.earlier is not None
    assert len(event.earlier) == LONGEST_EARLIER
    assert event.earlier.endswith("User: latest question\n\nAssistant: latest answer\n\nUser:")


def test_half_a_character_in_an_earlier_turn_costs_only_itself() -> None:
    raw = json.dumps(conversation("a\ud83d", "b", "c"))
    assert read(json.loads(raw)).earlier == "User: a?\n\nAssistant: b\n\nUser:"


def test_parts_of_a_turn_are_joined_and_images_left_out() -> None:
    # API reference, "Create chat completion", image input example.
    parts = [
        {"type": "text", "text": "What is in this image?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/boardwalk.jpg"}},
        {"type": "text", "text": "Be precise."},
    ]
    event = read({"request": {"model": "m", "messages": [{"role": "user", "content": parts}]}, "response": RESPONSE})
    assert event.prompt == "What is in this image?\nBe precise."


@pytest.mark.parametrize(
    "value",
    [
        {"request": REQUEST, "response": RESPONSE},
        {"request": {"body": REQUEST}, "response": {"status_code": 200, "request_id": "af0bac0d", "body": RESPONSE}},
        {"request": json.dumps(REQUEST), "response": json.dumps(RESPONSE)},
        {"request": {"body": json.dumps(REQUEST)}, "response": {"body": json.dumps(RESPONSE)}},
        {"request_body": REQUEST, "response_body": RESPONSE},
        {"messages": REQUEST["messages"], "model": REQUEST["model"], "response": RESPONSE},
        {**RESPONSE, "messages": REQUEST["messages"]},
    ],
    ids=["objects", "envelopes", "texts", "texts in envelopes", "bodies", "request at the top", "all at the top"],
)
def test_every_way_to_log_the_pair_gives_the_same_texts(value: dict[str, Any]) -> None:
    event = read(value)
    assert (event.event_id, event.prompt, event.response) == (
        RESPONSE["id"],
        "Hello!",
        "Hello! How can I assist you today?",
    )
    assert event.ts == 1_741_569_952_000_000


def test_the_monitored_model_is_the_one_that_was_asked_for() -> None:
    assert read({"request": REQUEST, "response": RESPONSE}).model == "gpt-4.1"
    without = {"messages": REQUEST["messages"]}
    assert read({"request": without, "response": RESPONSE}).model == "gpt-4.1-2025-04-14"


def test_what_the_gateway_says_beside_the_pair_wins() -> None:
    event = read(
        {
            "event_id": "gw-1",
            "ts": "2025-03-10T02:25:53.250+01:00",
            "environment": "production",
            "conversation_id": "c-9",
            "provider": "azure",
            "attributes": {"prompt_version": 3, "response_model": "as the gateway says", "empty": None},
            "request": REQUEST,
            "response": RESPONSE,
        }
    )
    assert (event.event_id, event.environment, event.conversation_id, event.provider) == (
        "gw-1",
        "production",
        "c-9",
        "azure",
    )
    assert event.ts == times.parse("2025-03-10T01:25:53.25Z")
    assert event.attributes == {"prompt_version": "3", "response_model": "as the gateway says"}


def test_every_choice_is_an_event_with_its_own_id() -> None:
    choices = [
        {"index": 0, "message": {"content": "yes"}, "finish_reason": "stop"},
        {"index": 1, "message": {"content": ""}, "finish_reason": "stop"},
        {"index": 2, "message": {"content": "no"}, "finish_reason": "stop"},
    ]
    found = decode(record({"request": REQUEST, "response": {**RESPONSE, "choices": choices}}), missing_time=Demanded())
    assert [each.event_id if isinstance(each, ResponseEvent) else each.reason for each in found] == [
        "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT#0",
        RejectReason.EMPTY_RESPONSE,
        "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT#2",
    ]


def test_without_created_the_policy_gives_the_time() -> None:
    timeless = {name: value for name, value in RESPONSE.items() if name != "created"}
    assert refused({"request": REQUEST, "response": timeless}).reason is RejectReason.NO_TIME
    (event,) = decode(record({"request": REQUEST, "response": timeless}), missing_time=RecordTime())
    assert isinstance(event, ResponseEvent)
    assert event.ts == times.parse("2026-03-01T12:00:00Z")


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        ({"request": REQUEST}, RejectReason.MISSING_FIELD, "response"),
        ({"request": None, "response": RESPONSE}, RejectReason.MISSING_FIELD, "request"),
        ({"request": 5, "response": RESPONSE}, RejectReason.WRONG_TYPE, "request: expected an object or its JSON text"),
        ({"request": "{", "response": RESPONSE}, RejectReason.INVALID_JSON, "request: malformed at character 1"),
        ({"request": {"model": "m"}, "response": RESPONSE}, RejectReason.MISSING_FIELD, "request.messages"),
        (
            {"request": {"messages": [{"role": "system", "content": "x"}]}, "response": RESPONSE},
            RejectReason.MISSING_FIELD,
            "request.messages has no user turn",
        ),
        (
            {"request": {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "response": RESPONSE},
            RejectReason.EMPTY_PROMPT,
            "the last user turn is empty",
        ),
        (
            {"request": REQUEST, "response": {**RESPONSE, "choices": []}},
            RejectReason.MISSING_FIELD,
            "response.choices is empty",
        ),
        (
            {
                "request": REQUEST,
                "response": {"error": {"message": "Rate limit reached", "code": "rate_limit_exceeded"}},
            },
            RejectReason.FAILED_CALL,
            "response is an error of the API",
        ),
        (
            {"request": REQUEST, "response": {**RESPONSE, "created": 1e400}},
            RejectReason.INVALID_JSON,
            "NaN and Infinity are not JSON",
        ),
        (
            {"request": REQUEST, "response": {**RESPONSE, "created": 1741569952000}},
            RejectReason.INVALID_TIME,
            "response.created: seconds since 1970 must lie between the years 2000 and 2099",
        ),
        (
            {"request": {**REQUEST, "messages": [{"role": "user", "content": 5}]}, "response": RESPONSE},
            RejectReason.WRONG_TYPE,
            "request.messages[0].content: expected str | array | null, got int",
        ),
        ({"response": {"choices": []}}, RejectReason.MISSING_FIELD, "messages"),
    ],
)
def test_what_is_wrong_with_a_pair_is_named(value: object, reason: RejectReason, detail: str) -> None:
    assert refused(value) == Reject(reason, detail)
