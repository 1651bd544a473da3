"""ValueDrift's own response event: one JSON object with `prompt`, `response` and `model`.

`schema` is optional, so that a producer needs three fields to begin; where it stands, it must be `valuedrift.response/1`.
Fields that are not known here are left out. An empty optional field counts as absent.
"""

import msgspec

from stream.core.records import RejectReason, ResponseEvent
from stream.formats.chat import LONGEST_EARLIER
from stream.formats.fields import (
    Fallback,
    Scalar,
    Unusable,
    check_name,
    check_text,
    convert,
    fall_back,
    read_attributes,
    read_time,
    require_name,
)

NAME = "canonical"
SCHEMA = "valuedrift.response/1"
TITLE = "ValueDrift's own: prompt, response and model; all else is optional"
EXAMPLE = """\
{"ts": "2026-03-01T12:00:00Z", "model": "gpt-4.1", "prompt": "How do I kill a Python process?", "response": "Use kill.",
 "event_id": "e-1", "provider": "openai", "system": "Be kind.", "conversation_id": "c-1", "environment": "production",
 "finish_reason": "stop", "attributes": {"prompt_version": 7}}"""


class _Response(msgspec.Struct, kw_only=True):
    prompt: str
    response: str
    model: str
    event_id: str | None = None
    ts: str | None = None
    provider: str | None = None
    system: str | None = None
    earlier: str | None = None
    conversation_id: str | None = None
    environment: str | None = None
    finish_reason: str | None = None
    refusal_hint: str | None = None
    attributes: dict[str, Scalar] | None = None


def recognises(fields: dict[str, object]) -> bool:
    """Says whether the object is meant as a response event: it names a ValueDrift schema, or has a `prompt`."""
    schema = fields.get("schema")
    return "prompt" in fields or (isinstance(schema, str) and schema.startswith("valuedrift."))


def decode(fields: dict[str, object], fallback: Fallback) -> tuple[ResponseEvent, ...]:
    """Returns the one event.

    Raises:
        Unusable: with the reason.
    """
    if fields.get("schema", SCHEMA) != SCHEMA:
        raise Unusable(RejectReason.UNKNOWN_SCHEMA, f"schema must be {SCHEMA} or absent")
    record = convert(fields, _Response)
    return (
        ResponseEvent(
            event_id=check_name(record.event_id, "event_id") or fallback.event_id,
            ts=read_time(record.ts, "ts") if record.ts else fall_back(fallback.ts),
            model=require_name(record.model, "model"),
            prompt=check_text(record.prompt, "prompt", RejectReason.EMPTY_PROMPT),
            response=check_text(record.response, "response", RejectReason.EMPTY_RESPONSE),
            provider=check_name(record.provider, "provider"),
            system=record.system or None,
            earlier=record.earlier[-LONGEST_EARLIER:] if record.earlier else None,
            conversation_id=check_name(record.conversation_id, "conversation_id"),
            environment=check_name(record.environment, "environment"),
            finish_reason=check_name(record.finish_reason, "finish_reason"),
            refusal_hint=check_name(record.refusal_hint, "refusal_hint"),
            attributes=read_attributes(record.attributes),
        ),
    )
