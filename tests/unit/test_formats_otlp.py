"""OpenTelemetry GenAI in its four generations, in OTLP's JSON and protobuf encodings.

- CURRENT: OpenTelemetry's own example, "LLM call examples", "Simple chat completion", with content on span attributes.
- OLD: the same call in events of semantic conventions 1.36.0, bodies as in its event definitions, written from memory.
- OPEN_LLMETRY: attributes as Coralogix' page on OpenLLMetry lists them ("Expected span attributes (legacy semconv)").
- OPEN_INFERENCE: OpenInference's own example, "LLM Spans", the second ("A synthesis call using a function call output"), flattened as it
  says there; its first example is the call of a tool.

The batches around them are made by opentelemetry-proto, which the Collector's Kafka exporter encodes with too.
"""

import json
from typing import Any

import pytest

from stream import times
from stream.core.records import Reject, RejectReason, ResponseEvent
from stream.formats.missing_time import Demanded
from tests.unit.log_records import event, found, reject
from tests.unit.otlp_batches import SPAN, TRACE, log, logs, protobuf, span, traces

ASKED = [
    {"role": "system", "parts": [{"type": "text", "content": "You are a helpful bot"}]},
    {"role": "user", "parts": [{"type": "text", "content": "Tell me a joke about OpenTelemetry"}]},
]
JOKE = " Why did the developer bring OpenTelemetry to the party? Because it always knows how to trace the fun!"
ANSWERED = [{"role": "assistant", "parts": [{"type": "text", "content": JOKE}], "finish_reason": "stop"}]
CURRENT: dict[str, Any] = {
    "gen_ai.provider.name": "openai",
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4",
    "gen_ai.request.max_tokens": 200,
    "gen_ai.request.top_p": 1.0,
    "gen_ai.response.id": "chatcmpl-9J3uIL87gldCFtiIbyaOvTeYBRA3l",
    "gen_ai.response.model": "gpt-4-0613",
    "gen_ai.usage.output_tokens": 47,
    "gen_ai.usage.input_tokens": 52,
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.input.messages": ASKED,
    "gen_ai.output.messages": ANSWERED,
}
READ = ResponseEvent(
    event_id="chatcmpl-9J3uIL87gldCFtiIbyaOvTeYBRA3l",
    ts=times.parse("2025-03-10T01:25:52Z"),
    model="gpt-4",
    prompt="Tell me a joke about OpenTelemetry",
    response=JOKE,
    provider="openai",
    system="You are a helpful bot",
    finish_reason="stop",
    attributes={"response_model": "gpt-4-0613"},
)
MODEL = {"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4"}
OLD = [
    log("gen_ai.system.message", {"content": "You are a helpful bot"}, MODEL),
    log("gen_ai.user.message", {"content": "Tell me a joke about OpenTelemetry"}, MODEL),
    log("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": {"content": JOKE}}, MODEL),
]
OPEN_LLMETRY: dict[str, Any] = {
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.prompt.0.role": "system",
    "gen_ai.prompt.0.content": "You are a concise assistant.",
    "gen_ai.prompt.1.role": "user",
    "gen_ai.prompt.1.content": "What is OpenTelemetry in one sentence?",
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.completion.0.content": "A standard for telemetry.",
    "gen_ai.completion.0.finish_reason": "stop",
    "gen_ai.usage.prompt_tokens": 24,
    "llm.request.type": "chat",
}
OPEN_INFERENCE: dict[str, Any] = {
    "openinference.span.kind": "LLM",
    "llm.system": "openai",
    "llm.model_name": "gpt-3.5-turbo-0613",
    "llm.input_messages.0.message.role": "system",
    "llm.input_messages.0.message.content": "You are a Shakespearean writing assistant",
    "llm.input_messages.1.message.role": "user",
    "llm.input_messages.1.message.content": "what is 23 times 87",
    "llm.input_messages.2.message.role": "assistant",
    "llm.input_messages.2.message.tool_calls.0.tool_call.function.name": "multiply",
    "llm.input_messages.3.message.role": "tool",
    "llm.input_messages.3.message.content": "2001",
    "llm.input_messages.3.message.name": "multiply",
    "output.value": "The product of 23 times 87 is 2001.",
    "output.mime_type": "text/plain",
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.content": "The product of 23 times 87 is 2001.",
    "session.id": "s-1",
}
GENERATIONS: dict[str, dict[str, Any]] = {
    "current, on a span": traces(span(CURRENT)),
    "current, on a span, as texts": traces(
        span(
            CURRENT | {name: json.dumps(CURRENT[name]) for name in ("gen_ai.input.messages", "gen_ai.output.messages")}
        )
    ),
    "current, on a log event": logs(log("gen_ai.client.inference.operation.details", None, CURRENT)),
}


@pytest.mark.parametrize("batch", GENERATIONS.values(), ids=GENERATIONS.keys())
def test_the_current_conventions_are_read_in_both_encodings(batch: dict[str, Any]) -> None:
    assert event(batch) == READ
    assert event(protobuf(batch)) == READ


