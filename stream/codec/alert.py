"""Alert events on the wire: `valuedrift.alert/1`, keyed by monitor. `replay` is the last field and false when live.

`contrasts` is there only where there are some, so that the bytes are those of before where no attribute is contrasted.
"""

import msgspec

from stream import times
from stream.codec import wire
from stream.core.events import (
    AlertEvent,
    Contrast,
    ContrastPart,
    Contributor,
    Onset,
    Reason,
    Rule,
    Severity,
    Status,
    ValueKind,
)
from stream.errors import RecordError

SCHEMA = "valuedrift.alert/1"


class _Onset(msgspec.Struct, forbid_unknown_fields=True):
    ts: str
    seq: int
    low: str
    high: str


class _Contributor(msgspec.Struct, forbid_unknown_fields=True):
    category: str
    reference_share: float
    share: float
    contribution: float


class _ContrastPart(msgspec.Struct, forbid_unknown_fields=True):
    kind: ValueKind
    value: str | None
    share: float
    count: int
    n: int
    count_before: int
    n_before: int


class _Contrast(msgspec.Struct, forbid_unknown_fields=True):
    attribute: str
    category: str
    n: int
    mix: float
    parts: tuple[_ContrastPart, ...]


class _Alert(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, tag_field="schema", tag=SCHEMA):
    alert_id: str
    dedup_key: str
    status: Status
    severity: Severity
    rule: Rule
    reason: Reason
    monitor: str
    ts: str
    seq: int
    starts_at: str
    onset: _Onset
    ends_at: str | None
    n: int
    entropy: float
    reference_entropy: float
    counts: tuple[int, ...]
    reference_counts: tuple[int, ...]
    contributors: tuple[_Contributor, ...]
    statistic: float
    threshold: float
    false_alarm_interval: int | None
    classifier: str
    examples: tuple[str, ...]
    contrasts: tuple[_Contrast, ...] | msgspec.UnsetType = msgspec.UNSET
    replay: bool


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(_Alert)


def encode_alert(event: AlertEvent) -> bytes:
    """Returns the event as JSON: the same bytes for the same event, on every machine. Its numbers are rounded already.

    Raises:
        ValueError: a number is not finite.
    """
    wire.check_finite(event.entropy, event.reference_entropy, event.statistic, event.threshold)
    return _ENCODER.encode(
        _Alert(
            alert_id=event.alert_id,
            dedup_key=event.dedup_key,
            status=event.status,
            severity=event.severity,
            rule=event.rule,
            reason=event.reason,
            monitor=event.monitor,
            ts=times.render(event.ts),
            seq=event.seq,
            starts_at=times.render(event.starts_at),
            onset=_onset(event.onset),
            ends_at=None if event.ends_at is None else times.render(event.ends_at),
            n=event.n,
            entropy=event.entropy,
            reference_entropy=event.reference_entropy,
            counts=event.counts,
            reference_counts=event.reference_counts,
            contributors=tuple(map(_contributor, event.contributors)),
            statistic=event.statistic,
            threshold=event.threshold,
            false_alarm_interval=event.false_alarm_interval,
            classifier=event.classifier,
            examples=event.examples,
            contrasts=tuple(map(_contrast, event.contrasts)) or msgspec.UNSET,
            replay=event.replay,
        )
    )


def _onset(onset: Onset) -> _Onset:
    return _Onset(times.render(onset.ts), onset.seq, times.render(onset.low), times.render(onset.high))


def _contributor(part: Contributor) -> _Contributor:
    wire.check_finite(part.reference_share, part.share, part.contribution)
    return _Contributor(part.category, part.reference_share, part.share, part.contribution)


def _contrast(contrast: Contrast) -> _Contrast:
    wire.check_finite(contrast.mix, *(part.share for part in contrast.parts))
    parts = tuple(
        _ContrastPart(part.kind, part.value, part.share, part.count, part.n, part.count_before, part.n_before)
        for part in contrast.parts
    )
    return _Contrast(contrast.attribute, contrast.category, contrast.n, contrast.mix, parts)


def _read_contrasts(contrasts: tuple[_Contrast, ...] | msgspec.UnsetType) -> tuple[Contrast, ...]:
    if isinstance(contrasts, msgspec.UnsetType):
        return ()
    return tuple(
        Contrast(
            attribute=each.attribute,
            category=each.category,
            n=each.n,
            mix=each.mix,
            parts=tuple(
                ContrastPart(
                    kind=part.kind,
                    value=part.value,
                    share=part.share,
                    count=part.count,
                    n=part.n,
                    count_before=part.count_before,
                    n_before=part.n_before,
                )
                for part in each.parts
            ),
        )
        for each in contrasts
    )


def decode_alert(content: bytes) -> AlertEvent:
    """Returns the event that `encode_alert` wrote.

    Raises:
        UnknownSchemaError: the record is of another kind or version.
        RecordError: the record is damaged.
    """
    record = wire.decode(content, _DECODER, SCHEMA)
    try:
        ts = times.parse(record.ts)
        starts_at = times.parse(record.starts_at)
        ends_at = None if record.ends_at is None else times.parse(record.ends_at)
        onset = Onset(
            ts=times.parse(record.onset.ts),
            seq=record.onset.seq,
            low=times.parse(record.onset.low),
            high=times.parse(record.onset.high),
        )
    except ValueError as error:
        raise RecordError(f"a record of {SCHEMA} cannot be read: {error}") from None
    return AlertEvent(
        alert_id=record.alert_id,
        dedup_key=record.dedup_key,
        status=record.status,
        severity=record.severity,
        rule=record.rule,
        reason=record.reason,
        monitor=record.monitor,
        ts=ts,
        seq=record.seq,
        starts_at=starts_at,
        onset=onset,
        ends_at=ends_at,
        n=record.n,
        entropy=record.entropy,
        reference_entropy=record.reference_entropy,
        counts=record.counts,
        reference_counts=record.reference_counts,
        contributors=tuple(
            Contributor(
                category=part.category,
                reference_share=part.reference_share,
                share=part.share,
                contribution=part.contribution,
            )
            for part in record.contributors
        ),
        statistic=record.statistic,
        threshold=record.threshold,
        false_alarm_interval=record.false_alarm_interval,
        classifier=record.classifier,
        examples=record.examples,
        contrasts=_read_contrasts(record.contrasts),
        replay=record.replay,
    )
