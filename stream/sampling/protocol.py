"""The chat completions API as endpoints really speak it: what is sent, and what can come of it.

Reading is done by pure functions of bytes (`answers`, `refusals`), so that every way an endpoint can misbehave is a test without a network.

Source: OpenAI API reference, "Create chat completion".
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from stream.core.records import Micros, ResponseEvent
from stream.sampling.budget import Usage
from stream.sampling.plan import Ask, Plan


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
