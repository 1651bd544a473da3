"""A request body and a response body in one record, and what a gateway writes beside them.

The two stand under `request` and `response`, or `request_body` and `response_body`, as objects or as JSON texts, bare or in
the `body` of an envelope; or the fields of both stand at the top of the record.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from stream.core.records import Micros, RejectReason, ResponseEvent
from stream.formats.fields import (
    Fallback,
    Scalar,
    Unusable,
    check_name,
    convert,
    fall_back,
    parse_object,
    read_attributes,
    read_time,
    read_unix,
)

_NAMES = (("request", "response"), ("request_body", "response_body"))


@dataclass(frozen=True, slots=True)
class Pair:
    """The two bodies, and the names under which they stood ("": at the top)."""

    request: dict[str, object]
    response: dict[str, object]
    asked: str
    answered: str


def find_pair(fields: dict[str, object]) -> Pair:
    """Returns the two bodies, out of their envelopes and out of their JSON texts.

    Raises:
        Unusable: one is missing, or is no object.
    """
    asked, answered = next((names for names in _NAMES if names[0] in fields), ("", ""))
    answered = answered or next((name for _, name in _NAMES if name in fields), "")
    return Pair(_body(fields, asked), _body(fields, answered), asked, answered)


def body_of(value: object, name: str) -> dict[str, object]:
    """Returns the object that a value is or that its text holds, out of its envelope if it stands in one.

    Raises:
        Unusable: it is none.
    """
    side = _object(value, name)
    return _object(side["body"], f"{name}.body") if "body" in side else side


def responds(fields: dict[str, object], like: Callable[[dict[str, object]], bool]) -> bool:
    """Says whether the response in these fields, wherever it stands, is like that; a text is read for it."""
    try:
        return like(find_pair(fields).response)
    except Unusable:
        return False


def _body(fields: dict[str, object], name: str) -> dict[str, object]:
    if not name:
        return fields
    if fields.get(name) is None:
        raise Unusable(RejectReason.MISSING_FIELD, name)
    return body_of(fields[name], name)


def _object(value: object, name: str) -> dict[str, object]:
    if isinstance(value, str):
        try:
            return parse_object(value)
        except Unusable as unusable:
            raise Unusable(unusable.reject.reason, f"{name}: {unusable.reject.detail}") from None
    if not isinstance(value, dict):
        raise Unusable(RejectReason.WRONG_TYPE, f"{name}: expected an object or its JSON text")
    return value


class Envelope(msgspec.Struct):
    """What may stand beside a pair, under the names of the canonical record."""

    event_id: str | None = None
    ts: str | None = None
    provider: str | None = None
    environment: str | None = None
    conversation_id: str | None = None
    attributes: dict[str, Scalar] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the two bodies say of themselves, unchecked: the id and time (unix seconds) of the response, the models' names."""

    id: str | None
    model: str
    prompt: str
    system: str | None
    earlier: str | None
    created: float | None = None
    provider: str | None = None
    conversation_id: str | None = None
    attributes: dict[str, Scalar]


def frame(fields: dict[str, object], said: Said, fallback: Fallback) -> ResponseEvent:
    """Returns the event of a pair, still without a response; what stands beside the pair wins over what it says itself.

    Raises:
        Unusable: a name or time cannot be used.
    """
    envelope = convert(fields, Envelope)
    return ResponseEvent(
        event_id=check_name(envelope.event_id, "event_id") or check_name(said.id, "response.id") or fallback.event_id,
        ts=_time(envelope, said.created, fallback),
        model=said.model,
        prompt=said.prompt,
        response="",
        provider=check_name(envelope.provider, "provider") or check_name(said.provider, "provider"),
        system=said.system,
        earlier=said.earlier,
        conversation_id=check_name(envelope.conversation_id, "conversation_id")
        or check_name(said.conversation_id, "the conversation's id"),
        environment=check_name(envelope.environment, "environment"),
        attributes=read_attributes(said.attributes | (envelope.attributes or {})),
    )


def _time(envelope: Envelope, created: float | None, fallback: Fallback) -> Micros:
    if envelope.ts:
        return read_time(envelope.ts, "ts")
    if created is not None:
        return read_unix(created, "response.created")
    return fall_back(fallback.ts)
