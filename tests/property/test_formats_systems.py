"""Logs of other systems: every valid record says the same event, and no damage stops a decoder or quotes a text."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stream import times
from stream.core.records import ResponseEvent
from stream.formats.missing_time import Demanded
from stream.formats.recognise import FORMATS, decode, recognise
from tests.property.test_formats_hostile import NAME, POLICIES, SECRET, TEXT, check, damaged, record
from tests.unit.otlp_batches import log, logs, protobuf, span, traces

MILLIS = st.integers(times.EARLIEST // 1000, times.LATEST // 1000 - 1)


def secret(form: str) -> dict[str, Any]:
    """The format's example with the secret in place of every text that a person wrote."""
    example = FORMATS[form].example
    for text in (
        "Hello, world!",
        "Hello!",
        "Hello, world",
        "Use kill.",
        "What is 2+2?",
        "2 + 2 equals 4.",
        "Tell me a joke",
    ):
        example = example.replace(text, SECRET)
    fields: dict[str, Any] = json.loads(example)
    return fields


OTHERS = [name for name in FORMATS if name != "canonical"]


@given(st.sampled_from(OTHERS).flatmap(lambda form: damaged(secret(form))), POLICIES, st.sampled_from([None, *FORMATS]))
def test_a_damaged_record_of_any_system_gives_an_event_or_a_reason(value: bytes, policy: Any, form: str | None) -> None:
    check(decode(record(value), missing_time=policy, form=form))


@given(st.binary(max_size=300), POLICIES)
def test_bytes_that_begin_like_protobuf_give_an_event_or_a_reason(rest: bytes, policy: Any) -> None:
    check(decode(record(b"\n" + rest), missing_time=policy))


@given(st.data())
def test_a_damaged_batch_of_protobuf_gives_an_event_or_a_reason(data: st.DataObject) -> None:
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.output.messages": "[]"}
    content = bytearray(
        protobuf(data.draw(st.sampled_from([traces(span(attributes)), logs(log("gen_ai.choice", {}))])))
    )
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(1, len(content) - 1))] = data.draw(st.integers(0, 255))
    check(decode(record(bytes(content)), missing_time=Demanded()))


def turn(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def completion(text: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}


def parts(role: str, text: str) -> list[dict[str, Any]]:
    return [{"role": role, "parts": [{"type": "text", "content": text}], "finish_reason": "stop"}]


def written(form: str, prompt: str, response: str, *, model: str, millis: int) -> object:
    """A valid record of the format that says these five things."""
    at = times.render(millis * 1000)
    value: object
    match form:
        case "litellm" | "litellm_uncached":
            head = {"id": "e", "call_type": "completion", "status": "success", "startTime": millis / 1000}
            value = head | {
                "endTime": millis / 1000,
                "model": model,
                "messages": turn(prompt),
                "response": completion(response),
            }
        case "langfuse":
            head = {"id": "e", "trace_id": "t", "type": "GENERATION", "start_time": at[:-1].replace("T", " ")}
            value = head | {
                "provided_model_name": model,
                "input": json.dumps(turn(prompt)),
                "output": completion(response),
            }
        case "kong":
            payload = {"request": json.dumps({"messages": turn(prompt)}), "response": json.dumps(completion(response))}
            proxy = {"meta": {"request_model": model}, "payload": payload}
            value = {"started_at": millis, "latencies": {}, "request": {"id": "e"}, "ai": {"proxy": proxy}}
        case "openai_batch":
            answered = {"status_code": 200, "body": completion(response)}
            value = {
                "custom_id": "c",
                "event_id": "e",
                "ts": at,
                "body": {"model": model, "messages": turn(prompt)},
                "response": answered,
            }
        case "openai_responses":
            output = [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": response}]}]
            answered = {"id": "e", "object": "response", "status": "completed", "output": output}
            value = {"ts": at, "request": {"model": model, "input": prompt}, "response": answered}
        case "anthropic_messages":
            answered = {
                "id": "e",
                "type": "message",
                "content": [{"type": "text", "text": response}],
                "stop_reason": "end_turn",
            }
            value = {"ts": at, "request": {"model": model, "messages": turn(prompt)}, "response": answered}
        case "openai_chat":
            value = {
                "ts": at,
                "event_id": "e",
                "request": {"model": model, "messages": turn(prompt)},
                "response": completion(response),
            }
        case _:
            said = {
                "gen_ai.input.messages": parts("user", prompt),
                "gen_ai.output.messages": parts("assistant", response),
            }
            attributes = {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": model,
                "gen_ai.response.id": "e",
                **said,
            }
            batch = traces(span(attributes, endTimeUnixNano=str(millis * 1_000_000)))
            value = batch if form == "otlp" else protobuf(batch)
    return value


@given(st.sampled_from([*OTHERS, "otlp_proto"]), TEXT, TEXT, NAME, MILLIS)
def test_a_valid_record_of_any_system_is_read_as_it_was_meant(
    form: str, prompt: str, response: str, model: str, millis: int
) -> None:
    value = written(form, prompt, response, model=model, millis=millis)
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    (found,) = decode(record(content), missing_time=Demanded())
    assert isinstance(found, ResponseEvent), found
    assert (found.event_id, found.model, found.prompt, found.response) == ("e", model, prompt, response)
    assert abs(found.ts - millis * 1000) <= 1
    assert recognise(record(content)) == form.removesuffix("_uncached").removesuffix("_proto")
