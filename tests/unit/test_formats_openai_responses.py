"""OpenAI's Responses API. RESPONSE is the default example of its API reference ("Create a model response"), shortened; the refusal, the
cut answer and the call of a function are written from the field descriptions there.
"""

from typing import Any

import pytest

from stream.core.records import RejectReason, ResponseEvent
from tests.unit.log_records import event, reject

REQUEST: dict[str, Any] = {"model": "gpt-4.1", "input": "Tell me a three sentence bedtime story about a unicorn."}
RESPONSE: dict[str, Any] = {
    "id": "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
    "object": "response",
    "created_at": 1741476542,
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "max_output_tokens": None,
    "model": "gpt-4.1-2025-04-14",
    "output": [
        {
            "type": "message",
            "id": "msg_67ccd2bf17f0819081ff3bb2cf6508e60bb6a6b452d3795b",
            "status": "completed",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "In a peaceful grove beneath a silver moon...", "annotations": []}
            ],
        }
    ],
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "store": True,
    "usage": {"input_tokens": 36, "output_tokens": 87, "total_tokens": 123},
    "user": None,
    "metadata": {},
}


def pair(request: dict[str, Any] | None = None, **response: Any) -> dict[str, Any]:
    return {"request": REQUEST | (request or {}), "response": RESPONSE | response}


def message(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": list(parts)}


def test_the_default_example_is_read() -> None:
    assert event(pair()) == ResponseEvent(
        event_id="resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
        ts=1_741_476_542_000_000,
        model="gpt-4.1",
        prompt="Tell me a three sentence bedtime story about a unicorn.",
        response="In a peaceful grove beneath a silver moon...",
        finish_reason="stop",
        attributes={"response_model": "gpt-4.1-2025-04-14"},
    )


def test_the_fields_of_both_may_stand_in_one_object() -> None:
    assert event(RESPONSE | {"input": REQUEST["input"]}).prompt == REQUEST["input"]


def test_the_last_user_turn_is_the_prompt_and_instructions_stand_apart() -> None:
    asked = [
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": "first"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "thinking"}]},
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "second"}, {"type": "input_image", "image_url": "x"}],
        },
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "42"},
    ]
    read = event(pair({"input": asked, "instructions": "Be brief."}))
    assert (read.prompt, read.system) == ("second", "Be brief.\n\nBe kind.")


def test_a_refusal_is_the_response_and_a_hint() -> None:
    read = event(pair(output=[message({"type": "refusal", "refusal": "I cannot help with that."})]))
    assert (read.response, read.refusal_hint) == ("I cannot help with that.", "refusal")


@pytest.mark.parametrize(("reason", "name", "hint"), [("max_output_tokens", "length", None), ("content_filter",) * 3])
def test_an_incomplete_answer_says_why(reason: str, name: str, hint: str | None) -> None:
    read = event(pair(status="incomplete", incomplete_details={"reason": reason}))
    assert (read.finish_reason, read.refusal_hint) == (name, hint)


def test_reasoning_is_left_out_and_a_call_beside_a_text_does_not_hide_it() -> None:
    output = [
        {"type": "reasoning", "summary": []},
        message({"type": "output_text", "text": "Let me "}, {"type": "output_text", "text": "look."}),
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    ]
    assert event(pair(output=output)).response == "Let me look."


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ({"output": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}]}, RejectReason.NO_TEXT),
        ({"output": [{"type": "reasoning", "summary": []}]}, RejectReason.EMPTY_RESPONSE),
        ({"output": []}, RejectReason.EMPTY_RESPONSE),
        ({"error": {"code": "server_error", "message": "x"}, "status": "failed"}, RejectReason.FAILED_CALL),
        ({"status": "in_progress"}, RejectReason.NOT_A_RESPONSE),
        ({"output": None}, RejectReason.WRONG_TYPE),
        ({"created_at": 1741476542000}, RejectReason.INVALID_TIME),
    ],
)
def test_what_cannot_be_used_has_a_reason(response: dict[str, Any], reason: RejectReason) -> None:
    assert reject(pair(**response)).reason is reason


def test_a_response_without_its_request_has_no_prompt() -> None:
    refused = reject(RESPONSE)
    assert (refused.reason, refused.detail) == (RejectReason.MISSING_FIELD, "input")
