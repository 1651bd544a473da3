"""Kong's request logs (kafka-log, http-log, file-log) of calls that went through its AI Proxy.

The texts are there only if the AI Proxy was told to log payloads. Requests to anything else are skipped (`not_a_response`),
and those that failed (`failed_call`). An answer from Kong's cache is marked by the attribute `cache_hit`.

Source: Kong documentation, "Kafka Log" (sample of a proxied LLM request), "AI Gateway audit log reference" (the `payload` fields).
"""

import msgspec

from stream.core.records import Reject, RejectReason, ResponseEvent
from stream.formats.chat import earlier_of, events, last_user, system_of
from stream.formats.fields import (
    Fallback,
    Scalar,
    Unusable,
    check_name,
    convert,
    fall_back,
    read_attributes,
    require_name,
)
from stream.formats.loose import answers, opened, turns
from stream.formats.loose_times import read_loose_time

NAME = "kong"
TITLE = "Kong request logs of AI Proxy calls (kafka-log, http-log, file-log), payloads logged"
EXAMPLE = """\
{"started_at": 1787113201719, "upstream_status": 200, "latencies": {"request": 976},
 "request": {"id": "9ec9264afbbbad5fe5c64877d92eeb04", "uri": "/v1/chat/completions"}, "response": {"status": 200},
 "ai": {"proxy": {"meta": {"provider_name": "openai", "request_model": "gpt-4o", "response_model": "gpt-4o-2024-08-06"},
  "payload": {"request": "{\\"messages\\": [{\\"role\\": \\"user\\", \\"content\\": \\"Hello!\\"}]}",
   "response": "{\\"choices\\": [{\\"finish_reason\\": \\"stop\\", \\"message\\": {\\"content\\": \\"Hi there!\\"}}]}"}}}}"""

_ADVICE = "let the AI Proxy log payloads (config.logging.log_payloads)"


class _Meta(msgspec.Struct):
    request_model: str | None = None
    response_model: str | None = None
    provider_name: str | None = None


class _Cache(msgspec.Struct):
    cache_status: str | None = None


class _Payload(msgspec.Struct):
    request: object = None
    response: object = None


class _Plugin(msgspec.Struct):
    meta: _Meta | None = None
    cache: _Cache | None = None
    payload: _Payload | None = None


class _Request(msgspec.Struct):
    id: str | None = None


class _Response(msgspec.Struct):
    status: int | None = None


class _Log(msgspec.Struct):
    request: _Request | None = None
    response: _Response | None = None
    started_at: int | float | None = None


def recognises(fields: dict[str, object]) -> bool:
    """Says whether the object is one of Kong's request logs."""
    return "started_at" in fields and ("latencies" in fields or isinstance(fields.get("ai"), dict))


def decode(fields: dict[str, object], fallback: Fallback) -> tuple[ResponseEvent | Reject, ...]:
    """Returns the answers of the call.

    Raises:
        Unusable: nothing of the record can be used; with the reason.
    """
    log = convert(fields, _Log)
    name, plugin, request = _proxied(fields.get("ai"))
    if log.response is not None and log.response.status is not None and log.response.status >= 400:
        raise Unusable(RejectReason.FAILED_CALL, "response.status is an error's")
    payload, meta = plugin.payload or _Payload(), plugin.meta or _Meta()
    if not request:
        raise Unusable(RejectReason.MISSING_FIELD, f"ai.{name}.payload.request: {_ADVICE}")
    if not payload.response:
        raise Unusable(RejectReason.MISSING_FIELD, f"ai.{name}.payload.response: {_ADVICE}")
    asked = turns(request, f"ai.{name}.payload.request")
    hit = plugin.cache is not None and plugin.cache.cache_status == "Hit"
    found: dict[str, Scalar] = {"response_model": meta.response_model, "cache_hit": True if hit else None}
    return events(
        ResponseEvent(
            event_id=check_name(log.request.id if log.request else None, "request.id") or fallback.event_id,
            ts=fall_back(fallback.ts) if log.started_at is None else read_loose_time(log.started_at, "started_at"),
            model=require_name(meta.request_model or _asked_model(request), f"ai.{name}.meta.request_model"),
            prompt=last_user(asked, f"ai.{name}.payload.request"),
            response="",
            provider=check_name(meta.provider_name, f"ai.{name}.meta.provider_name"),
            system=system_of(asked),
            earlier=earlier_of(asked),
            attributes=read_attributes(found),
        ),
        answers(payload.response, f"ai.{name}.payload.response"),
    )


def _proxied(ai: object) -> tuple[str, _Plugin, object]:
    """The plugin that proxied the call, its name, and the request (until Kong 3.7 beside the plugins, not in theirs)."""
    if not isinstance(ai, dict) or not ai:
        raise Unusable(RejectReason.NOT_A_RESPONSE, "the request did not go through the AI Proxy (no ai)")
    shared = convert(ai.get("payload") or {}, _Payload, at="ai.payload")
    plugins = {name: value for name, value in ai.items() if name != "payload" and isinstance(value, dict)}
    name = next((known for known in _PROXIES if known in plugins), next(iter(plugins), "proxy"))
    shown = name if name in _PROXIES else "plugin"
    plugin = convert(plugins.get(name, {}), _Plugin, at=f"ai.{shown}")
    return shown, plugin, (plugin.payload.request if plugin.payload else None) or shared.request


_PROXIES = ("proxy", "ai-proxy", "ai-proxy-advanced")


def _asked_model(request: object) -> str | None:
    body = opened(request)
    model = body.get("model") if isinstance(body, dict) else None
    return model if isinstance(model, str) else None
