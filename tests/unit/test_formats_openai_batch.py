"""OpenAI's Batch API. IN and OUT are the examples of its API reference, "The request input object" and "The request output object".

OUT is given the custom_id of IN, as the two do not belong together there.
"""

from typing import Any

import pytest

from stream.core.records import RejectReason, ResponseEvent
from tests.unit.log_records import event, reject
from tests.unit.test_formats_openai_responses import REQUEST, RESPONSE

IN: dict[str, Any] = {
    "custom_id": "request-1",
    "method": "POST",
    "url": "/v1/chat/completions",
    "body": {
        "model": "gpt-4o-mini",
        "messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": "What is 2+2?"},
        ],
    },
}
OUT: dict[str, Any] = {
    "id": "batch_req_wnaDys",
    "custom_id": "request-1",
    "response": {
        "status_code": 200,
        "request_id": "req_c187b3",
        "body": {
            "id": "chatcmpl-9758Iw",
            "object": "chat.completion",
            "created": 1711475054,
            "model": "gpt-4o-mini",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "2 + 2 equals 4."},
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 24, "completion_tokens": 15, "total_tokens": 39},
            "system_fingerprint": None,
        },
    },
    "error": None,
}


def test_lines_joined_on_their_custom_id_are_read() -> None:
    assert event(IN | OUT) == ResponseEvent(
        event_id="chatcmpl-9758Iw",
        ts=1_711_475_054_000_000,
        model="gpt-4o-mini",
        prompt="What is 2+2?",
        response="2 + 2 equals 4.",
        system="You are a helpful assistant.",
        finish_reason="stop",
        attributes={"response_model": "gpt-4o-mini"},
    )


def test_a_batch_of_the_responses_api_is_read() -> None:
    joined = IN | OUT | {"body": REQUEST, "response": {"status_code": 200, "body": RESPONSE}}
    assert event(joined).response == "In a peaceful grove beneath a silver moon..."


@pytest.mark.parametrize(
    ("line", "reason", "detail"),
    [
        (
            OUT,
            RejectReason.MISSING_FIELD,
            "body: the output says no prompt; join each line to its line of the input on custom_id",
        ),
        (IN, RejectReason.MISSING_FIELD, "response: join each line of the output to its line of the input"),
        (
            IN | OUT | {"response": None, "error": {"code": "batch_expired", "message": "x"}},
            RejectReason.FAILED_CALL,
            "error: the request of the batch failed",
        ),
        (
            IN | OUT | {"response": {"status_code": 400, "body": {"error": {"message": "x"}}}},
            RejectReason.FAILED_CALL,
            "response.status_code is not 200",
        ),
        (IN | OUT | {"body": 5}, RejectReason.WRONG_TYPE, "request: expected an object or its JSON text"),
    ],
)
def test_what_cannot_be_used_has_a_reason(line: dict[str, Any], reason: RejectReason, detail: str) -> None:
    refused = reject(line)
    assert (refused.reason, refused.detail) == (reason, detail)
