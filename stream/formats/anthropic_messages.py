"""Anthropic's Messages API: the request body and the message in one JSON object (see `pair`).

A message says no time of its own: it is that of the record's `ts`, or else the record's own. Text blocks are the answer;
thinking is left out. The results of tools come in user turns, which are no turns of the user. A `stop_reason` `refusal` is a hint.

Lines of a message batch are read where the request (`params`) was joined to the result on `custom_id`.

Source: Anthropic API reference, "Create a message"; guides "Handling stop reasons", "Batch processing".
"""

import msgspec

from stream.core.records import Reject, RejectReason, ResponseEvent
from stream.formats.chat import Answer, Turn, earlier_of, events, last_user, system_of
from stream.formats.fields import Fallback, Unusable, convert, require_name
from stream.formats.pair import Said, find_pair, frame, responds

NAME = "anthropic_messages"
TITLE = "Anthropic Messages API: request and message in one object, with the time in ts"
EXAMPLE = """\
{"ts": "2026-03-01T12:00:00Z",
 "request": {"model": "claude-sonnet-4-5", "max_tokens": 1024, "messages": [{"role": "user", "content": "Hello, world"}]},
 "response": {"id": "msg_013Zva2CMHLNnXjNJJKqJ2EF", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929",
  "content": [{"type": "text", "text": "Hi! My name is Claude."}], "stop_reason": "end_turn"}}"""


class _Block(msgspec.Struct):
    type: str
    text: str | None = None


_Content = str | list[_Block]


class _Turn(msgspec.Struct):
    role: str
    content: _Content


class _Request(msgspec.Struct):
    messages: list[_Turn]
    model: str | None = None
    system: _Content | None = None


class _Message(msgspec.Struct):
    content: list[_Block]
    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None


def recognises(fields: dict[str, object]) -> bool:
    """Says whether the response in the object is a message of Anthropic's, or the result in a batch of them."""
    return _is_batch(fields) or responds(fields, is_message)


def is_message(body: dict[str, object]) -> bool:
    """Says whether a response body is a message, or an error of that API."""
    kind = body.get("type")
    return kind == "message" or (kind == "error" and "error" in body)


def decode(fields: dict[str, object], fallback: Fallback) -> tuple[ResponseEvent | Reject, ...]:
    """Returns the one event, or why there is none.

    Raises:
        Unusable: nothing of the record can be used; with the reason.
    """
    if _is_batch(fields):
        return _decode_batch(fields, fallback)
    pair = find_pair(fields)
    if pair.response.get("type") == "error":
        raise Unusable(RejectReason.FAILED_CALL, f"{pair.answered or 'the record'} is an error of the API")
    request = convert(pair.request, _Request, at=pair.asked)
    message = convert(pair.response, _Message, at=pair.answered)
    turns = [_turn(turn) for turn in request.messages]
    said = Said(
        id=message.id,
        model=require_name(request.model or message.model, "request.model"),
        prompt=last_user(turns, "request.messages"),
        system=system_of([Turn("system", _text(request.system or "")), *turns]),
        earlier=earlier_of(turns),
        attributes={"response_model": message.model},
    )
    return events(frame(fields, said, fallback), [_answer(message)])


def _is_batch(fields: dict[str, object]) -> bool:
    result = fields.get("result")
    return "custom_id" in fields and isinstance(result, dict) and "type" in result


def _decode_batch(fields: dict[str, object], fallback: Fallback) -> tuple[ResponseEvent | Reject, ...]:
    result = fields["result"]
    if not isinstance(result, dict) or result.get("type") != "succeeded":
        raise Unusable(RejectReason.FAILED_CALL, "result.type is not succeeded")
    if "params" not in fields:
        raise Unusable(RejectReason.MISSING_FIELD, "params: join each result to its request on custom_id")
    beside = {name: value for name, value in fields.items() if name not in ("params", "result", "custom_id")}
    return decode({**beside, "request": fields["params"], "response": result.get("message")}, fallback)


def _turn(turn: _Turn) -> Turn:
    given_back = not isinstance(turn.content, str) and all(block.type == "tool_result" for block in turn.content)
    return Turn("tool" if given_back else turn.role, _text(turn.content))


def _text(content: _Content) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(block.text for block in content if block.type == "text" and block.text)


def _answer(message: _Message) -> Answer:
    return Answer(
        text="".join(block.text or "" for block in message.content if block.type == "text"),
        at="response.content",
        finish_reason=message.stop_reason,
        acts=any(block.type.endswith("tool_use") for block in message.content),
    )
