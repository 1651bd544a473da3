"""LiteLLM's StandardLoggingPayload, as its proxy sends it to any logger: one call, its messages and its response.

Failed calls are skipped (`failed_call`), and calls that are no chat (`not_a_response`). An answer from LiteLLM's cache says nothing new
about the model: it is marked by the attribute `cache_hit`, and skipped where the format is forced to `litellm_uncached`. Texts
that LiteLLM was told to redact are refused: what they look like has nothing to do with the model.

`model` is the `model_group`, the name that was asked for; the deployment behind it is the attribute `response_model`. The proxy
writes the asked name over the one in the response, so there the deployment is the payload's own `model`. It also packs where a response
came from into the ids of its Responses and Messages APIs, which makes them longer than a name may be: `litellm_call_id` then serves.

Source: LiteLLM documentation, "StandardLoggingPayload Specification"; its own example in tests/logging_callback_tests; and what its
proxy 1.108.7 posts.
"""

import msgspec

from stream.core.records import Reject, RejectReason, ResponseEvent
from stream.formats.chat import Answer, earlier_of, events, last_user, system_of
from stream.formats.fields import (
    LONGEST_NAME,
    Fallback,
    Scalar,
    Unusable,
    check_name,
    convert,
    fall_back,
    read_attributes,
    require_name,
)
from stream.formats.loose import answers, turns
from stream.formats.loose_times import read_loose_time

NAME = "litellm"
NAME_UNCACHED = "litellm_uncached"
TITLE = "LiteLLM StandardLoggingPayload (generic API callback, Kafka and bucket loggers)"
TITLE_UNCACHED = "the same without answers from LiteLLM's cache; only if forced"
EXAMPLE = """\
{"id": "chatcmpl-2299b6a2-82a3", "call_type": "acompletion", "status": "success", "cache_hit": null,
 "custom_llm_provider": "openai", "startTime": 1737710446.847371, "endTime": 1737710446.851954, "model": "gpt-4o",
 "model_group": "support-bot", "messages": [{"role": "user", "content": "Hello, world!"}],
 "response": {"id": "chatcmpl-2299b6a2-82a3", "created": 1742855151, "model": "gpt-4o", "object": "chat.completion",
  "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}]}}"""

_REDACTED = "redacted-by-litellm"
_INTERVENED = "guardrail_intervened"
_ADDED_TAG = "User-Agent: "
"""How the tags begin that the proxy adds to those of the request."""


class _StatusFields(msgspec.Struct):
    guardrail_status: str | None = None


class _Metadata(msgspec.Struct):
    user_api_key_team_alias: str | None = None


class _Payload(msgspec.Struct):
    model: str | None = None
    model_group: str | None = None
    model_id: str | None = None
    id: str | None = None
    litellm_call_id: str | None = None
    trace_id: str | None = None
    session_id: str | None = None
    status: str | None = None
    status_fields: _StatusFields | None = None
    custom_llm_provider: str | None = None
    startTime: str | int | float | None = None  # noqa: N815 - LiteLLM's own name
    endTime: str | int | float | None = None  # noqa: N815
    cache_hit: bool | str | None = None
    request_tags: list[object] | None = None
    metadata: _Metadata | None = None


class _Response(msgspec.Struct):
    model: str | None = None
    system_fingerprint: str | None = None


def recognises(fields: dict[str, object]) -> bool:
    """Says whether the object is a StandardLoggingPayload, or holds one as `standard_logging_object`."""
    return "standard_logging_object" in fields or ("call_type" in fields and "startTime" in fields)


def decode(fields: dict[str, object], fallback: Fallback) -> tuple[ResponseEvent | Reject, ...]:
    """Returns one event for each choice, or why that choice cannot be used.

    Raises:
        Unusable: nothing of the record can be used; with the reason.
    """
    inside = fields.get("standard_logging_object")
    if isinstance(inside, dict):
        fields = inside
    payload = convert(fields, _Payload)
    intervened = payload.status_fields is not None and payload.status_fields.guardrail_status == _INTERVENED
    if payload.status not in (None, "success"):
        raise Unusable(RejectReason.FAILED_CALL, f"status is not success{', a guardrail intervened' * intervened}")
    said = _answers(fields.get("response"))
    asked = turns(fields.get("messages"), "messages")
    prompt = last_user(asked, "messages")
    if prompt == _REDACTED or any(answer.text == _REDACTED for answer in said):
        raise Unusable(
            RejectReason.MISSING_FIELD, "the texts are redacted: LiteLLM's turn_off_message_logging must be off"
        )
    return events(
        ResponseEvent(
            event_id=check_name(_id(payload), "id") or fallback.event_id,
            ts=_time(payload, fallback),
            model=require_name(payload.model_group or payload.model, "model_group and model"),
            prompt=prompt,
            response="",
            provider=check_name(payload.custom_llm_provider, "custom_llm_provider"),
            system=system_of(asked),
            earlier=earlier_of(asked),
            conversation_id=check_name(payload.session_id or payload.trace_id, "session_id and trace_id"),
            refusal_hint="guardrail" if intervened else None,
            attributes=_attributes(payload, fields.get("response")),
        ),
        said,
    )


def decode_uncached(fields: dict[str, object], fallback: Fallback) -> tuple[ResponseEvent | Reject, ...]:
    """Returns what `decode` does, for a call that was not answered from the cache.

    Raises:
        Unusable: as `decode`, and `cache_hit` for one that was.
    """
    inside = fields.get("standard_logging_object")
    if _hit(convert(inside if isinstance(inside, dict) else fields, _Payload)):
        raise Unusable(RejectReason.CACHE_HIT, "cache_hit is true")
    return decode(fields, fallback)


def _hit(payload: _Payload) -> bool:
    return payload.cache_hit is True or (isinstance(payload.cache_hit, str) and payload.cache_hit.lower() == "true")


def _answers(response: object) -> list[Answer]:
    """The answers; an embedding, a picture or a transcription is none."""
    try:
        found = answers(response, "response")
    except Unusable as unusable:
        if isinstance(response, dict) and unusable.reject.reason is RejectReason.MISSING_FIELD:
            raise Unusable(RejectReason.NOT_A_RESPONSE, "response is no chat's") from None
        raise
    if not found:
        raise Unusable(RejectReason.MISSING_FIELD, "response.choices is empty")
    return found


def _id(payload: _Payload) -> str | None:
    return payload.litellm_call_id or payload.id if len(payload.id or "") > LONGEST_NAME else payload.id


def _time(payload: _Payload, fallback: Fallback) -> int:
    for name, value in (("endTime", payload.endTime), ("startTime", payload.startTime)):
        if value:
            return read_loose_time(value, name)
    return fall_back(fallback.ts)


def _attributes(payload: _Payload, response: object) -> dict[str, str]:
    answered = convert(response, _Response, at="response") if isinstance(response, dict) else _Response()
    tags = [tag for tag in payload.request_tags or [] if isinstance(tag, str) and not tag.startswith(_ADDED_TAG)]
    found: dict[str, Scalar] = {
        "response_model": (None if answered.model == payload.model_group else answered.model) or payload.model,
        "system_fingerprint": answered.system_fingerprint,
        "model_id": payload.model_id or None,
        "team": payload.metadata.user_api_key_team_alias if payload.metadata else None,
        "tags": ",".join(tags) or None,
        "cache_hit": True if _hit(payload) else None,
    }
    return read_attributes(found)
