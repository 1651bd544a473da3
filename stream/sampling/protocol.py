"""The chat completions API as endpoints really speak it: what is sent, and what an answer or a refusal means.

Pure functions of bytes, so that every way an endpoint can misbehave is a test without a network. Reading an answer is
`stream.formats.openai_chat`'s work: a probe's events are those that a gateway's log of the same exchange would give.

Source: OpenAI API reference, "Create chat completion" and "Error codes"; RFC 9110, "Retry-After".
"""

from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Literal

import msgspec

from stream import times
from stream.core.records import Micros, Reject, RejectReason, ResponseEvent
from stream.formats import openai_chat
from stream.formats.fields import Fallback, Unusable, parse_object
from stream.sampling.budget import Usage
from stream.sampling.plan import Ask, Plan

_OVERLOADED = (408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529)
_REFUSALS_OF_ALL = (401, 403, 404, 429)
_FILTERED = ("content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation")
_LONGEST_QUOTE = 200
_SHARED = 16
"""A message of the endpoint that repeats this many characters of a prompt is not shown."""


class Trouble(StrEnum):
    """Why a request brought no answer, though the same request may bring one later."""

    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    TIMED_OUT = "timed_out"
    DISCONNECTED = "disconnected"
    MALFORMED = "malformed"
    EMPTY = "empty_choices"


class Unanswered(StrEnum):
    """Why a probe has no text, and never will have: asking again would only spend money."""

    CONTENT_FILTER = "content_filter"
    TOO_LONG = "prompt_too_long"
    EMPTY_RESPONSE = "empty_response"
    NO_TEXT = "no_text"


@dataclass(frozen=True, slots=True)
class Dialect:
    """What an endpoint was found to understand; it begins with everything and drops what is refused.

    `most` is how many answers one request may ask for (`n`).
    """

    most: int = 10
    seed: bool = True
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What an answer's events get from their round: its name, when the answer came, and the environment they are filed under."""

    round_name: str
    ts: Micros
    environment: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request brought, for the first indexes of its ask: events, and indexes without a text."""

    events: tuple[ResponseEvent, ...]
    unanswered: tuple[tuple[int, Unanswered], ...]
    usage: Usage

    @property
    def brought(self) -> int:
        """How many of the ask's indexes are done with."""
        return len(self.events) + len(self.unanswered)


@dataclass(frozen=True, slots=True)
class Retry:
    """Ask again, after `after` seconds where the endpoint said so."""

    trouble: Trouble
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Speak:
    """Ask again at once, in another dialect."""

    dialect: Dialect


@dataclass(frozen=True, slots=True)
class Skip:
    """This prompt gets no answer here."""

    reason: Unanswered


@dataclass(frozen=True, slots=True)
class Stop:
    """No request can succeed until a person changes something; the message says what."""

    message: str


Verdict = Answer | Retry | Speak | Skip | Stop


def body(plan: Plan, ask: Ask, dialect: Dialect) -> dict[str, object]:
    """Returns the JSON object to send."""
    messages = [{"role": "system", "content": ask.prompt.system}] if ask.prompt.system else []
    sent: dict[str, object] = {
        "model": plan.model,
        "messages": [*messages, {"role": "user", "content": ask.prompt.text}],
        "temperature": plan.temperature,
        dialect.limit: plan.max_tokens,
    }
    if plan.top_p is not None:
        sent["top_p"] = plan.top_p
    if (n := min(dialect.most, len(ask.indexes))) > 1:
        sent["n"] = n
    if dialect.seed and ask.seed is not None:
        sent["seed"] = ask.seed
    return sent


def worst(plan: Plan, ask: Ask, dialect: Dialect) -> Usage:
    """Returns the most tokens that the request can take: a token is at least a byte, and a chat template adds some marks."""
    read = len((ask.prompt.text + (ask.prompt.system or "")).encode()) + 64
    return Usage(read, plan.max_tokens * min(dialect.most, len(ask.indexes)))


def read_answer(content: bytes, *, plan: Plan, ask: Ask, dialect: Dialect, frame: Frame) -> Answer | Retry:
    """Returns what a response of status 200 brought, or why it has to be asked for again."""
    sent = body(plan, ask, dialect)
    try:
        fields = parse_object(content)
        completion = msgspec.convert(fields, _Completion)
        fields["choices"] = _first(fields, min(dialect.most, len(ask.indexes)))
        if not completion.choices:
            return Retry(Trouble.EMPTY)
        found = openai_chat.decode(
            {
                "request": sent,
                "response": fields,
                "ts": times.render(frame.ts),
                "environment": frame.environment,
                "attributes": _attributes(plan, ask, dialect, frame),
            },
            Fallback("probe", frame.ts),
        )
    except (Unusable, msgspec.ValidationError):
        return Retry(Trouble.MALFORMED)
    events: list[ResponseEvent] = []
    unanswered: list[tuple[int, Unanswered]] = []
    for index, choice, event in zip(ask.indexes, completion.choices, found, strict=False):
        if isinstance(event, Reject):
            if event.reason not in (RejectReason.EMPTY_RESPONSE, RejectReason.NO_TEXT):
                return Retry(Trouble.MALFORMED)
            unanswered.append((index, _why(choice, event)))
        else:
            attributes = {**event.attributes, "probe_index": str(index)}
            identifier = f"{frame.round_name}/{ask.prompt.id}/{index}"
            events.append(replace(event, event_id=identifier, attributes=attributes))
    return Answer(tuple(events), tuple(unanswered), _usage(completion.usage, ask, events))


def _first(fields: dict[str, object], wanted: int) -> list[object]:
    """The choices that were asked for; an endpoint that sends more is not believed about the rest."""
    choices = fields.get("choices")
    return choices[:wanted] if isinstance(choices, list) else []


