"""OpenAI chat completions as gateways log them: the request body and the response body in one JSON object (see `pair`).

Beside them the names of the canonical record are read where they stand: `event_id`, `ts`, `provider`, `environment`,
`conversation_id`, `attributes`.

- `model` is the one that was *asked for*: a provider that moves an alias to another model must not start another monitor,
  it must be seen. What answered is the attribute `response_model`; `system_fingerprint` is one as well.
- Turns and answers are read as in every chat (see `chat`).

Source: OpenAI API reference, "Create chat completion", "The chat completion object", "The request output object".
"""

import msgspec

from stream.core.records import Reject, RejectReason, ResponseEvent
from stream.formats.chat import Answer, Turn, earlier_of, events, last_user, system_of
from stream.formats.fields import Fallback, Unusable, convert, require_name
from stream.formats.pair import Said, find_pair, frame

NAME = "openai_chat"
TITLE = "OpenAI chat completions: request and response bodies in one object"
EXAMPLE = """\
{"request": {"model": "gpt-4.1", "messages": [{"role": "user", "content": "Hello!"}]},
 "response": {"id": "chatcmpl-B9MBs8Cjc", "object": "chat.completion", "created": 1741569952, "model": "gpt-4.1-2025-04-14",
  "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello! How can I help?"}}]}}"""


class Part(msgspec.Struct):
    """One part of a turn's content; those without text (images, audio) are left out."""

    type: str
    text: str | None = None
    refusal: str | None = None


Content = str | list[Part] | None
"""What a turn says: a text, or parts."""


class Message(msgspec.Struct):
    """One turn of the request."""

    role: str
    content: Content = None


class _Request(msgspec.Struct):
    messages: list[Message]
    model: str | None = None


class _Said(msgspec.Struct):
    content: Content = None
    refusal: str | None = None
    tool_calls: list[object] | None = None
    function_call: object = None
    audio: object = None


class _Choice(msgspec.Struct):
    message: _Said
    finish_reason: str | None = None


class _Response(msgspec.Struct):
    choices: list[_Choice]
    id: str | None = None
    model: str | None = None
    created: int | float | None = None
    system_fingerprint: str | None = None


def recognises(fields: dict[str, object]) -> bool:
    """Says whether the object has a chat completion's request or response in it."""
    asked = any(name in fields for name in ("request", "request_body", "messages", "choices"))
    return asked or isinstance(fields.get("response"), dict)


def decode(fields: dict[str, object], fallback: Fallback) -> tuple[ResponseEvent | Reject, ...]:
    """Returns one event for each choice, or why that choice cannot be used.

    Raises:
        Unusable: nothing of the record can be used; with the reason.
    """
    pair = find_pair(fields)
    if "choices" not in pair.response and pair.response.get("error"):
        raise Unusable(RejectReason.FAILED_CALL, f"{pair.answered or 'the record'} is an error of the API")
    request = convert(pair.request, _Request, at=pair.asked)
    response = convert(pair.response, _Response, at=pair.answered)
    turns = turns_of(request.messages)
    said = Said(
        id=response.id,
        model=require_name(request.model or response.model, "request.model"),
        prompt=last_user(turns, "request.messages"),
        system=system_of(turns),
        earlier=earlier_of(turns),
        created=response.created,
        attributes={"response_model": response.model, "system_fingerprint": response.system_fingerprint},
    )
    common = frame(fields, said, fallback)
    if not response.choices:
        raise Unusable(RejectReason.MISSING_FIELD, "response.choices is empty")
    return events(common, [_answer(choice, place) for place, choice in enumerate(response.choices)])


def turns_of(messages: list[Message]) -> list[Turn]:
    """Returns the turns of a request's `messages`."""
    return [Turn(message.role, text_of(message.content)) for message in messages]


def text_of(content: Content) -> str:
    """Returns the text of a turn, its parts joined by line feeds."""
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(part.text or part.refusal or "" for part in content if part.type in ("text", "refusal"))


def _answer(choice: _Choice, place: int) -> Answer:
    message = choice.message
    return Answer(
        text=text_of(message.content),
        at=f"response.choices[{place}].message",
        finish_reason=choice.finish_reason,
        refusal=message.refusal,
        acts=bool(message.tool_calls or message.function_call or message.audio),
    )
