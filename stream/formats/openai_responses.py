"""OpenAI's Responses API: the request body and the response body in one JSON object (see `pair`).

A response object does not repeat the `input` that it answers, so the request has to be logged with it. All texts of the output are one
answer. Calls of tools, reasoning and images are left out; what `incomplete_details` says is the reason for which the answer
ended.

Source: OpenAI API reference, "Create a model response", "The response object"; guide "Conversation state".
"""

import msgspec

from stream.core.records import Reject, RejectReason, ResponseEvent
from stream.formats.chat import Answer, Turn, earlier_of, events, last_user, system_of
from stream.formats.fields import Fallback, Unusable, convert, require_name
from stream.formats.pair import Said, find_pair, frame, responds

NAME = "openai_responses"
TITLE = "OpenAI Responses API: request and response bodies in one object"
EXAMPLE = """\
{"request": {"model": "gpt-4.1", "instructions": "Be brief.", "input": "Tell me a bedtime story about a unicorn."},
 "response": {"id": "resp_67ccd2bed1ec8190", "object": "response", "created_at": 1741476542, "status": "completed",
  "model": "gpt-4.1-2025-04-14", "output": [{"type": "message", "role": "assistant",
   "content": [{"type": "output_text", "text": "In a peaceful grove beneath a silver moon..."}]}]}}"""


class _Part(msgspec.Struct):
    type: str
    text: str | None = None
    refusal: str | None = None


class _Item(msgspec.Struct):
    type: str = "message"
    role: str | None = None
    content: str | list[_Part] | None = None


class _Request(msgspec.Struct):
    input: str | list[_Item]
    model: str | None = None
    instructions: str | list[_Item] | None = None


class _Incomplete(msgspec.Struct):
    reason: str | None = None


class _Conversation(msgspec.Struct):
    id: str | None = None


class _Response(msgspec.Struct):
    output: list[_Item]
    id: str | None = None
    model: str | None = None
    status: str = "completed"
    created_at: int | float | None = None
    incomplete_details: _Incomplete | None = None
    instructions: str | list[_Item] | None = None
    conversation: _Conversation | None = None


def recognises(fields: dict[str, object]) -> bool:
    """Says whether the response in the object is one of the Responses API."""
    return responds(fields, is_response)


def is_response(body: dict[str, object]) -> bool:
    """Says whether a response body is one of the Responses API."""
    return body.get("object") == "response" or isinstance(body.get("output"), list)


def decode(fields: dict[str, object], fallback: Fallback) -> tuple[ResponseEvent | Reject, ...]:
    """Returns the one event, or why there is none.

    Raises:
        Unusable: nothing of the record can be used; with the reason.
    """
    pair = find_pair(fields)
    if pair.response.get("error"):
        raise Unusable(RejectReason.FAILED_CALL, f"{pair.answered or 'the record'} is an error of the API")
    response = convert(pair.response, _Response, at=pair.answered)
    if response.status not in ("completed", "incomplete"):
        raise Unusable(RejectReason.NOT_A_RESPONSE, "response.status is neither completed nor incomplete")
    request = convert(pair.request, _Request, at=pair.asked)
    turns = _turns(request.input, "user")
    said = Said(
        id=response.id,
        model=require_name(request.model or response.model, "request.model"),
        prompt=last_user(turns, "request.input"),
        system=system_of([*_turns(request.instructions or response.instructions or [], "system"), *turns]),
        earlier=earlier_of(turns),
        created=response.created_at,
        conversation_id=response.conversation.id if response.conversation else None,
        attributes={"response_model": response.model},
    )
    return events(frame(fields, said, fallback), [_answer(response)])


def _turns(items: str | list[_Item], role: str) -> list[Turn]:
    """The turns; a bare text is one of this role, and what is no message (a call, its result) is no turn."""
    if isinstance(items, str):
        return [Turn(role, items)]
    return [Turn(item.role or role, _text(item)) for item in items if item.type == "message"]


def _text(item: _Item) -> str:
    if isinstance(item.content, str):
        return item.content
    return "\n".join(part.text for part in item.content or [] if part.text and part.type.endswith("_text"))


def _answer(response: _Response) -> Answer:
    parts = [
        part
        for item in response.output
        if item.type == "message" and isinstance(item.content, list)
        for part in item.content
    ]
    return Answer(
        text="".join(part.text or "" for part in parts if part.type == "output_text"),
        at="response.output",
        finish_reason=response.incomplete_details.reason if response.incomplete_details else "stop",
        refusal="\n".join(part.refusal for part in parts if part.type == "refusal" and part.refusal) or None,
        acts=any(item.type not in ("message", "reasoning") for item in response.output),
    )
