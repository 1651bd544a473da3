"""Kong's request logs. LOG is the sample of Kong's documentation ("Kafka Log", sample log object for a proxied LLM request), shortened.

That sample has no payloads, because logging them is off by default. Their places are those of Kong's "AI Gateway audit log reference". That
the bodies stand there as texts, those of a stream as one assembled answer, is what Kong's own test says (Kong/kong,
spec/03-plugins/38-ai-proxy/09-streaming_integration_spec.lua: `log_payloads`, and the patterns that both payloads must match).
"""

import json
from typing import Any

import pytest

from stream.core.records import RejectReason, ResponseEvent
from tests.unit.log_records import event, reject

REQUEST = {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello!"}]}
RESPONSE = {
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hi there!"}}]
}
META = {
    "request_mode": "oneshot",
    "provider_name": "openai",
    "request_model": "gpt-4o",
    "response_model": "gpt-4o-2024-08-06",
    "operation_name": "chat",
    "llm_latency": 972,
    "plugin_id": "f3adc007-171c-5519-8763-3a0eef79bde3",
}
LOG: dict[str, Any] = {
    "workspace": "b4a1e9a2-6b4a-4e91-9c2e-3b6a9d8f1c72",
    "source": "upstream",
    "upstream_uri": "/v1/chat/completions",
    "upstream_status": 200,
    "client_ip": "192.168.65.1",
    "started_at": 1787113201719,
    "request": {
        "id": "9ec9264afbbbad5fe5c64877d92eeb04",
        "uri": "/v1/chat/completions",
        "method": "POST",
        "headers": {"host": "localhost:8000", "authorization": "REDACTED"},
    },
    "response": {"status": 200, "size": 1845, "headers": {"content-type": "application/json"}},
    "latencies": {"kong": 3, "proxy": 970, "request": 976, "receive": 3},
    "ai": {"proxy": {"meta": META, "usage": {"prompt_tokens": 13}}},
}


def logged(
    request: object = json.dumps(REQUEST), response: object = json.dumps(RESPONSE), **change: Any
) -> dict[str, Any]:
    proxy = {"meta": META, "payload": {"request": request, "response": response}}
    return LOG | {"ai": {"proxy": proxy}} | change


def test_a_proxied_request_with_its_payloads_is_read() -> None:
    assert event(logged()) == ResponseEvent(
        event_id="9ec9264afbbbad5fe5c64877d92eeb04",
        ts=1_787_113_201_719_000,
        model="gpt-4o",
        prompt="Hello!",
        response="Hi there!",
        provider="openai",
        system="Be brief.",
        finish_reason="stop",
        attributes={"response_model": "gpt-4o-2024-08-06"},
    )


def test_payloads_may_be_objects_and_an_answer_a_text() -> None:
    assert event(logged(REQUEST, RESPONSE)) == event(logged())
    assert event(logged(response="Hi there!")).response == "Hi there!"


def test_until_kong_3_7_the_request_stood_beside_the_plugin() -> None:
    plugin = {"payload": {"response": json.dumps(RESPONSE)}, "meta": META}
    old = LOG | {"ai": {"payload": {"request": json.dumps(REQUEST)}, "ai-proxy": plugin}}
    assert event(old) == event(logged())


def test_an_answer_from_the_cache_is_marked() -> None:
    value = logged()
    value["ai"]["proxy"]["cache"] = {"cache_status": "Hit", "fetch_latency": 21}
    assert event(value).attributes["cache_hit"] == "true"


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        (
            LOG,
            RejectReason.MISSING_FIELD,
            "ai.proxy.payload.request: let the AI Proxy log payloads (config.logging.log_payloads)",
        ),
        (
            logged(response=""),
            RejectReason.MISSING_FIELD,
            "ai.proxy.payload.response: let the AI Proxy log payloads (config.logging.log_payloads)",
        ),
        (
            LOG | {"ai": {}},
            RejectReason.NOT_A_RESPONSE,
            "the request did not go through the AI Proxy (no ai)",
        ),
        (logged(upstream_status=429, response_status=0) | {"response": {"status": 429}}, RejectReason.FAILED_CALL, ""),
        (logged(5), RejectReason.MISSING_FIELD, "ai.proxy.payload.request holds no turns of a chat"),
        (logged(response="data: {}"), RejectReason.WRONG_TYPE, ""),
        (logged(started_at="then"), RejectReason.WRONG_TYPE, ""),
        (logged() | {"ai": {"proxy": {"meta": 5}}}, RejectReason.WRONG_TYPE, "ai.proxy.meta: expected"),
    ],
)
def test_what_cannot_be_used_has_a_reason(value: dict[str, Any], reason: RejectReason, detail: str) -> None:
    refused = reject(value)
    assert refused.reason is reason
    assert refused.detail.startswith(detail)
