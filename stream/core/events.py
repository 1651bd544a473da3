"""What a monitor says: its state stride by stride, and the alerts that its rules open and close; frozen values, as all records are.

Times are in microseconds since the epoch (UTC); counts and shares go by category, in the taxonomy's order.
"""

from dataclasses import dataclass
from enum import StrEnum

from stream.core.records import Micros


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
