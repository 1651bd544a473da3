"""Alert events: their identity, what they say of the responses since the onset, and their life from firing to resolved.

An alert fires once for a monitor and rule and holds; while it holds its reference does not grow and no second one fires. Ids are hashes of
what was decided, so that a repeated delivery or a replay gives the same ones.
"""

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stream.core.entropy import entropy
from stream.core.events import AlertEvent, Contributor, Onset, Reason, Rule, Severity, Status
from stream.core.records import Micros
from stream.core.taxonomy import Taxonomy

_Counts = npt.NDArray[np.int64]
_Shares = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """An alert that fired and has not resolved: what its resolution must repeat, and the counts (k,) of the level that it holds at."""

    seq: int
    starts_at: Micros
    severity: Severity
    onset: Onset
    level: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in the log something was decided, and by which classifier's labels."""

    monitor: str
    event_id: str
    ts: Micros
    seq: int
    classifier: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Finding:
    """What a rule decided and on what grounds, before it is given an identity; counts and `contribution` have shape (k,).

    `category` is what it is about where a rule is judged for each behaviour on its own; `name` tells rules of one kind apart.
    """

    rule: Rule
    status: Status
    reason: Reason
    severity: Severity
    starts_at: Micros
    onset: Onset
    counts: _Counts
    reference_counts: _Counts
    contribution: _Shares
    statistic: float
    threshold: float
    false_alarm_interval: int | None
    examples: tuple[str, ...] = ()
    category: int | None = None
    name: str | None = None

    def key(self, taxonomy: Taxonomy) -> str:
        """What the alert is about, within its monitor: the rule, and the behaviour where a rule is judged for each, or its name."""
        if self.name is not None:
            return key_of(self.rule, self.name)
        return key_of(self.rule, None if self.category is None else taxonomy.names[self.category])


def key_of(rule: Rule, about: str | None = None) -> str:
    """What an alert of this rule is about, within its monitor; `about` where the rule is judged for each of several things."""
    return rule.value if about is None else f"{rule.value}:{about}"


def closing(finding: Finding, alarm: Open, reason: Reason) -> Finding:
    """The finding that closes this alert for this reason: its evidence is that of now, its severity, start and onset the alert's own."""
    return replace(
        finding,
        status=Status.RESOLVED,
        reason=reason,
        severity=alarm.severity,
        starts_at=alarm.starts_at,
        onset=alarm.onset,
        examples=(),
    )


def digits(value: float) -> float:
    """The value to 9 significant digits, as records carry it, so that machines whose last bits differ write the same bytes.

    Examples:
        >>> digits(2 / 3), digits(0.1 + 0.2), digits(-0.0)
        (0.666666667, 0.3, 0.0)
    """
    return float(f"{value:.9g}") + 0.0


def identity(*parts: object) -> str:
    """32 hex digits that name these parts: the same on every machine and in every replay."""
    return hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).hexdigest()[:32]


def alert(finding: Finding, place: Place, taxonomy: Taxonomy) -> AlertEvent:
    """The event that says what was found at this place, contributors in order of their part."""
    n, key = int(finding.counts.sum()), finding.key(taxonomy)
    return AlertEvent(
        alert_id=identity(place.monitor, key, place.event_id, place.seq, finding.status),
        dedup_key=f"vd:{place.monitor}:{key}",
        status=finding.status,
        severity=finding.severity,
        rule=finding.rule,
        reason=finding.reason,
        monitor=place.monitor,
        ts=place.ts,
        seq=place.seq,
        starts_at=finding.starts_at,
        onset=finding.onset,
        ends_at=place.ts if finding.status is Status.RESOLVED else None,
        n=n,
        entropy=digits(entropy(finding.counts)),
        reference_entropy=digits(entropy(finding.reference_counts)),
        counts=tuple(finding.counts.tolist()),
        reference_counts=tuple(finding.reference_counts.tolist()),
        contributors=_contributors(finding, taxonomy),
        statistic=digits(finding.statistic),
        threshold=digits(finding.threshold),
        false_alarm_interval=finding.false_alarm_interval,
        classifier=place.classifier,
        examples=finding.examples,
    )


def _contributors(finding: Finding, taxonomy: Taxonomy) -> tuple[Contributor, ...]:
    now = finding.counts / max(int(finding.counts.sum()), 1)
    before = finding.reference_counts / max(int(finding.reference_counts.sum()), 1)
    order = np.argsort(-finding.contribution, kind="stable").tolist()
    return tuple(
        Contributor(
            category=taxonomy.names[category],
            reference_share=digits(before[category]),
            share=digits(now[category]),
            contribution=digits(finding.contribution[category]),
        )
        for category in order
    )
