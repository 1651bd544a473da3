"""A worker that is frozen in the middle of a write, loses its partitions, and wakes up when another has gone on."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.worker.app import group_name
from stream.worker.changelog import decode
from stream.worker.table import changelog_name
from tests.chaos.audit import audit, behind
from tests.chaos.rig import PIECE, Feed, Rig, Slot, rig
from tests.integration.processes import eventually
from tests.integration.workers import read

pytestmark = pytest.mark.chaos


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path, os.environ) as started:
        yield started


def is_frozen(slot: Slot) -> bool:
    assert slot.process is not None
    return Path(f"/proc/{slot.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def positions(rig: Rig) -> dict[bytes, list[int]]:
    """How far the states of each monitor had read, in the order of the changelog."""
    found: dict[bytes, list[int]] = {}
    for record in read(rig.kafka, changelog_name(group_name(rig.settings, "detect"))):
        entry = decode(record.key or b"", record.value)
        if entry.state is not None:
            found.setdefault(entry.monitor, []).append(entry.position)
    return found


def has_late_write(rig: Rig) -> bool:
    return any(order != sorted(order) for order in positions(rig).values())


def test_its_late_write_is_passed_over_and_its_events_are_those_of_the_new_owner(running: Rig) -> None:
    first, second, third = running.slots
    running.start(first)
    running.await_ready(first)
    feed = Feed(running.kafka, seed=1)
    feed.burst(10)
    (running.switches / "freeze-0").touch()
    assert eventually(lambda: is_frozen(first), within=30)
    running.start(second)
    running.await_ready(second)
    feed.burst(10)
    feed.finish(within=120)
    assert eventually(lambda: behind(running.kafka, running.settings) == 0, within=120)
    assert not has_late_write(running)
    first.signal(signal.SIGCONT)
    assert eventually(lambda: has_late_write(running), within=30), "the frozen worker goes on where it stood"
    running.stop(first)
    running.start(third)
    running.await_ready(third)
    second.signal(signal.SIGKILL)
    feed = Feed(running.kafka, seed=2)
    feed.burst(PIECE)
    feed.finish(within=120)
    assert eventually(lambda: behind(running.kafka, running.settings) == 0, within=120)
    assert running.stop(third) == 0
    findings = audit(running.kafka, running.settings)
    assert findings.clean, findings
