"""Histories to draw: events of monitors with known counts, entropies and alerts, made by hand rather than by the engine."""

import math
from collections.abc import Sequence

import numpy as np

from stream.core.events import (
    AlertEvent,
    Contributor,
    DriftEvent,
    EntropyEstimate,
    Onset,
    Origin,
    Reason,
    Reference,
    Rule,
    Severity,
    Since,
    State,
    Status,
    WindowSpan,
)
from stream.core.records import Scored, Source

START = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z."""

SECOND = 1_000_000
BEFORE = (45, 3, 40, 10, 2)
AFTER = (20, 3, 40, 35, 2)


def entropy_of(counts: Sequence[int]) -> float:
    total = sum(counts)
    return -sum(count / total * math.log(count / total) for count in counts if count)


def drift(monitor: str, *, seq: int, counts: tuple[int, ...] = BEFORE, state: State = State.OK) -> DriftEvent:
    value = entropy_of(counts)
    return DriftEvent(
        drift_id=f"{seq:016x}",
        monitor=monitor,
        ts=START + seq * SECOND,
        seq=seq,
        n=seq + 1,
        window=WindowSpan(start=START, end=START + seq * SECOND, n=sum(counts), first_seq=0, last_seq=seq),
        counts=counts,
        entropy=EntropyEstimate(value=value, corrected=value, low=value - 0.1, high=value + 0.1),
        traffic_entropy=0.0,
        behaviour_entropy=value,
        delta=None,
        rate=None,
        sigma=None,
        gamma_eff=None,
        statistic=1.0,
        threshold=100.0,
        state=state,
        reference=Reference(
            origin=Origin.LEARNED,
            n=500,
            target=500,
            counts=BEFORE,
            entropy=entropy_of(BEFORE),
            since=Since(seq=1_000, ts=None),
            growing=True,
        ),
    )


def alert(monitor: str, *, seq: int = 620, onset: int = 601, status: Status = Status.FIRING) -> AlertEvent:
    return AlertEvent(
        alert_id=f"a{seq:015x}",
        dedup_key=f"vd:{monitor}:drift",
        status=status,
        severity=Severity.WARNING,
        rule=Rule.DRIFT,
        reason=Reason.BEHAVIOUR_CHANGED if status is Status.FIRING else Reason.RETURNED_TO_REFERENCE,
        monitor=monitor,
        ts=START + seq * SECOND,
        seq=seq,
        starts_at=START + onset * SECOND,
        onset=Onset(
            ts=START + onset * SECOND,
            seq=onset,
            low=START + (onset - 30) * SECOND,
            high=START + (onset + 10) * SECOND,
        ),
        ends_at=None if status is Status.FIRING else START + seq * SECOND,
        n=sum(AFTER),
        entropy=entropy_of(AFTER),
        reference_entropy=entropy_of(BEFORE),
        counts=AFTER,
        reference_counts=BEFORE,
        contributors=(
            Contributor(category="helpful_aligned", reference_share=0.45, share=0.20, contribution=0.3),
            Contributor(category="refusal_excessive", reference_share=0.10, share=0.35, contribution=0.7),
        ),
        statistic=10_321.0,
        threshold=10_000.0,
        false_alarm_interval=10_000,
        classifier="bundle@0123456789ab",
        examples=("e-1", "e-2"),
    )


def scored(monitor: str, categories: Sequence[int], *, first: int = 0) -> Scored:
    n = len(categories)
    return Scored(
        monitor=monitor,
        classifier="bundle@0123456789ab",
        source=Source("chat.jsonl", 0),
        offset=np.arange(first, first + n),
        event_id=tuple(f"e-{first + index}" for index in range(n)),
        ts=START + SECOND * np.arange(first, first + n),
        category=np.array(categories, dtype=np.uint8),
        attributes={},
    )
