"""What all chats have in common, whoever logged them: turns, answers, and what an answer becomes.

- The prompt is the last user turn. System and developer turns stand apart, in `system`; what users and model said before it is `earlier`.
- A refusal in its own words is the response. It, and a content filter, become `refusal_hint`.
- A call of tools without text is no response to judge: `no_text`.
- Each answer is an event; with several, `#` and the answer's place follow the id.
- The reason for which an answer ended has one name, whatever the provider calls it: an answer that was cut says `length`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from stream.core.records import Reject, RejectReason, ResponseEvent
from stream.formats.fields import Unusable, check_name, check_text

_SYSTEM_ROLES = frozenset({"system", "developer"})
_USER_ROLES = frozenset({"user", "human"})

_SPEAKERS = {"user": "User", "human": "User", "assistant": "Assistant", "model": "Assistant", "ai": "Assistant"}

LONGEST_EARLIER = 2_000
"""Characters of the turns before the prompt that are kept, the last ones: several times what a classifier has room for."""

_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "completed": "stop",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "tool_call": "tool_calls",
    "safety": "content_filter",
    "recitation": "content_filter",
}
_HINTS = frozenset({"refusal", "content_filter"})


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a chat: who spoke, and the text, empty where there is none (an image, the result of a tool)."""

    role: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer of a model as it was logged; `acts` says that it calls tools, speaks or draws; `at` where it stands."""

    text: str
    at: str
    finish_reason: str | None = None
    refusal: str | None = None
    acts: bool = False


def last_user(turns: Sequence[Turn], at: str) -> str:
    """Returns the text of the last user turn; `at` names the turns for the detail.

    Raises:
        Unusable: there is none, or it has no text.
    """
    for turn in reversed(turns):
        if turn.role in _USER_ROLES:
            return check_text(turn.text, "the last user turn", RejectReason.EMPTY_PROMPT)
    raise Unusable(RejectReason.MISSING_FIELD, f"{at} has no user turn")


def earlier_of(turns: Sequence[Turn]) -> str | None:
    """Returns the last `LONGEST_EARLIER` characters of what was said before the last user turn, None where that is the first.

    Examples:
        >>> earlier_of([Turn("user", "Hi."), Turn("assistant", "Hello!"), Turn("user", "Who are you?")])
        'User: Hi.\\n\\nAssistant: Hello!\\n\\nUser:'
        >>> earlier_of([Turn("system", "Be kind."), Turn("user", "Who are you?")])
    """
    earlier = iter(reversed(turns))
    while (last := next(earlier, None)) is not None and last.role not in _USER_ROLES:
        pass
    said = ["User:"]
    length = 0
    for turn in earlier:
        if length >= LONGEST_EARLIER:
            break
        if turn.role in _SPEAKERS and turn.text.strip():
            said.append(f"{_SPEAKERS[turn.role]}: {turn.text}")
            length += len(turn.text)
    return "\n\n".join(reversed(said))[-LONGEST_EARLIER:].encode("utf-8", "replace").decode() if length else None


def system_of(turns: Iterable[Turn]) -> str | None:
    """Returns what the system and developer turns say, None where they say nothing."""
    return "\n\n".join(turn.text for turn in turns if turn.role in _SYSTEM_ROLES and turn.text) or None


def events(frame: ResponseEvent, answers: Sequence[Answer]) -> tuple[ResponseEvent | Reject, ...]:
    """Returns for each answer the event that `frame` becomes with it, or why there is none."""
    several = len(answers) > 1
    return tuple(
        _event(replace(frame, event_id=f"{frame.event_id}#{place}") if several else frame, answer)
        for place, answer in enumerate(answers)
    )


def _event(frame: ResponseEvent, answer: Answer) -> ResponseEvent | Reject:
    silent = not answer.text.strip()
    if silent and not answer.refusal and answer.acts:
        return Reject(RejectReason.NO_TEXT, f"{answer.at} calls tools or speaks, without text")
    reason = finish_reason(answer.finish_reason)
    hint = "refusal" if answer.refusal else reason if reason in _HINTS else None
    try:
        return replace(
            frame,
            response=check_text(
                (answer.refusal or "") if silent else answer.text, answer.at, RejectReason.EMPTY_RESPONSE
            ),
            finish_reason=check_name(reason, f"{answer.at}: the finish reason"),
            refusal_hint=hint or frame.refusal_hint,
        )
    except Unusable as unusable:
        return unusable.reject


def finish_reason(named: str | None) -> str | None:
    """Returns the name that this reason has here: `stop`, `length`, `tool_calls`, `content_filter`, else as it was logged."""
    return _FINISH_REASONS.get(named.lower(), named) if named else None
