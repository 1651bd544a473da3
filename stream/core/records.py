"""What flows between the stages: frozen values, times in microseconds since the epoch (UTC), categories as indexes.

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


class State(StrEnum):
    """What a monitor is doing."""

    LEARNING = "learning"
    OK = "ok"
    PENDING = "pending"
    FIRING = "firing"
    UNSTABLE_REFERENCE = "unstable_reference"


class Status(StrEnum):
    """Whether an alert opens or closes."""

    FIRING = "firing"
    RESOLVED = "resolved"


class Severity(StrEnum):
    """How loudly an alert asks for attention."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Rule(StrEnum):
    """What was judged; the same word in configuration, records and metrics."""

    DRIFT = "drift"
    TRAFFIC_MIX = "traffic_mix"
    ENTROPY_RATE = "entropy_rate"
    ENTROPY_LEVEL = "entropy_level"
    CATEGORY_SHARE = "category_share"
    LOW_CONFIDENCE = "low_confidence"
    NO_DATA = "no_data"
    RIVER = "river"


class Reason(StrEnum):
    """Why an alert was emitted: what was found, or why it is over."""

    BEHAVIOUR_CHANGED = "behaviour_changed"
    BEHAVIOUR_CHANGED_SLOWLY = "behaviour_changed_slowly"
    TRAFFIC_CHANGED = "traffic_changed"
    RATE_ABOVE_EPSILON = "rate_above_epsilon"
    RETURNED_TO_REFERENCE = "returned_to_reference"
    RATE_WITHIN_EPSILON = "rate_within_epsilon"
    ACCEPTED = "accepted"
    ABOVE_LIMIT = "above_limit"
    BELOW_LIMIT = "below_limit"
    WITHIN_LIMIT = "within_limit"
    SILENT = "silent"
    DATA_RETURNED = "data_returned"
    DETECTOR_FOUND = "detector_found"
    NO_FURTHER_CHANGE = "no_further_change"


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSpan:
    """The responses that a number was computed from: times and sequence numbers of the first and last, both included."""

    start: Micros
    end: Micros
    n: int
    first_seq: int
    last_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntropyEstimate:
    """Shannon entropy in nats: plug-in value, bias-corrected estimate, and the interval it lies in with 95 % probability."""

    value: float
    corrected: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """dS/dt as a slope with its 95 % interval, in `unit`."""

    value: float
    low: float
    high: float
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """Responses since a monitor began that stand in no window by age: they came after it, or were ahead of it alone."""

    late: int
    ahead: int


class Origin(StrEnum):
    """Where a reference came from: the monitor's own first responses, a level that a person accepted, or a file."""

    LEARNED = "learned"
    ACCEPTED = "accepted"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """Since when a reference is in force: the first response judged against it, and the time of the one before (None: there is none)."""

    seq: int
    ts: Micros | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The distribution that responses are judged against: where it came from, and its counts by category.

    While it is being learned `n` counts towards `target` and `since` is None. It is `growing` while responses of now will join it.
    """

    origin: Origin
    n: int
    target: int
    counts: tuple[int, ...]
    entropy: float
    since: Since | None
    growing: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftEvent:
    """The state of one monitor after response `seq`: emitted every stride, and at each change of state; `aside` where windows go by age."""

    drift_id: str
    monitor: str
    ts: Micros
    seq: int
    n: int
    window: WindowSpan
    counts: tuple[int, ...]
    entropy: EntropyEstimate
    traffic_entropy: float
    behaviour_entropy: float
    delta: float | None
    rate: Rate | None
    sigma: float | None
    gamma_eff: float | None
    statistic: float
    threshold: float
    state: State
    reference: Reference
    aside: Aside | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Onset:
    """When the change began: best estimate, and the earliest and latest time that agree with the data (90 %)."""

    ts: Micros
    seq: int
    low: Micros
    high: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Contributor:
    """One behaviour's part in an alert: its share before and after the onset, and its part of the statistic (parts add up to 1)."""

    category: str
    reference_share: float
    share: float
    contribution: float


class ValueKind(StrEnum):
    """What a part of a contrast is of: one value, responses without one, or all other values together."""

    VALUE = "value"
    MISSING = "missing"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastPart:
    """One value of an attribute: its share of the change, and the responses of the behaviour among its n since the onset and before."""

    kind: ValueKind
    value: str | None
    share: float
    count: int
    n: int
    count_before: int
    n_before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Where a change of one behaviour sits among the values of an attribute, and what a changed mix of values makes of it (`mix`).

    `n` are the responses since the onset that were looked at.
    """

    attribute: str
    category: str
    n: int
    mix: float
    parts: tuple[ContrastPart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertEvent:
    """A decision of one rule about one monitor, made at response `seq`.

    `counts` are those of the responses since the onset, `reference_counts` those of the reference in force at the decision.
    """

    alert_id: str
    dedup_key: str
    status: Status
    severity: Severity
    rule: Rule
    reason: Reason
    monitor: str
    ts: Micros
    seq: int
    starts_at: Micros
    onset: Onset
    ends_at: Micros | None
    n: int
    entropy: float
    reference_entropy: float
    counts: tuple[int, ...]
    reference_counts: tuple[int, ...]
    contributors: tuple[Contributor, ...]
    statistic: float
    threshold: float
    false_alarm_interval: int | None
    classifier: str
    examples: tuple[str, ...]
    contrasts: tuple[Contrast, ...] = ()
    replay: bool = False


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
