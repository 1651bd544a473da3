"""Drift events on the wire: `valuedrift.drift/1`, keyed by monitor. `aside` is there only where windows go by age."""

import msgspec

from stream import times
from stream.codec import wire
from stream.core.events import Aside, DriftEvent, EntropyEstimate, Origin, Rate, Reference, Since, State, WindowSpan
from stream.errors import RecordError

SCHEMA = "valuedrift.drift/1"


class _Window(msgspec.Struct, forbid_unknown_fields=True):
    from_: str = msgspec.field(name="from")
    to: str
    n: int
    first_seq: int
    last_seq: int


class _Entropy(msgspec.Struct, forbid_unknown_fields=True):
    value: float
    corrected: float
    low: float
    high: float


class _Rate(msgspec.Struct, forbid_unknown_fields=True):
    value: float
    low: float
    high: float
    unit: str


class _Since(msgspec.Struct, forbid_unknown_fields=True):
    seq: int
    ts: str | None


class _Reference(msgspec.Struct, forbid_unknown_fields=True):
    origin: Origin
    n: int
    target: int
    counts: tuple[int, ...]
    entropy: float
    since: _Since | None
    growing: bool


class _Aside(msgspec.Struct, forbid_unknown_fields=True):
    late: int
    ahead: int


class _Drift(msgspec.Struct, forbid_unknown_fields=True, tag_field="schema", tag=SCHEMA):
    drift_id: str
    monitor: str
    ts: str
    seq: int
    n: int
    window: _Window
    counts: tuple[int, ...]
    entropy: _Entropy
    traffic_entropy: float
    behaviour_entropy: float
    delta: float | None
    rate: _Rate | None
    sigma: float | None
    gamma_eff: float | None
    statistic: float
    threshold: float
    state: State
    reference: _Reference
    aside: _Aside | msgspec.UnsetType = msgspec.UNSET


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(_Drift)


def encode_drift(event: DriftEvent) -> bytes:
    """Returns the event as JSON: the same bytes for the same event, on every machine. Its numbers are rounded already.

    Raises:
        ValueError: a number is not finite.
    """
    window, entropy, rate, reference = event.window, event.entropy, event.rate, event.reference
    numbers = (entropy.value, entropy.corrected, entropy.low, entropy.high)
    slope = () if rate is None else (rate.value, rate.low, rate.high)
    wire.check_finite(
        *numbers,
        event.traffic_entropy,
        event.behaviour_entropy,
        event.delta,
        *slope,
        event.sigma,
        event.gamma_eff,
        event.statistic,
        event.threshold,
        reference.entropy,
    )
    return _ENCODER.encode(
        _Drift(
            event.drift_id,
            event.monitor,
            times.render(event.ts),
            event.seq,
            event.n,
            _Window(times.render(window.start), times.render(window.end), window.n, window.first_seq, window.last_seq),
            event.counts,
            _Entropy(*numbers),
            event.traffic_entropy,
            event.behaviour_entropy,
            event.delta,
            None if rate is None else _Rate(rate.value, rate.low, rate.high, rate.unit),
            event.sigma,
            event.gamma_eff,
            event.statistic,
            event.threshold,
            event.state,
            _reference(reference),
            msgspec.UNSET if event.aside is None else _Aside(event.aside.late, event.aside.ahead),
        )
    )


def _reference(reference: Reference) -> _Reference:
    since = reference.since
    return _Reference(
        reference.origin,
        reference.n,
        reference.target,
        reference.counts,
        reference.entropy,
        None if since is None else _Since(since.seq, None if since.ts is None else times.render(since.ts)),
        reference.growing,
    )


def decode_drift(content: bytes) -> DriftEvent:
    """Returns the event that `encode_drift` wrote.

    Raises:
        UnknownSchemaError: the record is of another kind or version.
        RecordError: the record is damaged.
    """
    record = wire.decode(content, _DECODER, SCHEMA)
    window, entropy, rate, reference = record.window, record.entropy, record.rate, record.reference
    try:
        span = WindowSpan(
            start=times.parse(window.from_),
            end=times.parse(window.to),
            n=window.n,
            first_seq=window.first_seq,
            last_seq=window.last_seq,
        )
        ts = times.parse(record.ts)
        since = None if reference.since is None else _since(reference.since)
    except ValueError as error:
        raise RecordError(f"a record of {SCHEMA} cannot be read: {error}") from None
    return DriftEvent(
        drift_id=record.drift_id,
        monitor=record.monitor,
        ts=ts,
        seq=record.seq,
        n=record.n,
        window=span,
        counts=record.counts,
        entropy=EntropyEstimate(value=entropy.value, corrected=entropy.corrected, low=entropy.low, high=entropy.high),
        traffic_entropy=record.traffic_entropy,
        behaviour_entropy=record.behaviour_entropy,
        delta=record.delta,
        rate=None if rate is None else Rate(value=rate.value, low=rate.low, high=rate.high, unit=rate.unit),
        sigma=record.sigma,
        gamma_eff=record.gamma_eff,
        statistic=record.statistic,
        threshold=record.threshold,
        state=record.state,
        reference=Reference(
            origin=reference.origin,
            n=reference.n,
            target=reference.target,
            counts=reference.counts,
            entropy=reference.entropy,
            since=since,
            growing=reference.growing,
        ),
        aside=None
        if isinstance(record.aside, msgspec.UnsetType)
        else Aside(late=record.aside.late, ahead=record.aside.ahead),
    )


def _since(since: _Since) -> Since:
    return Since(seq=since.seq, ts=None if since.ts is None else times.parse(since.ts))
