"""What to do about a response of any other status than 200.

Source: OpenAI API reference, "Error codes"; RFC 9110, "Retry-After"; the error bodies of vLLM, llama.cpp and Azure OpenAI.
"""

from dataclasses import replace
from email.utils import parsedate_to_datetime

import msgspec

from stream.core.records import Micros
from stream.sampling.plan import Ask
from stream.sampling.protocol import Dialect, Retry, Skip, Speak, Stop, Trouble, Unanswered

_OVERLOADED = (408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529)

_REFUSALS_OF_ALL = (401, 403, 404, 429)

_FILTERED = ("content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation")

_LONGEST_QUOTE = 200

_SHARED = 16
"""A message of the endpoint that repeats this many characters of a prompt is not shown."""


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
