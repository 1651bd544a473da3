"""Langfuse exports, one observation a line: generations are responses, other observations are skipped (`not_a_response`).

Both spellings are read: that of the blob storage export (`start_time`, `provided_model_name`) and that of the API and the export from
the user interface (`startTime`, `model`). `input` and `output` are texts or JSON in the shape of whoever traced them (see
`loose`). The version of the prompt is the attribute `prompt_version`: when it changes, so does behaviour, and the model is not to blame.

Source: Langfuse documentation, "Blob storage export field reference"; its API reference, "Observation"; the traces of many frameworks in
its repository (`worker/src/__tests__/chatml/framework-traces`).
"""

import msgspec

from stream.core.records import Micros, Reject, RejectReason, ResponseEvent
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
from stream.formats.loose import answers, turns
from stream.formats.loose_times import read_loose_time

NAME = "langfuse"
TITLE = "Langfuse exports of observations (JSON lines, CSV, Parquet)"
EXAMPLE = """\
{"id": "obs-1", "trace_id": "trace-1", "type": "GENERATION", "environment": "production",
 "start_time": "2024-05-29 13:46:19.963000", "end_time": "2024-05-29 13:46:21.100000", "level": "DEFAULT",
 "provided_model_name": "gpt-4o", "prompt_name": "support", "prompt_version": 7, "session_id": "s-1",
 "input": "[{\\"role\\": \\"user\\", \\"content\\": \\"Where is my parcel?\\"}]",
 "output": "{\\"role\\": \\"assistant\\", \\"content\\": \\"It is on its way.\\"}"}"""

_OUTER = frozenset({"ai.generateText", "ai.streamText", "ai.generateObject", "ai.streamObject"})
"""Generations of Vercel's AI SDK that hold another one, `….doGenerate` or `….doStream`, with the same answer."""


class _Observation(msgspec.Struct):
    id: str | None = None
    type: str | None = None
    name: str | None = None
    level: str | None = None
    environment: str | None = None
    provided_model_name: str | None = None
    model: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    session_id: str | None = None
    trace_id: str | None = None
    prompt_name: str | None = None
    prompt_version: str | int | None = None
    version: str | None = None
    release: str | None = None


_CAMEL = {
    "providedModelName": "provided_model_name",
    "startTime": "start_time",
    "endTime": "end_time",
    "sessionId": "session_id",
    "traceId": "trace_id",
    "promptName": "prompt_name",
    "promptVersion": "prompt_version",
}


def recognises(fields: dict[str, object]) -> bool:
    """Says whether the object is an observation: it has a type, a trace, and the time at which it began."""
    return (
        "type" in fields
        and ("trace_id" in fields or "traceId" in fields)
        and ("start_time" in fields or "startTime" in fields)
    )


def decode(fields: dict[str, object], fallback: Fallback) -> tuple[ResponseEvent | Reject, ...]:
    """Returns the answers of a generation.

    Raises:
        Unusable: nothing of the record can be used; with the reason.
    """
    known = {_CAMEL.get(name, name): value for name, value in fields.items()}
    observation = convert(known, _Observation)
    if observation.type != "GENERATION":
        raise Unusable(RejectReason.NOT_A_RESPONSE, "type is not GENERATION")
    if observation.name in _OUTER:
        raise Unusable(
            RejectReason.NOT_A_RESPONSE, "name is that of a call whose inner call is a generation of its own"
        )
    if observation.level == "ERROR":
        raise Unusable(RejectReason.FAILED_CALL, "level is ERROR")
    for name in ("input", "output"):
        if known.get(name) in (None, "", "null"):
            raise Unusable(RejectReason.MISSING_FIELD, f"{name} is empty: export it, and let the tracer capture it")
    asked = turns(known["input"], "input")
    found: dict[str, Scalar] = {
        "prompt_name": observation.prompt_name or None,
        "prompt_version": observation.prompt_version if observation.prompt_version != "" else None,
        "version": observation.version or None,
        "release": observation.release or None,
    }
    return events(
        ResponseEvent(
            event_id=check_name(observation.id, "id") or fallback.event_id,
            ts=_time(observation, fallback),
            model=require_name(observation.provided_model_name or observation.model, "provided_model_name"),
            prompt=last_user(asked, "input"),
            response="",
            system=system_of(asked),
            earlier=earlier_of(asked),
            conversation_id=check_name(observation.session_id or observation.trace_id, "session_id"),
            environment=check_name(observation.environment, "environment"),
            attributes=read_attributes(found),
        ),
        answers(known["output"], "output"),
    )


def _time(observation: _Observation, fallback: Fallback) -> Micros:
    for name, value in (("end_time", observation.end_time), ("start_time", observation.start_time)):
        if value:
            return read_loose_time(value, name)
    return fall_back(fallback.ts)
