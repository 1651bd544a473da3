"""What a response of status 200 brought.

Reading the exchange itself is `stream.formats.openai_chat`'s work: a probe's events are those that a gateway's log of it would give.
"""

from dataclasses import replace

import msgspec

from stream import times
from stream.core.records import Reject, RejectReason, ResponseEvent
from stream.formats import openai_chat
from stream.formats.fields import Fallback, Unusable, parse_object
from stream.sampling.budget import Usage
from stream.sampling.plan import Ask, Plan
from stream.sampling.protocol import Answer, Dialect, Frame, Retry, Trouble, Unanswered, body


def read_answer(content: bytes, *, plan: Plan, ask: Ask, dialect: Dialect, frame: Frame) -> Answer | Retry:
    """Returns what a response of status 200 brought, or why it has to be asked for again."""
    sent = body(plan, ask, dialect)
    try:
        fields = parse_object(content)
        completion = msgspec.convert(fields, _Completion)
        fields["choices"] = _first(fields, min(dialect.most, len(ask.indexes)))
        if not completion.choices:
            return Retry(Trouble.EMPTY)
        found = openai_chat.decode(
            {
                "request": sent,
                "response": fields,
                "ts": times.render(frame.ts),
                "environment": frame.environment,
                "attributes": _attributes(plan, ask, dialect, frame),
            },
            Fallback("probe", frame.ts),
        )
    except (Unusable, msgspec.ValidationError):
        return Retry(Trouble.MALFORMED)
    events: list[ResponseEvent] = []
    unanswered: list[tuple[int, Unanswered]] = []
    for index, choice, event in zip(ask.indexes, completion.choices, found, strict=False):
        if isinstance(event, Reject):
            if event.reason not in (RejectReason.EMPTY_RESPONSE, RejectReason.NO_TEXT):
                return Retry(Trouble.MALFORMED)
            unanswered.append((index, _why(choice, event)))
        else:
            attributes = {**event.attributes, "probe_index": str(index)}
            identifier = f"{frame.round_name}/{ask.prompt.id}/{index}"
            events.append(replace(event, event_id=identifier, attributes=attributes))
    return Answer(tuple(events), tuple(unanswered), _usage(completion.usage, ask, events))


def _first(fields: dict[str, object], wanted: int) -> list[object]:
    """The choices that were asked for; an endpoint that sends more is not believed about the rest."""
    choices = fields.get("choices")
    return choices[:wanted] if isinstance(choices, list) else []


def _attributes(plan: Plan, ask: Ask, dialect: Dialect, frame: Frame) -> dict[str, str]:
    known = {
        "probe_round": frame.round_name,
        "probe_plan": plan.fingerprint,
        "probe_prompt": ask.prompt.id,
        "probe_kind": ask.prompt.kind.value,
        "temperature": str(plan.temperature),
    }
    return known | ({"seed": str(ask.seed)} if dialect.seed and ask.seed is not None else {})


def _why(choice: "_Choice", reject: Reject) -> Unanswered:
    if choice.finish_reason == "content_filter":
        return Unanswered.CONTENT_FILTER
    return Unanswered.NO_TEXT if reject.reason is RejectReason.NO_TEXT else Unanswered.EMPTY_RESPONSE


def _usage(stated: "_Usage | None", ask: Ask, events: list[ResponseEvent]) -> Usage:
    """Tokens as the endpoint counts them; else a third of the bytes, more than any common tokenizer makes of a text."""
    if stated is not None and stated.prompt_tokens is not None and stated.completion_tokens is not None:
        return Usage(stated.prompt_tokens, stated.completion_tokens)
    read = len((ask.prompt.text + (ask.prompt.system or "")).encode())
    written = sum(len(event.response.encode()) for event in events)
    return Usage(-(-read // 3), -(-written // 3), estimated=True)


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Choice(msgspec.Struct):
    finish_reason: str | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None
