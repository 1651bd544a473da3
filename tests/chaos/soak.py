"""One long run under faults: the audit at its end, and how the memory of the worker that lived longest grew."""

import itertools
import random
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.chaos.audit import Findings, audit
from tests.chaos.campaign import DONE_WITHIN, settle
from tests.chaos.faults import Blow, Fault, Striker
from tests.chaos.rig import Feed, rig

FIRST_MINUTES = 2.0
"""While a worker warms up, its memory grows and says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """What a soak did and found. `slope` is in bytes an hour, of a process that was watched for so many minutes."""

    minutes: float
    blows: tuple[Blow, ...]
    findings: Findings
    slope: float
    watched: float
    memory: int


def run(minutes: float, *, away: float, folder: Path, environment: Mapping[str, str]) -> Soak:
    """Strikes for so many minutes, three workers, one of them never itself the victim."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    chance, done, began = random.Random(0), list[Blow](), time.monotonic()
    with rig(folder, environment) as running:
        for slot in running.slots:
            running.start(slot)
        running.await_ready(running.slots[0])
        feed = Feed(running.kafka, seed=0, turns=1_000_000)
        striker = Striker(running, feed, away=away, spared=0)
        for fault in itertools.cycle(chance.sample(list(Fault), len(Fault))):
            if time.monotonic() - began > 60 * minutes:
                break
            blow = Blow(fault, chance.uniform(2.0, 20.0), chance.randrange(1 << 30))
            striker.strike(blow)
            done.append(blow)
        feed.finish(within=DONE_WITHIN, rest=False)
        settle(running)
        watched_longest = max(running.memory.values(), key=len)
        (folder / "memory.csv").write_text(
            "".join(f"{at:.0f},{held}\n" for at, held in watched_longest), encoding="ascii"
        )
        seconds, weights = zip(*watched_longest, strict=True)
        slope, watched = trend(seconds, weights)
        findings = audit(running.kafka, running.settings)
    return Soak(
        minutes=(time.monotonic() - began) / 60,
        blows=tuple(done),
        findings=findings,
        slope=slope,
        watched=watched,
        memory=weights[-1],
    )


def trend(seconds: Sequence[float], weights: Sequence[int]) -> tuple[float, float]:
    """Bytes an hour by least squares after the first minutes, and for how many minutes."""
    at, held = np.array(seconds), np.array(weights, float)
    kept = at > at[0] + 60 * FIRST_MINUTES
    if kept.sum() < 2:
        return float("nan"), 0.0
    return float(np.polyfit(at[kept] / 3600, held[kept], 1)[0]), float(at[kept][-1] - at[kept][0]) / 60
