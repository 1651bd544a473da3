"""Responses as they flow between the stages, read, labelled or rejected: frozen values, times in microseconds since the epoch (UTC).

The wire form of each record (names, RFC 3339 times, `schema`) is `stream.codec`'s business.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Micros = int
"""An instant: microseconds since 1970-01-01T00:00:00Z."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseEvent:
    """One (prompt, response) pair, with the time it was given and the model that gave it.

    `prompt` is the last turn of the user; `earlier` is what was said before it in its chat, up to the mark of that turn.
    """

    event_id: str
    ts: Micros
    model: str
    prompt: str
    response: str
    provider: str | None = None
    system: str | None = None
    earlier: str | None = None
    conversation_id: str | None = None
    environment: str | None = None
    finish_reason: str | None = None
    refusal_hint: str | None = None
    attributes: Mapping[str, str]

    @property
    def asked(self) -> str:
        """The prompt with the turns before it, as a person reads it."""
        return f"{self.earlier} {self.prompt}" if self.earlier else self.prompt


@dataclass(frozen=True, slots=True)
class Source:
    """Where records were read: a Kafka topic and partition, or a file's name and 0."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecord:
    """One record as it was read, before anything is understood: its bytes, its place, and the time its source gives it.

    `timestamp` is Kafka's own (when it was produced or appended), never the time of the response inside.
    """

    source: Source
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp: Micros


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """Responses of one monitor from one micro-batch, as columns of equal length n in source order.

    Shapes: `offset` int64 (n,), `ts` int64 (n,) in microseconds, `category` uint8 (n,). `probs` is float32 (n, categories), and
    `confidence`, `energy` float32 (n,) and `truncated` bool (n,) belong to it: all four are None for rows that came already labelled, but
    that these may bring a confidence of their own, NaN where one has none.
    """

    monitor: str
    classifier: str
    source: Source
    offset: npt.NDArray[np.int64]
    event_id: tuple[str, ...]
    ts: npt.NDArray[np.int64]
    category: npt.NDArray[np.uint8]
    probs: npt.NDArray[np.float32] | None = None
    confidence: npt.NDArray[np.float32] | None = None
    energy: npt.NDArray[np.float32] | None = None
    truncated: npt.NDArray[np.bool_] | None = None
    finish_reason: tuple[str | None, ...] = ()
    attributes: Mapping[str, tuple[str | None, ...]]

    def __len__(self) -> int:
        return len(self.event_id)


class RejectReason(StrEnum):
    """Why a record became a dead letter."""

    INVALID_UTF8 = "invalid_utf8"
    INVALID_JSON = "invalid_json"
    NOT_AN_OBJECT = "not_an_object"
    UNKNOWN_FORMAT = "unknown_format"
    UNKNOWN_SCHEMA = "unknown_schema"
    DUPLICATE_FIELD = "duplicate_field"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    NO_TIME = "no_time"
    INVALID_TIME = "invalid_time"
    INVALID_NAME = "invalid_name"
    UNKNOWN_CATEGORY = "unknown_category"
    EMPTY_PROMPT = "empty_prompt"
    EMPTY_RESPONSE = "empty_response"
    NO_TEXT = "no_text"
    NOT_A_RESPONSE = "not_a_response"
    FAILED_CALL = "failed_call"
    CACHE_HIT = "cache_hit"
    TOO_LARGE = "too_large"
    EMPTY_RECORD = "empty_record"
    KILLS_WORKER = "kills_worker"
    TOO_MANY_MONITORS = "too_many_monitors"

    @property
    def skipped(self) -> bool:
        """Whether there is nothing to repair: the record is as it should be, but holds no text of a model to judge."""
        return self in _SKIPPED


_SKIPPED = frozenset(
    {RejectReason.NO_TEXT, RejectReason.NOT_A_RESPONSE, RejectReason.FAILED_CALL, RejectReason.CACHE_HIT}
)


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that cannot be used: the reason as a word, and a detail that names the field but never quotes its text."""

    reason: RejectReason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A rejected record with everything an operator needs to repair and resend it.

    `key`, `value` and `headers` are the original bytes (value None where keeping texts is switched off, or for a Kafka tombstone).
    `ts` is the time that the source gave the record, None where it gave none.
    """

    source: Source
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    reason: RejectReason
    detail: str
    ts: Micros | None