@pytest.mark.parametrize("encode", [dict, protobuf])
def test_the_events_of_1_36_are_joined_by_their_span(encode: Any) -> None:
    other = [each | {"spanId": "00f067aa0ba902b8"} for each in OLD]
    first, second = found(encode(logs(OLD[0], *other, *OLD[1:])))
    assert isinstance(first, ResponseEvent)
    assert isinstance(second, ResponseEvent)
    assert (first.prompt, first.response, first.system) == (READ.prompt, JOKE, READ.system)
    assert {first.event_id, second.event_id} == {f"{TRACE}-{SPAN}", f"{TRACE}-00f067aa0ba902b8"}
    assert (first.model, first.provider, first.finish_reason) == ("gpt-4", "openai", "stop")


def test_the_events_of_1_36_may_be_events_of_the_span_which_knows_the_model() -> None:
    events = [
        {
            "name": "gen_ai.user.message",
            "timeUnixNano": "1741569951000000000",
            "attributes": [{"key": "content", "value": {"stringValue": "Hi"}}],
        },
        {
            "name": "gen_ai.choice",
            "timeUnixNano": "1741569952000000000",
            "attributes": [
                {
                    "key": "gen_ai.event.content",
                    "value": {"stringValue": '{"index": 0, "message": {"content": "Hello!"}}'},
                }
            ],
        },
    ]
    read = event(traces(span({"gen_ai.operation.name": "chat", **MODEL}, events=events)))
    assert (read.prompt, read.response, read.model) == ("Hi", "Hello!", "gpt-4")


@pytest.mark.parametrize(
    ("records", "detail"),
    [
        (OLD[:2], "gen_ai.choice: the answer's event is not in the same batch"),
        (OLD[2:], "gen_ai.user.message: the prompt's event is not in the same batch"),
        ([each | {"attributes": []} for each in OLD], "gen_ai.request.model: events of 1.36 do not say it"),
        ([each | {"traceId": "", "spanId": ""} for each in OLD], "traceId and spanId: by them the events"),
    ],
)
def test_events_of_1_36_that_are_incomplete_say_what_is_missing(records: list[dict[str, Any]], detail: str) -> None:
    refused = reject(logs(*records))
    assert refused.reason is RejectReason.MISSING_FIELD
    assert refused.detail.startswith(detail)


def test_the_model_of_1_36_may_be_added_to_the_resource() -> None:
    bare = [each | {"attributes": []} for each in OLD]
    assert event(logs(*bare, resource={"gen_ai.request.model": "gpt-4"})).model == "gpt-4"


@pytest.mark.parametrize("encode", [dict, protobuf])
def test_open_llmetry_is_read(encode: Any) -> None:
    read = event(encode(traces(span(OPEN_LLMETRY))))
    assert (read.model, read.provider) == ("gpt-4o-mini", "openai")
    assert (read.prompt, read.response) == ("What is OpenTelemetry in one sentence?", "A standard for telemetry.")
    assert (read.system, read.finish_reason) == ("You are a concise assistant.", "stop")


@pytest.mark.parametrize("encode", [dict, protobuf])
def test_open_inference_is_read(encode: Any) -> None:
    read = event(encode(traces(span(OPEN_INFERENCE))))
    assert (read.model, read.provider, read.conversation_id) == ("gpt-3.5-turbo-0613", "openai", "s-1")
    assert read.attributes == {"response_model": "gpt-3.5-turbo-0613"}
    assert (read.prompt, read.response) == ("what is 23 times 87", "The product of 23 times 87 is 2001.")


def test_open_inference_may_have_contents_in_parts_or_values_only() -> None:
    texts = {
        "openinference.span.kind": "LLM",
        "llm.model_name": "m",
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.contents.0.message_content.type": "text",
        "llm.input_messages.0.message.contents.0.message_content.text": "one",
        "llm.input_messages.0.message.contents.1.message_content.text": "two",
        "llm.output_messages.0.message.content": "three",
    }
    assert event(traces(span(texts))).prompt == "one\ntwo"
    values = {"openinference.span.kind": "LLM", "llm.model_name": "m", "input.value": "ask", "output.value": "answer"}
    assert event(traces(span(values))).response == "answer"


def test_a_batch_gives_an_event_for_each_call_and_passes_over_other_spans() -> None:
    http = span({"http.request.method": "GET"})
    tool = span({"gen_ai.operation.name": "execute_tool"})
    agent = span(CURRENT | {"gen_ai.operation.name": "invoke_agent"})
    embedding = span({"openinference.span.kind": "EMBEDDING", "input.value": "x", "output.value": "y"})
    batch = traces(http, span(CURRENT), tool, agent, embedding, span(OPEN_LLMETRY))
    assert [each.prompt for each in found(batch) if isinstance(each, ResponseEvent)] == [
        "Tell me a joke about OpenTelemetry",
        "What is OpenTelemetry in one sentence?",
    ]
    refused = reject(traces(http, tool, agent, embedding))
    assert (refused.reason, refused.reason.skipped) == (RejectReason.NOT_A_RESPONSE, True)
    assert reject(logs(log("", "user logged in"))).reason is RejectReason.NOT_A_RESPONSE


