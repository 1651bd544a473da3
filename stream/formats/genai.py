"""Calls of a model as OpenTelemetry tells of them, in four generations of names.

- current: `gen_ai.input.messages`, `gen_ai.output.messages` and `gen_ai.system_instructions`, on a span or on the log event
  `gen_ai.client.inference.operation.details`;
- up to 1.36: log events, or events of the span, `gen_ai.user.message`, `gen_ai.choice` and their like. They name the span, not
  the model: the model is that of the span if it is in the same batch, or must be added by the Collector;
- OpenLLMetry's: `gen_ai.prompt.0.content`, `gen_ai.completion.0.content`;
- OpenInference: `llm.input_messages.0.message.content`, `llm.output_messages.0…`, else `input.value` and `output.value`.

Source: OpenTelemetry semantic conventions for generative AI (current, and 1.36.0), non-normative "LLM call examples"; OpenInference
specification, "LLM spans"; OpenLLMetry's `SpanAttributes`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from stream.core.records import Reject, RejectReason, ResponseEvent
from stream.formats import chat
from stream.formats.chat import Answer, Turn
from stream.formats.fields import Fallback, Scalar, Unusable, check_name, fall_back, read_attributes, require_name
from stream.formats.genai_signal import Signal
from stream.formats.loose import answers, opened, text_of, turns

_CHATS = frozenset({"chat", "text_completion", "generate_content"})
_OLD_TURNS = {f"gen_ai.{role}.message": role for role in ("system", "developer", "user", "assistant", "tool")}
_OLD_CHOICE = "gen_ai.choice"
_ASKED = ("gen_ai.request.model", "llm.request.model_name")
_ANSWERING = ("gen_ai.response.model", "llm.response.model_name", "llm.model_name")
"""Names of models: the one that was asked for, and the one that answered, which OpenInference calls `llm.model_name`."""
_INPUT, _OUTPUT = "gen_ai.input.messages", "gen_ai.output.messages"
_NO_CONTENT = (
    f"{_OUTPUT}: there are no texts here; let the tracer capture them (OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
    "=span_only, or its like), or read its log events"
)


def events(signals: Sequence[Signal], fallback: Fallback) -> list[ResponseEvent | Reject]:
    """Returns the answers of all calls of a chat model among the signals, and why others cannot be used; nothing for the rest."""
    loose: dict[str, list[Signal]] = {}
    for signal in signals:
        if _is_old(signal):
            loose.setdefault(signal.span, []).append(signal)
    found: list[ResponseEvent | Reject] = []
    for signal in signals:
        if not _is_old(signal):
            inside = [event for event in signal.events if _is_old(event)]
            if not inside and signal.text(*_ASKED, *_ANSWERING):
                inside = loose.pop(signal.span, [])
            found += _guarded(signal, inside, fallback)
    for several in loose.values():
        if not several[0].placed:
            found.append(
                Reject(RejectReason.MISSING_FIELD, "traceId and spanId: by them the events of one call are known")
            )
            continue
        merged = {name: value for event in several for name, value in event.attributes.items()}
        found += _guarded(replace(several[-1], attributes=merged), several, fallback)
    return found


def _is_old(signal: Signal) -> bool:
    return signal.name == _OLD_CHOICE or signal.name in _OLD_TURNS


def _guarded(signal: Signal, inside: Sequence[Signal], fallback: Fallback) -> Sequence[ResponseEvent | Reject]:
    try:
        return _call(signal, inside, fallback)
    except Unusable as unusable:
        return (unusable.reject,)


def _call(signal: Signal, inside: Sequence[Signal], fallback: Fallback) -> Sequence[ResponseEvent | Reject]:
    """The answers of one call, in whichever generation it is told; nothing where it is no call of a chat model."""
    if not _is_chat(signal, inside):
        return ()
    if signal.failed or signal.text("error.type"):
        raise Unusable(RejectReason.FAILED_CALL, "the span ended in an error")
    said = _current(signal) or _old(inside) or _indexed(signal.attributes, "gen_ai.prompt", "gen_ai.completion")
    said = said or _open_inference(signal)
    if said is None:
        raise Unusable(RejectReason.MISSING_FIELD, _NO_CONTENT)
    asked, answered = said
    return chat.events(_frame(signal, inside, asked, fallback), answered)


def _is_chat(signal: Signal, inside: Sequence[Signal]) -> bool:
    operation = signal.text("gen_ai.operation.name")
    if operation is not None:
        return operation in _CHATS
    kind = signal.text("openinference.span.kind")
    if kind is not None:
        return kind == "LLM"
    asked = signal.text("llm.request.type")
    if asked is not None:
        return asked in ("chat", "completion")
    return bool(inside) or _OUTPUT in signal.attributes or "gen_ai.completion.0.content" in signal.attributes


_Said = tuple[list[Turn], list[Answer]]


def _current(signal: Signal) -> _Said | None:
    attributes = signal.attributes
    output = opened(attributes.get(_OUTPUT))
    if not isinstance(output, list) or not output:
        return None
    apart = text_of(opened(attributes.get("gen_ai.system_instructions")))
    asked = [Turn("system", apart)] if apart else []
    reasons = attributes.get("gen_ai.response.finish_reasons")
    return asked + turns(attributes.get(_INPUT), _INPUT), [
        answer
        for place, item in enumerate(output)
        for answer in answers([item], f"{_OUTPUT}[{place}]", _reason(reasons, place))
    ]


def _reason(reasons: object, place: int) -> str | None:
    """The finish reason of an answer that does not say its own."""
    reason = reasons[place] if isinstance(reasons, list) and place < len(reasons) else None
    return reason if isinstance(reason, str) else None


def _old(inside: Sequence[Signal]) -> _Said | None:
    if not inside:
        return None
    asked = [
        Turn(_OLD_TURNS[event.name], text_of(_content(event).get("content")))
        for event in inside
        if event.name in _OLD_TURNS
    ]
    choices = [_content(event) for event in inside if event.name == _OLD_CHOICE]
    if not choices:
        raise Unusable(RejectReason.MISSING_FIELD, f"{_OLD_CHOICE}: the answer's event is not in the same batch")
    if not asked:
        raise Unusable(RejectReason.MISSING_FIELD, "gen_ai.user.message: the prompt's event is not in the same batch")
    return asked, answers({"choices": choices}, _OLD_CHOICE)


def _content(event: Signal) -> dict[str, object]:
    """What an event of 1.36 says: its body, or its attributes, or the JSON in one of them."""
    for value in (event.body, event.attributes.get("gen_ai.event.content")):
        inside = opened(value)
        if isinstance(inside, dict):
            return inside
    return {name: opened(value) if name == "message" else value for name, value in event.attributes.items()}


def _indexed(attributes: Mapping[str, object], asked: str, answered: str, inner: str = "") -> _Said | None:
    """Turns in numbered attributes, such as `gen_ai.prompt.0.role`."""
    request, response = _numbered(attributes, asked, inner), _numbered(attributes, answered, inner)
    if not request or not response:
        return None
    return turns(request, asked), answers({"choices": response}, answered)


def _numbered(attributes: Mapping[str, object], prefix: str, inner: str) -> list[dict[str, object]]:
    found: dict[int, dict[str, object]] = {}
    start = f"{prefix}."
    for name, value in attributes.items():
        number, _, field = name.removeprefix(start).partition(".")
        if name.startswith(start) and number.isdecimal() and len(number) < 6:
            _put(found.setdefault(int(number), {}), field.removeprefix(inner), value)
    return [found[number] for number in sorted(found)]


def _put(turn: dict[str, object], field: str, value: object) -> None:
    """Notes one attribute of a numbered turn; contents and calls are numbered in their turn."""
    head, _, rest = field.partition(".")
    if head in ("tool_calls", "function_call"):
        turn["tool_calls"] = True
    elif head == "contents" and rest.endswith("message_content.text"):
        turn["content"] = "\n".join(filter(None, (text_of(turn.get("content")), text_of(value))))
    elif field == "content":
        inside = opened(value)
        turn["content"] = inside if isinstance(inside, list) and text_of(inside) else value
    elif field in ("role", "finish_reason"):
        turn[field] = value


def _open_inference(signal: Signal) -> _Said | None:
    reason = signal.text("llm.finish_reason")
    said = _indexed(signal.attributes, "llm.input_messages", "llm.output_messages", "message.")
    if said is not None:
        return said[0], [replace(each, finish_reason=each.finish_reason or reason) for each in said[1]]
    if said is None and signal.text("input.value") and signal.text("output.value"):
        return turns(signal.text("input.value"), "input.value"), answers(
            signal.text("output.value"), "output.value", reason
        )
    return None


def _model(signal: Signal) -> str | None:
    """The model that was asked for, else the one that answered."""
    parameters = opened(signal.attributes.get("llm.invocation_parameters"))
    asked = parameters.get("model") if isinstance(parameters, dict) else None
    return signal.text(*_ASKED) or (asked if isinstance(asked, str) and asked else None) or signal.text(*_ANSWERING)


def _frame(signal: Signal, inside: Sequence[Signal], asked: list[Turn], fallback: Fallback) -> ResponseEvent:
    resource = signal.resource
    named = Signal(name="", span="", at=None, attributes={**resource, **signal.attributes}, resource={})
    at = signal.at if signal.at is not None else inside[-1].at if inside else None
    found: dict[str, Scalar] = {
        "response_model": named.text(*_ANSWERING),
        "service": named.text("service.name"),
        "agent": named.text("gen_ai.agent.name"),
        "prompt_name": named.text("gen_ai.prompt.name"),
        "prompt_version": named.text("gen_ai.prompt.version", "llm.prompt_template.version"),
    }
    return ResponseEvent(
        event_id=check_name(named.text("gen_ai.response.id"), "gen_ai.response.id")
        or check_name(signal.span if signal.placed else None, "traceId and spanId")
        or fallback.event_id,
        ts=fall_back(fallback.ts) if at is None else at,
        model=require_name(_model(named), _NO_MODEL if inside else "gen_ai.request.model"),
        prompt=chat.last_user(asked, _INPUT),
        response="",
        provider=check_name(
            named.text("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"), "provider"
        ),
        system=chat.system_of(asked),
        earlier=chat.earlier_of(asked),
        conversation_id=check_name(named.text("gen_ai.conversation.id", "session.id"), "gen_ai.conversation.id"),
        environment=check_name(named.text("deployment.environment.name", "deployment.environment"), "environment"),
        attributes=read_attributes(found),
    )


_NO_MODEL = (
    "gen_ai.request.model: events of 1.36 do not say it; add it in the Collector, or use the current conventions"
)
