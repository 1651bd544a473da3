"""Records that the systems' own programs wrote: one chat with a stand-in for OpenAI's API, captured as they exported it.

- LITELLM: litellm 1.106.2, its generic API callback (GenericAPILogger), posted to `valuedrift collect`; shortened where nothing is read.
- OPEN_LLMETRY_OLD, OPEN_LLMETRY: opentelemetry-instrumentation-openai 0.40.14 and 0.62.4.
- OPEN_INFERENCE: openinference-instrumentation-openai 0.1.66.
- EVENTS: opentelemetry-instrumentation-openai-v2 2.3b0, which still writes the events of 1.36.

Spans and logs were encoded by opentelemetry-exporter-otlp-proto-common, as they are sent to a Collector; here they are encoded anew.
"""

import json
from typing import Any

import pytest

from stream.core.records import RejectReason
from tests.unit.log_records import event, reject
from tests.unit.otlp_batches import log, logs, protobuf, span, traces

JOKE = "Why did the developer bring OpenTelemetry?"
LITELLM: dict[str, Any] = {
    "id": "chatcmpl-stub1",
    "litellm_call_id": "926c08d7-fd14-4f0a-bd0e-95beaef1d89e",
    "trace_id": "b2d77f50-9264-4ca0-8437-6191f577267c",
    "session_id": "",
    "call_type": "acompletion",
    "cache_hit": None,
    "stream": None,
    "status": "success",
    "status_fields": {"llm_api_status": "success", "guardrail_status": "not_run"},
    "custom_llm_provider": "openai",
    "saved_cache_cost": 0.0,
    "startTime": 1795512785.125113,
    "endTime": 1795512786.592015,
    "completionStartTime": 1795512786.592015,
    "model": "gpt-4",
    "request_tags": [],
    "end_user": None,
    "model_group": "",
    "model_id": "",
    "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello, world!"}],
    "response": {
        "id": "chatcmpl-stub1",
        "created": 1741569952,
        "model": "gpt-4-0613",
        "object": "chat.completion",
        "system_fingerprint": None,
        "choices": [
            {
                "finish_reason": "stop",
                "index": 0,
                "message": {
                    "content": JOKE,
                    "role": "assistant",
                    "tool_calls": None,
                    "function_call": None,
                    "provider_specific_fields": {"refusal": None},
                },
                "provider_specific_fields": {},
            }
        ],
        "usage": {"completion_tokens": 7, "prompt_tokens": 5, "total_tokens": 12},
        "service_tier": None,
    },
    "model_parameters": {},
    "error_str": None,
    "guardrail_information": None,
}
OPEN_LLMETRY_OLD: dict[str, Any] = {
    "llm.request.type": "chat",
    "gen_ai.system": "OpenAI",
    "gen_ai.request.model": "gpt-4",
    "llm.headers": "None",
    "llm.is_streaming": False,
    "gen_ai.openai.api_base": "http://127.0.0.1:33553/v1/",
    "gen_ai.prompt.0.role": "system",
    "gen_ai.prompt.0.content": "You are a helpful bot",
    "gen_ai.prompt.1.role": "user",
    "gen_ai.prompt.1.content": "Tell me a joke",
    "gen_ai.response.model": "gpt-4-0613",
    "gen_ai.response.id": "chatcmpl-stub1",
    "llm.usage.total_tokens": 12,
    "gen_ai.completion.0.finish_reason": "stop",
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.completion.0.content": JOKE,
}
OPEN_LLMETRY: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4",
    "gen_ai.is_streaming": False,
    "gen_ai.input.messages": json.dumps(
        [
            {"role": "system", "parts": [{"content": "You are a helpful bot", "type": "text"}]},
            {"role": "user", "parts": [{"content": "Tell me a joke", "type": "text"}]},
        ]
    ),
    "gen_ai.response.model": "gpt-4-0613",
    "gen_ai.response.id": "chatcmpl-stub1",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.output.messages": json.dumps(
        [{"role": "assistant", "parts": [{"content": JOKE, "type": "text"}], "finish_reason": "stop"}]
    ),
}
OPEN_INFERENCE: dict[str, Any] = {
    "llm.system": "openai",
    "input.value": '{"messages": [{"role": "user", "content": "Tell me a joke"}], "model": "gpt-4"}',
    "input.mime_type": "application/json",
    "output.value": json.dumps({"choices": [{"index": 0, "message": {"content": JOKE}}], "model": "gpt-4-0613"}),
    "output.mime_type": "application/json",
    "llm.invocation_parameters": '{"model": "gpt-4"}',
    "llm.input_messages.0.message.role": "system",
    "llm.input_messages.0.message.content": "You are a helpful bot",
    "llm.input_messages.1.message.role": "user",
    "llm.input_messages.1.message.content": "Tell me a joke",
    "llm.model_name": "gpt-4-0613",
    "llm.token_count.total": 12,
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.content": JOKE,
    "llm.finish_reason": "stop",
    "openinference.span.kind": "LLM",
}
SYSTEM = {"gen_ai.system": "openai"}
EVENTS = [
    log("gen_ai.system.message", {"content": "You are a helpful bot"}, SYSTEM),
    log("gen_ai.user.message", {"content": "Tell me a joke"}, SYSTEM),
    log(
        "gen_ai.choice",
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": JOKE}},
        SYSTEM,
    ),
]


@pytest.mark.parametrize("attributes", [OPEN_LLMETRY_OLD, OPEN_LLMETRY, OPEN_INFERENCE])
@pytest.mark.parametrize("encode", [dict, protobuf])
def test_spans_of_three_instrumentations_say_the_same(attributes: dict[str, Any], encode: Any) -> None:
    read = event(encode(traces(span(attributes), resource={"service.name": "unknown_service:python"})))
    assert (read.prompt, read.response, read.system) == ("Tell me a joke", JOKE, "You are a helpful bot")
    assert (read.model, read.attributes["response_model"]) == ("gpt-4", "gpt-4-0613")
    assert (read.finish_reason, (read.provider or "").lower()) == ("stop", "openai")


@pytest.mark.parametrize("encode", [dict, protobuf])
def test_events_of_1_36_lack_the_model_until_it_is_added_to_the_resource(encode: Any) -> None:
    records = [each | {"timeUnixNano": "0", "observedTimeUnixNano": "1795512873229409750"} for each in EVENTS]
    assert reject(encode(logs(*records))).reason is RejectReason.MISSING_FIELD
    read = event(encode(logs(*records, resource={"gen_ai.request.model": "gpt-4"})))
    assert (read.prompt, read.response, read.model) == ("Tell me a joke", JOKE, "gpt-4")
    assert read.ts == 1_795_512_873_229_409


def test_what_litellm_posts_is_read() -> None:
    read = event(LITELLM)
    assert (read.prompt, read.response, read.system) == ("Hello, world!", JOKE, "Be kind.")
    assert (read.model, read.attributes) == ("gpt-4", {"response_model": "gpt-4-0613"})
    assert (read.ts, read.conversation_id) == (1_795_512_786_592_015, LITELLM["trace_id"])


def test_litellm_keeps_a_refusal_among_what_is_the_providers_own() -> None:
    message = {"content": None, "provider_specific_fields": {"refusal": "I cannot help with that."}}
    choice = {"finish_reason": "stop", "index": 0, "message": message}
    read = event(LITELLM | {"response": LITELLM["response"] | {"choices": [choice]}})
    assert (read.response, read.refusal_hint) == ("I cannot help with that.", "refusal")
