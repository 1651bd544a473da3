"""Chats in whatever shape a tracer wrote them down: the request and the answer as it saw them, as texts or as JSON.

A text is what the user said, or what the model answered. In JSON, turns are found under `messages`, `input`, `contents`,
`prompt` or, where a function was traced, `args`; answers under `choices`, `candidates`, `output` or `message`; the text of a turn under
`content`, `parts` or `text`. These are the shapes of OpenAI, Anthropic, Gemini and OpenTelemetry; what is in none of them is refused,
not guessed.
"""

from collections.abc import Sequence

from stream.core.records import RejectReason
from stream.formats.chat import Answer, Turn
from stream.formats.fields import Unusable, parse_json

_ASKED = ("messages", "input", "contents", "prompt", "args")
_CHOICES = ("choices", "candidates")
_ANSWERED = ("output", "messages", "message")
_CALLS = ("tool_calls", "function_call", "audio")
_ACTS = frozenset(
    {
        *("tool_call", "tool_use", "server_tool_use", "function_call", "functionCall", "toolCallId"),
        *("blob", "file", "uri", "image_url"),
    }
)
_RESULTS = frozenset(
    {"tool_result", "tool_call_response", "function_call_output", "functionResponse", "function_response"}
)
_THOUGHTS = frozenset({"reasoning", "thinking", "redacted_thinking"})


