"""References as tables for the terminal: what a monitor takes for normal, and how far its window is from it."""

from collections.abc import Iterable

import numpy as np
from rich.table import Column, Table

from stream.core.detectors import design
from stream.core.events import DriftEvent, Origin, Reference, State
from stream.core.evidence import parts_of_change
from stream.core.reference import fisher
from stream.core.settings import EngineSettings
from stream.core.taxonomy import Taxonomy
from stream.wording import instant, percent, span


def overview(events: Iterable[DriftEvent], taxonomy: Taxonomy) -> Table:
    """One row a monitor: its reference, and how it stands at its last drift event."""
    table = _table("monitor", "state", "reference", "responses", "in force since", "age", "entropy", *taxonomy.names)
    for event in events:
        reference = event.reference
        table.add_row(
            event.monitor,
            event.state.value,
            _origin(reference),
            _size(event),
            _since(reference),
            _age(event),
            f"{reference.entropy:.3f}",
            *_shares(reference.counts),
        )
    return table


def difference(event: DriftEvent, settings: EngineSettings) -> Table:
    """One row a behaviour: counts and shares of reference and window, and its part of what the drift rule sees."""
    made = design(settings)
    window, reference = np.array(event.counts), np.array(event.reference.counts)
    parts, _ = parts_of_change(made, made.channels[0], window, reference)
    table = _table("behaviour", "reference", "share", "window", "share", "change", "part")
    rows = zip(
        settings.taxonomy.names,
        event.reference.counts,
        event.counts,
        _part(reference),
        _part(window),
        parts,
        strict=True,
    )
    for name, had, has, before, now, part in rows:
        change = f"{100 * (now - before):+.1f}"
        table.add_row(name, f"{had:,}", percent(before), f"{has:,}", percent(now), change, percent(float(part)))
    return table


def streams(event: DriftEvent, settings: EngineSettings) -> Table:
    """One row a stream: its share in reference and window, and the p-value of Fisher's exact test between the two."""
    made = design(settings)
    table = _table("stream", "reference", "window", "p", "watched by")
    for place, stream in enumerate(made.streams):
        had, of = _rose(event.reference.counts, stream.up, stream.down)
        has, among = _rose(event.counts, stream.up, stream.down)
        rules = ", ".join(channel.rule.value for channel in made.channels if channel.rows[place])
        p = fisher(has, among, had + has, of + among)
        table.add_row(stream.name, f"{had:,} of {of:,}", f"{has:,} of {among:,}", f"{p:.2g}", rules or "nothing")
    return table


def verdict(event: DriftEvent) -> str:
    """One sentence: what the drift rule makes of it."""
    if event.state in (State.LEARNING, State.UNSTABLE_REFERENCE):
        return f"{event.monitor} is learning ({_size(event)} responses) and judges nothing yet."
    return (
        f"{event.monitor} is {event.state.value}: {event.statistic:.2f} nats of evidence for a change of behaviour since any onset, "
        f"of {event.threshold:.2f} that an alarm needs (response {event.seq:,}, {instant(event.ts)})."
    )


def _table(*headers: str) -> Table:
    return Table(*(Column(header, no_wrap=True) for header in headers), box=None, padding=(0, 2, 0, 0))


def _origin(reference: Reference) -> str:
    growth = (
        "growing" if reference.growing else "never grows" if reference.origin is Origin.FILE else "frozen by an alert"
    )
    return f"{reference.origin.value}, {growth}"


def _size(event: DriftEvent) -> str:
    reference = event.reference
    return f"{reference.n:,}" if reference.since else f"{reference.n:,} of {reference.target:,}"


def _since(reference: Reference) -> str:
    if reference.since is None:
        return "learning"
    return "the start" if reference.since.ts is None else instant(reference.since.ts)


def _age(event: DriftEvent) -> str:
    since = event.reference.since
    if since is None:
        return ""
    responses = f"{event.seq + 1 - since.seq:,} responses"
    return responses if since.ts is None else f"{responses}, {span((event.ts - since.ts) / 1e6)}"


def _part(counts: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> list[float]:
    shares: list[float] = (counts / max(int(counts.sum()), 1)).tolist()
    return shares


def _shares(counts: tuple[int, ...]) -> list[str]:
    return [percent(share) for share in _part(np.array(counts))]


def _rose(counts: tuple[int, ...], up: tuple[int, ...], down: tuple[int, ...]) -> tuple[int, int]:
    risen = sum(counts[category] for category in up)
    return risen, risen + sum(counts[category] for category in down)