def _attributes(plan: Plan, ask: Ask, dialect: Dialect, frame: Frame) -> dict[str, str]:
    known = {
        "probe_round": frame.round_name,
        "probe_plan": plan.fingerprint,
        "probe_prompt": ask.prompt.id,
        "probe_kind": ask.prompt.kind.value,
        "temperature": str(plan.temperature),
    }
    return known | ({"seed": str(ask.seed)} if dialect.seed and ask.seed is not None else {})


def _why(choice: "_Choice", reject: Reject) -> Unanswered:
    if choice.finish_reason == "content_filter":
        return Unanswered.CONTENT_FILTER
    return Unanswered.NO_TEXT if reject.reason is RejectReason.NO_TEXT else Unanswered.EMPTY_RESPONSE


def _usage(stated: "_Usage | None", ask: Ask, events: list[ResponseEvent]) -> Usage:
    """Tokens as the endpoint counts them; else a third of the bytes, more than any common tokenizer makes of a text."""
    if stated is not None and stated.prompt_tokens is not None and stated.completion_tokens is not None:
        return Usage(stated.prompt_tokens, stated.completion_tokens)
    read = len((ask.prompt.text + (ask.prompt.system or "")).encode())
    written = sum(len(event.response.encode()) for event in events)
    return Usage(-(-read // 3), -(-written // 3), estimated=True)


def read_error(
    status: int, content: bytes, retry_after: str | None, *, now: Micros, ask: Ask, dialect: Dialect
) -> Retry | Speak | Skip | Stop:
    """Returns what to do about a response of another status than 200."""
    error = _error(content)
    if status in _OVERLOADED and error.word != "insufficient_quota":
        trouble = Trouble.RATE_LIMITED if status == 429 else Trouble.SERVER_ERROR
        return Retry(trouble, _seconds(retry_after, now))
    if status in _REFUSALS_OF_ALL or status < 400:
        return Stop(_all_refused(status, error))
    if any(mark in content.decode("utf-8", "replace") for mark in _FILTERED):
        return Skip(Unanswered.CONTENT_FILTER)
    if status == 413 or "context_length" in error.word or "context_size" in error.word:
        return Skip(Unanswered.TOO_LONG)
    if (other := _other_dialect(error, dialect, ask)) is not None:
        return Speak(other)
    return Stop(f"refused the request (HTTP {status}{_spell(error.word)}){_quote(error.message, ask)}")


def _all_refused(status: int, error: "_Error") -> str:
    """What to tell a person about a refusal that meets every request alike."""
    if status == 429:
        return "says that the account behind the key has no credit left (insufficient_quota); top it up, then run the same command again"
    if status in (401, 403):
        what = "refused the key" if status == 401 else "does not allow this key to do that"
        return f"{what} (HTTP {status}); the key is read from the variable that --api-key-env names, OPENAI_API_KEY by default"
    if status == 404 and "model" in (error.word + error.message).lower():
        return f"does not serve the model that --model names (HTTP 404{_spell(error.word)})"
    if status == 404:
        return "has no chat completions under this address (HTTP 404); --endpoint usually ends in /v1"
    return f"redirects (HTTP {status}); give the final address with --endpoint"


def _other_dialect(error: "_Error", dialect: Dialect, ask: Ask) -> Dialect | None:
    """The dialect without the parameter that the endpoint complains of, None where it names none that can be left out."""
    complaint = error.param or error.message
    if "max_tokens" in complaint and dialect.limit == "max_tokens":
        return replace(dialect, limit="max_completion_tokens")
    if "seed" in complaint and dialect.seed and ask.seed is not None:
        return replace(dialect, seed=False)
    words = complaint.replace("'", " ").replace('"', " ").replace("`", " ").replace(",", " ").replace(":", " ").split()
    asked = min(dialect.most, len(ask.indexes))
    if asked > 1 and ("n" in words or "n_cmpl" in words):
        return replace(dialect, most=asked // 2)  # some allow several, but not so many
    return None


def _seconds(retry_after: str | None, now: Micros) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or as a date; None where it says nothing that can be read."""
    if retry_after is None:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - now / 1e6)
    except ValueError:
        return None


def _spell(word: str) -> str:
    """A code in a message for people, if it looks like a code."""
    return f", {word}" if word and len(word) <= 60 and word.replace("_", "").replace("-", "").isalnum() else ""


def _quote(message: str, ask: Ask) -> str:
    """The endpoint's own words, unless they repeat a piece of the prompt: texts are never shown."""
    said = " ".join(message.split())[:_LONGEST_QUOTE]
    texts = ask.prompt.text + "\n" + (ask.prompt.system or "")
    repeats = any(said[at : at + _SHARED] in texts for at in range(max(1, len(said) - _SHARED + 1)))
    return f": {said}" if said and said.isprintable() and not repeats else ""


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Choice(msgspec.Struct):
    finish_reason: str | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


class _Error(msgspec.Struct):
    message: str = ""
    type: str | None = None
    param: str | None = None
    code: str | int | None = None

    @property
    def word(self) -> str:
        """The error's name: `code` where that is a word, else `type`."""
        return self.code if isinstance(self.code, str) else self.type or ""


class _ErrorBody(msgspec.Struct):
    error: _Error | str = ""
    message: str = ""
    detail: object = None


def _error(content: bytes) -> _Error:
    """What the body says; endpoints nest it under `error` (OpenAI), or not (vLLM before 0.10), or call it `detail` (FastAPI)."""
    try:
        found = msgspec.json.decode(content, type=_ErrorBody)
        if isinstance(found.error, _Error):
            return found.error
        if found.error or found.detail is not None:
            return _Error(message=found.error or str(found.detail))
        return msgspec.json.decode(content, type=_Error)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Error()