def opened(value: object) -> object:
    """Returns the value, or what it holds where it is the text of a JSON object or array."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return parse_json(value)
        except Unusable:
            return value  # a text that merely begins like JSON
    return value


def turns(value: object, at: str) -> list[Turn]:
    """Returns the turns of a request; `at` names it for the detail.

    Raises:
        Unusable: it has none of the known shapes.
    """
    if not isinstance(value, str):
        return _turns(value, at)
    try:
        return _turns(opened(value), at)
    except Unusable:
        return [Turn("user", value)]  # JSON of another kind is what the user wrote


def answers(value: object, at: str, finish_reason: str | None = None) -> list[Answer]:
    """Returns the answers of a response; `finish_reason` is that of those that do not say theirs.

    Raises:
        Unusable: it has none of the known shapes, or is a raw stream of events.
    """
    if not isinstance(value, str):
        return _answers(value, at, finish_reason)
    if value.startswith("data:"):
        raise Unusable(RejectReason.WRONG_TYPE, f"{at} is a raw stream of events; log the assembled answer")
    plain = [Answer(text=value, at=at, finish_reason=finish_reason)]
    try:
        found = _answers(opened(value), at, finish_reason)
    except Unusable:
        return plain  # JSON of another kind is what the model answered
    return found if any(answer.text or answer.refusal or answer.acts for answer in found) else plain


def _turns(value: object, at: str) -> list[Turn]:
    if isinstance(value, list) and value:
        return [_turn(item, at) for item in value]
    if isinstance(value, dict):
        if "role" in value:
            return [_turn(value, at)]
        for name in _ASKED:
            if value.get(name):
                apart = value.get("system") or value.get("instructions") or value.get("systemInstruction")
                return [*([Turn("system", text_of(apart))] if apart else []), *turns(value[name], _below(at, name))]
    raise Unusable(RejectReason.MISSING_FIELD, f"{at} holds no turns of a chat")


def _answers(value: object, at: str, finish_reason: str | None) -> list[Answer]:
    if isinstance(value, list) and value:
        return [_answer(_last_said(value), at, finish_reason)]
    if isinstance(value, dict):
        for name in _CHOICES:
            if isinstance(choices := value.get(name), list):
                return [_answer(choice, f"{at}.{name}[{place}]", finish_reason) for place, choice in enumerate(choices)]
        for name in _ANSWERED:
            if isinstance(inside := value.get(name), (list, dict)):
                return _answers(inside, _below(at, name), _reason(value) or finish_reason)
        if any(name in value for name in ("content", "parts", "text", "refusal", *_CALLS)):
            return [_answer(value, at, finish_reason)]
    raise Unusable(RejectReason.MISSING_FIELD, f"{at} holds no answer of a model")


def _below(at: str, name: str) -> str:
    """The place below; a chat that is nested deeper than any system nests it is not described to the end."""
    return f"{at}.{name}" if len(at) < 100 else at


def _answer(item: object, at: str, finish_reason: str | None) -> Answer:
    said = item if isinstance(item, dict) else {"content": item}
    inside = said.get("message") or said.get("content")
    if isinstance(inside, dict):  # the message of a choice, the content of a candidate
        finish_reason, said = _reason(said) or finish_reason, inside
    elif isinstance(inside, str) and "content" not in said:
        finish_reason, said = _reason(said) or finish_reason, {"content": inside}
    further = said.get("provider_specific_fields")  # where LiteLLM keeps what not every provider has
    refusal = said.get("refusal") or (further.get("refusal") if isinstance(further, dict) else None)
    return Answer(
        text=text_of(said),
        at=at,
        finish_reason=_reason(said) or finish_reason,
        refusal=refusal if isinstance(refusal, str) and refusal else None,
        acts=any(said.get(name) for name in _CALLS) or any(kind in _ACTS for kind in _kinds(said)),
    )


def _last_said(items: Sequence[object]) -> object:
    """The last turn of the model; all of the list where it consists of parts."""
    spoken = [item for item in items if isinstance(item, dict) and item.get("role") in ("assistant", "model", "ai")]
    if spoken:
        return spoken[-1]
    return {"content": list(items)}


def _reason(item: dict[str, object]) -> str | None:
    for name in ("finish_reason", "finishReason", "stop_reason"):
        if isinstance(reason := item.get(name), str):
            return reason
    details = item.get(
        "incomplete_details"
    )  # of OpenAI's Responses API, which says nothing more of an answer that is whole
    if isinstance(details, dict) and isinstance(reason := details.get("reason"), str):
        return reason
    return "completed" if item.get("object") == "response" and item.get("status") == "completed" else None


def _turn(item: object, at: str) -> Turn:
    if isinstance(item, str):
        return Turn("user", item)
    if not isinstance(item, dict):
        raise Unusable(RejectReason.WRONG_TYPE, f"{at}: a turn must be an object")
    role = item.get("role")
    kinds = _kinds(item)
    given_back = bool(kinds) and all(kind in _RESULTS for kind in kinds)
    return Turn("tool" if given_back else role.lower() if isinstance(role, str) else _speaker(item), text_of(item))


def _speaker(item: dict[str, object]) -> str:
    """Who speaks in an item that does not say it: the model where it calls or thinks (OpenAI's Responses API), else the user."""
    kind = item.get("type")
    return "assistant" if isinstance(kind, str) and (kind.endswith("_call") or kind in _THOUGHTS) else "user"


def _kinds(item: dict[str, object]) -> list[str]:
    """What the parts of a turn are; Gemini's parts are named by their field instead of by a type."""
    found = []
    for name in ("content", "parts"):
        parts = item.get(name)
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict):
                kind = part.get("type")
                found.append(kind if isinstance(kind, str) else str(next(iter(part), "")))
    kind = item.get("type")
    return found or ([kind] if isinstance(kind, str) else [])


def text_of(value: object) -> str:
    """Returns the text in a content: itself, its parts' joined by line feeds, or that under `content`, `parts` or `text`."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(filter(None, map(text_of, value)))
    if isinstance(value, dict):
        kind = value.get("type")
        if value.get("thought") is True or (isinstance(kind, str) and kind in _THOUGHTS | _RESULTS | _ACTS):
            return ""
        for name in ("content", "parts", "text", "refusal"):
            if isinstance(inside := value.get(name), (str, list, dict)) and inside:
                return text_of(inside)
    return ""
