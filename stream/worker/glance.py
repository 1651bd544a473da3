"""All monitors at a glance, from their stored states."""

import asyncio
from collections.abc import Mapping

from stream import times
from stream.core.entropy import entropy
from stream.core.monitor import Monitor
from stream.core.settings import EngineSettings
from stream.health import MonitorRow

AT_ONCE = 50
"""States that are read before anything else may run: reading ten thousand must not delay a micro-batch."""


async def rows(states: Mapping[bytes, bytes], settings: EngineSettings) -> list[MonitorRow]:
    """A row for each monitor, by name.

    Raises:
        StateError: a state was written by another version or under other settings.
    """
    found = []
    for place, monitor in enumerate(sorted(states)):
        if place % AT_ONCE == AT_ONCE - 1:
            await asyncio.sleep(0)
        state = states.get(monitor)
        if state is not None:
            found.append(row(monitor.decode(), state, settings))
    return found


def row(name: str, state: bytes, settings: EngineSettings) -> MonitorRow:
    """One monitor at a glance."""
    seen = Monitor.restore(name, settings, state).glance()
    n = sum(seen.counts)
    shares = {each: count / n for each, count in zip(settings.taxonomy.names, seen.counts, strict=True)} if n else {}
    return MonitorRow(
        name=name,
        seq=seen.seq,
        ts=times.render(seen.ts),
        state=seen.state.value,
        entropy=round(entropy(seen.counts), 6),
        shares={behaviour: round(share, 6) for behaviour, share in shares.items()},
    )
