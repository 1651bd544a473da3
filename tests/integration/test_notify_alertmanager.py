"""`valuedrift notify` with a real Prometheus Alertmanager, whose own notifications are counted."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import httpx
import msgspec
import pytest

from stream.config import KafkaSettings
from tests.integration.notifying import FIRING, RESOLVED, configure, once, prepare, send
from tests.integration.processes import PATIENCE, end, eventually, start
from tests.integration.receivers import Tools

pytestmark = pytest.mark.programs

PROGRAM = "prometheus-alertmanager"
CONFIG = """
route:
  receiver: people
  group_by: [monitor, rule]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: people
    webhook_configs:
      - url: {url}/sink
        send_resolved: true
"""
RECEIVER = """
[[notify.receivers]]
name = "prometheus"
type = "alertmanager"
url = "{alertmanager}"
resend_s = 1
hold_s = 60
labels = { team = "ml" }
"""


class Shown(msgspec.Struct):
    """What these tests look at in an alert that Alertmanager shows."""

    labels: dict[str, str]
    annotations: dict[str, str]
    updatedAt: datetime  # noqa: N815 - Alertmanager's name


@contextmanager
def alertmanager(port: int, tools: Tools, storage: Path) -> Iterator[None]:
    program = shutil.which(PROGRAM)
    assert program is not None, f"these tests need the real Alertmanager: apt-get install {PROGRAM}"
    storage.mkdir(exist_ok=True)
    config = storage / "alertmanager.yml"
    config.write_text(CONFIG.replace("{url}", tools.url))
    command = [program, f"--config.file={config}", f"--storage.path={storage}", "--cluster.listen-address="]
    with (storage / "log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        assert eventually(lambda: answers(port)), (storage / "log").read_text()
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/-/ready").is_success
    except httpx.TransportError:
        return False


def active(port: int) -> list[Shown]:
    answer = httpx.get(f"http://127.0.0.1:{port}/api/v2/alerts", params={"active": "true"})
    return msgspec.json.decode(answer.raise_for_status().content, type=list[Shown])


def notified(tools: Tools) -> list[str]:
    """What Alertmanager told its people, one word a notification."""
    return [json.loads(request.body)["status"] for request in tools.accepted if request.path == "/sink"]


@pytest.fixture
def env(environment: dict[str, str], kafka: KafkaSettings, tools: Tools, port: int) -> dict[str, str]:
    configure(RECEIVER.replace("{alertmanager}", f"http://127.0.0.1:{port}"), tools)
    return prepare(kafka, environment, tools)


def test_an_alert_appears_is_deduplicated_and_resolves_across_a_kill_of_notify_and_a_restart_of_alertmanager(
    kafka: KafkaSettings, env: dict[str, str], tools: Tools, port: int, tmp_path: Path
) -> None:
    with alertmanager(port, tools, tmp_path / "am"):
        send(kafka, FIRING, FIRING)
        process = start("notify", environment=env)
        try:
            assert eventually(lambda: notified(tools) == ["firing"])
            [seen] = active(port)
            assert seen.labels == {
                "alertname": "ValueDrift",
                "monitor": "support-bot",
                "rule": "drift",
                "severity": "warning",
                "team": "ml",
            }
            assert seen.annotations["summary"].startswith("support-bot: refusals of benign requests grew")
            before = active(port)[0].updatedAt
            assert eventually(lambda: active(port)[0].updatedAt > before)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        finally:
            end(process)
        assert len(active(port)) == 1
    with alertmanager(port, tools, tmp_path / "am"):
        assert active(port) == []  # it keeps no alerts: whoever sends them must send them again
        process = start("notify", environment=env)
        try:
            assert eventually(lambda: len(active(port)) == 1)
            send(kafka, RESOLVED)
            assert eventually(lambda: active(port) == [])
            assert eventually(lambda: notified(tools)[-1] == "resolved")
            time.sleep(3)  # the end is told again for a while, and must open nothing
            assert active(port) == []
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
        finally:
            end(process)
    assert notified(tools) == ["firing", "resolved"]


def test_times_of_a_source_whose_clock_is_wrong_are_accepted(
    kafka: KafkaSettings, env: dict[str, str], tools: Tools, port: int, tmp_path: Path
) -> None:
    years = 20 * 365 * 86_400 * 1_000_000
    firing, resolved = (
        replace(each, starts_at=each.starts_at + years, ts=each.ts + years) for each in (FIRING, RESOLVED)
    )
    with alertmanager(port, tools, tmp_path / "am"):
        send(kafka, firing)
        assert once(env).returncode == 0
        assert eventually(lambda: len(active(port)) == 1)
        send(kafka, resolved)
        assert once(env).returncode == 0
        assert eventually(lambda: active(port) == [])