def test_several_choices_are_events_with_ids_of_their_own() -> None:
    several = [*ANSWERED, {"role": "assistant", "parts": [{"type": "text", "content": "no"}]}]
    read = found(
        traces(
            span(CURRENT | {"gen_ai.output.messages": several, "gen_ai.response.finish_reasons": ["stop", "length"]})
        )
    )
    assert [(each.event_id, each.finish_reason) for each in read if isinstance(each, ResponseEvent)] == [
        (f"{READ.event_id}#0", "stop"),
        (f"{READ.event_id}#1", "length"),
    ]


def test_what_the_resource_says_is_kept() -> None:
    resource = {"service.name": "support-bot", "deployment.environment.name": "production"}
    read = event(traces(span(CURRENT), resource=resource))
    assert (read.environment, read.attributes["service"]) == ("production", "support-bot")


def test_system_instructions_stand_apart() -> None:
    instructions = [{"type": "text", "content": "Greet users."}]
    asked = [ASKED[1]]
    read = event(traces(span(CURRENT | {"gen_ai.system_instructions": instructions, "gen_ai.input.messages": asked})))
    assert read.system == "Greet users."


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {
                "gen_ai.output.messages": [
                    {"role": "assistant", "parts": [{"type": "tool_call", "id": "c", "name": "f"}]}
                ]
            },
            RejectReason.NO_TEXT,
        ),
        (
            {"gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "blob", "content": "aGVsbG8="}]}]},
            RejectReason.NO_TEXT,
        ),
        ({"gen_ai.output.messages": [{"role": "assistant", "parts": []}]}, RejectReason.EMPTY_RESPONSE),
        ({"gen_ai.output.messages": "", "gen_ai.input.messages": ""}, RejectReason.MISSING_FIELD),
        ({"gen_ai.input.messages": []}, RejectReason.MISSING_FIELD),
        ({"gen_ai.request.model": "", "gen_ai.response.model": ""}, RejectReason.MISSING_FIELD),
        ({"error.type": "timeout"}, RejectReason.FAILED_CALL),
        ({"gen_ai.response.id": "a\nb"}, RejectReason.INVALID_NAME),
    ],
)
def test_what_cannot_be_used_has_a_reason(change: dict[str, Any], reason: RejectReason) -> None:
    assert reject(traces(span(CURRENT | change))).reason is reason
    assert reject(protobuf(traces(span(CURRENT | change)))).reason is reason


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"status": {"code": 2}}, RejectReason.FAILED_CALL),
        ({"endTimeUnixNano": "17", "startTimeUnixNano": "17"}, RejectReason.INVALID_TIME),
        ({"endTimeUnixNano": "0", "startTimeUnixNano": 0}, RejectReason.NO_TIME),
        ({"attributes": {}}, RejectReason.WRONG_TYPE),
    ],
)
def test_a_bad_frame_has_a_reason(more: dict[str, Any], reason: RejectReason) -> None:
    assert reject(traces(span(CURRENT) | more)).reason is reason


def test_calls_that_fail_alike_in_one_batch_are_one_reject() -> None:
    bare = {name: content for name, content in CURRENT.items() if not name.endswith("messages")}
    refused = reject(traces(span(bare), span(bare)))
    assert refused.detail.startswith("gen_ai.output.messages: there are no texts here")


def test_protobuf_that_is_cut_or_of_another_kind_is_no_batch() -> None:
    whole = protobuf(traces(span(CURRENT)))
    for content in (whole[:-3], b"\n\x03abc", b"\n", protobuf(traces())):
        (refused,) = found(content, policy=Demanded())
        assert isinstance(refused, Reject)


def test_texts_that_look_like_json_are_texts() -> None:
    prompt, answer = '{"city": "Paris"}', '{"answer": 42}'
    changed = OPEN_LLMETRY | {"gen_ai.prompt.1.content": prompt, "gen_ai.completion.0.content": answer}
    read = event(traces(span(changed)))
    assert (read.prompt, read.response) == (prompt, answer)
    parts = json.dumps([{"type": "text", "text": "in parts"}])
    assert event(traces(span(OPEN_LLMETRY | {"gen_ai.prompt.1.content": parts}))).prompt == "in parts"


def test_the_message_of_a_choice_may_be_a_bare_text() -> None:
    records = [*OLD[:2], log("gen_ai.choice", {"index": 0, "finish_reason": "length", "message": "Hello!"}, MODEL)]
    read = event(logs(*records))
    assert (read.response, read.finish_reason) == ("Hello!", "length")


def test_a_call_of_tools_in_numbered_attributes_is_skipped() -> None:
    bare = {name: value for name, value in OPEN_LLMETRY.items() if name != "gen_ai.completion.0.content"}
    called = bare | {"gen_ai.completion.0.tool_calls.0.name": "f", "gen_ai.completion.0.finish_reason": "tool_calls"}
    assert reject(traces(span(called))).reason is RejectReason.NO_TEXT
