"""What tracers sent over OTLP: the same calls of a real server, each as its instrumentation told them; stack traces taken out.

The server was llama.cpp with the tiny model of tests/integration/sampling, the client openai 3.57.0; opentelemetry-exporter-otlp-proto-http
1.45.2 sent what is in captured/*.otlp:

- openai_v2_spans, openai_v2_events: opentelemetry-instrumentation-openai-v2 2.4b0 with opentelemetry-util-genai 1.1b0 (it cannot be
  imported with later ones); OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=span_only, and =event_only with
  OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT=true;
- open_llmetry: opentelemetry-instrumentation-openai 0.62.4;
- open_inference: openinference-instrumentation-openai 0.1.66.

The calls: a chat with a system prompt, one of three turns, a stream, a prompt in parts, and one that nobody answered.
"""

from pathlib import Path

import pytest

from stream.core.records import Reject, RejectReason, ResponseEvent
from tests.unit.log_records import found

CAPTURED = Path(__file__).parent / "captured"
NAMES = ("openai_v2_spans", "openai_v2_events", "open_llmetry", "open_inference")


def told(name: str) -> tuple[list[ResponseEvent], list[Reject]]:
    read = found((CAPTURED / f"{name}.otlp").read_bytes())
    return [each for each in read if isinstance(each, ResponseEvent)], [
        each for each in read if isinstance(each, Reject)
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_tracer_tells_the_same_calls(name: str) -> None:
    events, _ = told(name)
    assert [event.prompt for event in events][:3] == ["How do plants adapt?", "What is jazz?", "What is a lake?"]
    assert {event.response for event in events} <= {"Sure, here is how.", "I cannot help with that."}
    assert {(event.model, event.provider, event.finish_reason) for event in events} == {("tiny", "openai", "stop")}
    assert events[0].system == "Be kind."
    assert events[1].earlier == "User: Hello\n\nAssistant: Hi! What do you need?\n\nUser:"


@pytest.mark.parametrize("name", NAMES)
def test_a_call_that_nobody_answered_is_skipped(name: str) -> None:
    _, rejects = told(name)
    assert RejectReason.FAILED_CALL in {reject.reason for reject in rejects}


def test_a_prompt_in_parts_is_read_where_the_tracer_writes_its_texts() -> None:
    for name in ("open_llmetry", "open_inference"):
        assert told(name)[0][3].prompt == "Describe rain."
    for name in ("openai_v2_spans", "openai_v2_events"):  # these leave the parts out, and say nothing of it
        assert RejectReason.EMPTY_PROMPT in {reject.reason for reject in told(name)[1]}
