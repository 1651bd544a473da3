"""`valuedrift demo`: the real thing from beginning to end, and what is left when it is stopped."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from stream.config import KafkaSettings
from stream.demo.story import CHANGED, CONTROL, tell
from stream.kafka.client import open_admin
from tests.integration.conftest import MakeTopic
from tests.integration.processes import PATIENCE, alive, descendants, end, eventually, start

pytestmark = pytest.mark.shipped
EVENTS = 1600
WRITTEN = [
    "alerts.jsonl",
    "deadletter.jsonl",
    "drift.jsonl",
    "report.html",
    "scored.jsonl",
    "summary.json",
    "trajectory.png",
]


@pytest.fixture
def clean(tmp_path: Path) -> Mapping[str, str]:
    """An environment whose temporary files can be counted."""
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    return os.environ | {"TMPDIR": str(scratch)}


def follow(process: subprocess.Popen[str], until: str) -> list[str]:
    """The lines that the program says up to the one that begins with `until` (included)."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith(until):
            return said
    raise AssertionError(f"it ended without saying {until!r}:\n{''.join(said)}")


@pytest.mark.timeout(300)
def test_the_demo_finds_the_swap_and_leaves_its_files_and_nothing_else(
    tmp_path: Path, clean: Mapping[str, str]
) -> None:
    process = start("demo", "--events", str(EVENTS), "--out", str(tmp_path / "out"), environment=clean)
    try:
        said = follow(process, "Sending")
        started = descendants(process.pid)
        assert len(started) >= 4  # two supervisors, Java, the worker
        rest, _ = process.communicate(timeout=PATIENCE)
        text = "".join(said) + rest
        assert process.returncode == 0, text
    finally:
        end(process)
    assert eventually(lambda: not alive(started))
    assert list((tmp_path / "tmp").iterdir()) == []
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == WRITTEN

    story = tell(EVENTS, seed=1)
    alerts = [json.loads(line) for line in (tmp_path / "out" / "alerts.jsonl").read_bytes().splitlines()]
    (found,) = [
        alert
        for alert in alerts
        if alert["rule"] == "drift" and alert["status"] == "firing" and alert["monitor"] == CHANGED
    ]
    assert story.swap_seq <= found["seq"] < story.swap_seq + 200
    assert found["replay"] is False
    assert [alert for alert in alerts if alert["monitor"] == CONTROL] == []
    rows = [json.loads(line) for line in (tmp_path / "out" / "scored.jsonl").read_bytes().splitlines()]
    assert len({row["event_id"] for row in rows}) == len(rows) == EVENTS
    assert {row["attributes"]["served_by"] for row in rows if row["monitor"] == CONTROL} == {"mistralguard"}
    assert (tmp_path / "out" / "deadletter.jsonl").read_bytes() == b""

    assert "\x1b" not in text
    assert "\r" not in text
    assert "drawn with repetition" in text
    assert "times are synthetic" in text
    assert f"found      {found['seq'] - story.swap_seq + 1:,} responses after the swap" in text
    assert f"before response {story.swap_seq:,}" in text
    assert f"no alert in {story.responses[CONTROL]:,} responses" in text
    assert str(tmp_path / "out" / "report.html") in text.replace("\n", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_stopped_leaves_nothing(
    tmp_path: Path, clean: Mapping[str, str], number: signal.Signals
) -> None:
    process = start("demo", "--out", str(tmp_path / "out"), environment=clean)
    try:
        follow(process, "Sending" if number is signal.SIGINT else "Starting the worker")
        started = descendants(process.pid)
        assert len(started) >= 2  # a supervisor and Java, at least
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 130
    finally:
        end(process)
    assert eventually(lambda: not alive(started))
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not (tmp_path / "out").exists()


def test_a_kafka_that_is_given_is_left_as_it_was(
    tmp_path: Path, clean: Mapping[str, str], kafka: KafkaSettings, make_topic: MakeTopic
) -> None:
    make_topic(1)
    before = _things(kafka)
    options = ("--bootstrap-servers", kafka.bootstrap_servers, "--out", str(tmp_path / "out"))
    process = start("demo", *options, environment=clean)
    try:
        follow(process, "The worker classifies")
        during = _things(kafka)
        assert len(during) >= len(before) + 5
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 130
    finally:
        end(process)
    assert eventually(lambda: _things(kafka) == before)


def _things(kafka: KafkaSettings) -> set[str]:
    """The topics of a Kafka, but for its own, and the consumer groups of demos."""
    with open_admin(kafka) as admin:
        topics = {topic for topic in admin.list_topics() if not topic.startswith("__")}
        groups = {group["group_id"] for group in admin.list_groups()}
    return topics | {group for group in groups if group.startswith("valuedrift-demo")}
