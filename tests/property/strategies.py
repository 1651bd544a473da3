"""Random records: everything that the types allow and a careful producer might send."""

import numpy as np
from hypothesis import strategies as st

from stream import times
from stream.core.control import Accept, Learn, Tick
from stream.core.events import (
    AlertEvent,
    Aside,
    Contrast,
    ContrastPart,
    Contributor,
    DriftEvent,
    EntropyEstimate,
    Onset,
    Origin,
    Rate,
    Reason,
    Reference,
    Rule,
    Severity,
    Since,
    State,
    Status,
    ValueKind,
    WindowSpan,
)
from stream.core.records import DeadLetter, RejectReason, Scored, Source
from stream.core.taxonomy import PAPER

TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
INSTANT = st.integers(times.EARLIEST, times.LATEST - 1)
COUNT = st.integers(0, 2**53)
NUMBER = st.floats(-1e12, 1e12, allow_nan=False).map(lambda value: float(f"{value:.9g}") + 0.0)
"""As it is after it was written once: with 9 significant digits."""

COUNTS = st.tuples(*[COUNT] * 5)
SOURCE = st.builds(Source, topic=TEXT, partition=st.integers(0, 10_000))
ESTIMATE = st.builds(EntropyEstimate, value=NUMBER, corrected=NUMBER, low=NUMBER, high=NUMBER)

DRIFT = st.builds(
    DriftEvent,
    drift_id=TEXT,
    monitor=TEXT,
    ts=INSTANT,
    seq=COUNT,
    n=COUNT,
    window=st.builds(WindowSpan, start=INSTANT, end=INSTANT, n=COUNT, first_seq=COUNT, last_seq=COUNT),
    counts=COUNTS,
    entropy=ESTIMATE,
    traffic_entropy=NUMBER,
    behaviour_entropy=NUMBER,
    delta=st.none() | NUMBER,
    rate=st.none() | st.builds(Rate, value=NUMBER, low=NUMBER, high=NUMBER, unit=TEXT),
    sigma=st.none() | NUMBER,
    gamma_eff=st.none() | NUMBER,
    statistic=NUMBER,
    threshold=NUMBER,
    state=st.sampled_from(State),
    reference=st.builds(
        Reference,
        origin=st.sampled_from(Origin),
        n=COUNT,
        target=COUNT,
        counts=COUNTS,
        entropy=NUMBER,
        since=st.none() | st.builds(Since, seq=COUNT, ts=st.none() | INSTANT),
        growing=st.booleans(),
    ),
    aside=st.none() | st.builds(Aside, late=COUNT, ahead=COUNT),
)

ORDER = st.builds(
    Accept, control_id=TEXT, monitor=TEXT, ts=INSTANT, learn=st.sampled_from(Learn), source=SOURCE, offset=COUNT
) | st.builds(Tick, monitor=TEXT, ts=INSTANT, source=SOURCE, offset=COUNT)

ALERT = st.builds(
    AlertEvent,
    alert_id=TEXT,
    dedup_key=TEXT,
    status=st.sampled_from(Status),
    severity=st.sampled_from(Severity),
    rule=st.sampled_from(Rule),
    reason=st.sampled_from(Reason),
    monitor=TEXT,
    ts=INSTANT,
    seq=COUNT,
    starts_at=INSTANT,
    onset=st.builds(Onset, ts=INSTANT, seq=COUNT, low=INSTANT, high=INSTANT),
    ends_at=st.none() | INSTANT,
    n=COUNT,
    entropy=NUMBER,
    reference_entropy=NUMBER,
    counts=COUNTS,
    reference_counts=COUNTS,
    contributors=st.lists(
        st.builds(Contributor, category=TEXT, reference_share=NUMBER, share=NUMBER, contribution=NUMBER), max_size=5
    ).map(tuple),
    statistic=NUMBER,
    threshold=NUMBER,
    false_alarm_interval=st.none() | COUNT,
    classifier=TEXT,
    examples=st.lists(TEXT, max_size=3).map(tuple),
    contrasts=st.lists(
        st.builds(
            Contrast,
            attribute=TEXT,
            category=TEXT,
            n=COUNT,
            mix=NUMBER,
            parts=st.lists(
                st.builds(
                    ContrastPart,
                    kind=st.sampled_from(ValueKind),
                    value=st.none() | TEXT,
                    share=NUMBER,
                    count=COUNT,
                    n=COUNT,
                    count_before=COUNT,
                    n_before=COUNT,
                ),
                max_size=3,
            ).map(tuple),
        ),
        max_size=4,
    ).map(tuple),
    replay=st.booleans(),
)

DEAD_LETTER = st.builds(
    DeadLetter,
    source=SOURCE,
    offset=COUNT,
    key=st.none() | st.binary(max_size=40),
    value=st.none() | st.binary(max_size=400),
    headers=st.lists(st.tuples(TEXT, st.binary(max_size=40)), max_size=3).map(tuple),
    reason=st.sampled_from(RejectReason),
    detail=TEXT,
    ts=st.none() | INSTANT,
)


@st.composite
def scored_records(draw: st.DrawFn) -> Scored:
    """Scored records of 0 to 40 responses, with and without the classifier's own columns."""
    n = draw(st.integers(0, 40))
    seed = np.random.default_rng(draw(st.integers(0, 2**32)))
    step = draw(st.sampled_from([1, 1000, 1_000_000]))
    judged = draw(st.booleans())
    probs = seed.dirichlet(np.ones(len(PAPER)), n).astype(np.float32)
    names = st.lists(st.none() | TEXT, min_size=n, max_size=n).map(tuple)
    return Scored(
        monitor=draw(TEXT),
        classifier=draw(TEXT),
        source=draw(SOURCE),
        offset=np.sort(seed.integers(0, 2**62, n)),
        event_id=tuple(draw(st.lists(TEXT, min_size=n, max_size=n))),
        ts=seed.integers(times.EARLIEST // step, times.LATEST // step, n) * step,
        category=seed.integers(0, len(PAPER), n).astype(np.uint8),
        probs=probs if judged else None,
        confidence=probs.max(axis=1, initial=0) if judged else None,
        energy=seed.normal(0, 10, n).astype(np.float32) if judged else None,
        truncated=seed.random(n) < 0.3 if judged else None,
        finish_reason=draw(names) if judged else (),
        attributes={"version": draw(names)} if draw(st.booleans()) else {},
    )
