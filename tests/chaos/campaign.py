"""One seed: strike, heal, wait until nothing is left to do, audit."""

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from stream.errors import ValueDriftError
from tests.chaos.audit import Findings, audit, behind, overrun
from tests.chaos.faults import GRACE, Blow, Striker
from tests.chaos.rig import Feed, Rig, rig
from tests.integration.processes import eventually

DONE_WITHIN = 240.0
"""Seconds until everything that was sent must be processed after the last fault has healed."""

LOOK_WITHIN = 10.0
"""Seconds until a broker that has just started must let us look at commits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a seed did and what was found; `folder` holds the artefacts."""

    seed: int
    blows: tuple[Blow, ...]
    findings: Findings
    unclean: tuple[str, ...]
    restarts: int
    seconds: float
    folder: Path

    @property
    def clean(self) -> bool:
        return self.findings.clean


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to happen: faults, workers at first, seconds that a stopped broker stays away, and turns of behaviour."""

    seed: int
    blows: tuple[Blow, ...]
    workers: int = 2
    away: float = 60.0
    turns: int = 3


def run(plan: Plan, *, folder: Path, environment: Mapping[str, str]) -> Outcome:
    """Runs a plan in a folder that is made anew. Kafka's data stay in it if the audit finds anything."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = time.monotonic()
    with rig(folder, environment) as running:
        for slot in running.slots[: plan.workers]:
            running.start(slot)
        running.await_ready(running.slots[0])
        feed = Feed(running.kafka, seed=plan.seed, turns=plan.turns)
        striker = Striker(running, feed, away=plan.away)
        too_far = 0
        for blow in plan.blows:
            striker.strike(blow)
            too_far += _overrun(running)
        running.note("-- healed")
        feed.finish(within=DONE_WITHIN)
        settle(running)
        findings = audit(running.kafka, running.settings)
        outcome = Outcome(
            seed=plan.seed,
            blows=plan.blows,
            findings=_with(findings, too_far),
            unclean=tuple(striker.unclean),
            restarts=sum(max(0, slot.starts - 1) for slot in running.slots),
            seconds=time.monotonic() - began,
            folder=folder,
        )
        running.note(f"{outcome.findings} {outcome.unclean}")
    if outcome.clean:
        shutil.rmtree(folder / "kafka")
    return outcome


def _overrun(running: Rig) -> int:
    """Records that are committed too far, looked at as soon as Kafka answers."""
    found: list[int] = []

    def looked() -> bool:
        try:
            found.append(overrun(running.kafka, running.settings))
        except ValueDriftError as error:
            running.note(f"cannot look: {error}")
            time.sleep(1)
        return bool(found)

    if eventually(looked, within=LOOK_WITHIN) and found[0]:
        running.note(f"{found[0]} records are committed too far")
    return sum(found)


def settle(running: Rig) -> None:
    """Waits until all is committed, then stops the workers in order."""

    def done() -> bool:
        try:
            return behind(running.kafka, running.settings) == 0
        except ValueDriftError:
            return False

    if not eventually(done, within=DONE_WITHIN):
        running.note(f"{behind(running.kafka, running.settings)} records are still to be processed")
    for slot in running.running:
        code = running.stop(slot, within=2 * GRACE)
        running.note(f"worker {slot.number} stopped with {code}")


def _with(findings: Findings, too_far: int) -> Findings:
    return replace(findings, committed_too_far=findings.committed_too_far + too_far)
