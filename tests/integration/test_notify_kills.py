"""Killed, stopped, doubled or robbed of its offsets, `valuedrift notify` pages once for each incident and loses none."""

import json
import os
import queue
import signal
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from stream.config import KafkaSettings
from stream.core.events import AlertEvent
from stream.kafka.client import open_admin
from tests.integration.notifying import (
    FIRING,
    KEY,
    PAGERDUTY,
    RESOLVED,
    SLACK,
    configure,
    once,
    prepare,
    send,
    undelivered,
)
from tests.integration.processes import PATIENCE, end, eventually, start
from tests.integration.receivers import Request, Tools, status
from tests.unit.histories import alert

pytestmark = pytest.mark.kills

ALERTMANAGER = """
[[notify.receivers]]
name = "prometheus"
type = "alertmanager"
url = "{url}"
hold_s = 3600
"""


@pytest.fixture
def env(environment: dict[str, str], kafka: KafkaSettings, tools: Tools) -> dict[str, str]:
    return prepare(kafka, environment, tools)


def alerts(count: int) -> list[AlertEvent]:
    return [replace(alert(f"bot-{number}"), alert_id=f"{number:016x}") for number in range(count)]


class Victim:
    """A notify that is killed when the tools have answered so many requests, counted from the beginning, and not before it is known."""

    def __init__(self, tools: Tools, *, at: int) -> None:
        self._tools = tools
        self._at = at
        self._process: queue.Queue[int] = queue.Queue()
        tools.after = self._kill

    def start(self, env: dict[str, str]) -> "subprocess.Popen[str]":
        process = start("notify", environment=env)
        self._process.put(process.pid)
        return process

    def _kill(self, _: Request) -> None:
        if len(self._tools.requests) >= self._at:
            os.kill(self._process.get(), signal.SIGKILL)


def test_killed_between_delivery_and_commit_it_opens_no_second_incident(
    kafka: KafkaSettings, env: dict[str, str], tools: Tools
) -> None:
    configure(PAGERDUTY, tools)
    send(kafka, FIRING)
    victim = Victim(tools, at=1)
    process = victim.start(env)
    try:
        assert process.wait(PATIENCE) == -signal.SIGKILL
        assert tools.opened == {KEY: 1}
        tools.after = lambda _: None
        send(kafka, RESOLVED)
        assert once(env).returncode == 0
        assert (tools.opened, tools.open_now) == ({KEY: 1}, set())
    finally:
        end(process)


def test_killed_again_and_again_it_pages_once_for_each_incident_and_loses_none(
    kafka: KafkaSettings, env: dict[str, str], tools: Tools
) -> None:
    configure(PAGERDUTY, tools)
    assert once(env).returncode == 0  # the receiver is known: what comes now is new, not the past
    send(kafka, *alerts(12))
    for last in (3, 8):
        process = Victim(tools, at=last).start(env)
        try:
            assert process.wait(PATIENCE) == -signal.SIGKILL
        finally:
            end(process)
    tools.after = lambda _: None
    assert once(env).returncode == 0
    assert tools.opened == {each.dedup_key: 1 for each in alerts(12)}
    assert len(tools.requests) <= 12 + 2  # at most the one alert under way at each kill is told again
    assert undelivered(kafka, env) == []


def keeps_open(request: Request) -> bool:
    """Whether one of the posted alerts lasts, by Alertmanager's reading, for most of an hour more."""
    soon = datetime.now(UTC) + timedelta(minutes=30)
    return any(datetime.fromisoformat(each["endsAt"]) > soon for each in json.loads(request.body))


def test_killed_right_after_it_told_an_end_it_does_not_open_the_incident_again(
    kafka: KafkaSettings, env: dict[str, str], tools: Tools
) -> None:
    configure(ALERTMANAGER, tools)
    send(kafka, FIRING)
    assert once(env).returncode == 0
    send(kafka, RESOLVED)
    process = start("notify", environment=env)
    tools.after = lambda request: None if keeps_open(request) else os.kill(process.pid, signal.SIGKILL)
    try:
        assert process.wait(60) == -signal.SIGKILL
    finally:
        end(process)
    tools.after = lambda _: None
    told = [keeps_open(request) for request in tools.accepted]
    assert True in told
    assert told[-1] is False
    assert once(env).returncode == 0
    again = [keeps_open(request) for request in tools.accepted[len(told) :]]
    assert again
    assert not any(again)


def test_without_its_offsets_it_still_knows_what_it_told(
    kafka: KafkaSettings, env: dict[str, str], tools: Tools
) -> None:
    configure(PAGERDUTY + "from_beginning = true\n" + SLACK + "from_beginning = true\n", tools)
    send(kafka, FIRING, RESOLVED, alert("sales-bot", seq=700))
    assert once(env).returncode == 0
    told = len(tools.requests)
    assert told == 6
    with open_admin(kafka) as admin:
        group = env["VALUEDRIFT_NOTIFY__GROUP"]
        admin.delete_groups([f"{group}.oncall", f"{group}.channel"])
    assert once(env).returncode == 0
    assert len(tools.requests) == told


def test_sigterm_ends_it_at_once_in_the_middle_of_retries_and_the_next_start_goes_on(
    kafka: KafkaSettings, env: dict[str, str], tools: Tools
) -> None:
    configure(PAGERDUTY, tools)
    send(kafka, FIRING)
    tools.faults.extend([status(503, retry_after="600")])
    process = start("notify", environment=env)
    try:
        assert eventually(lambda: len(tools.requests) == 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        end(process)
    assert once(env).returncode == 0
    assert tools.opened == {KEY: 1}


def test_two_of_them_share_the_work_and_the_one_that_is_left_does_it_all(
    kafka: KafkaSettings, env: dict[str, str], tools: Tools
) -> None:
    configure(PAGERDUTY, tools)
    first, second = start("notify", environment=env), start("notify", environment=env)
    try:
        send(kafka, *alerts(8))
        assert eventually(lambda: len(tools.opened) == 8)
        os.kill(first.pid, signal.SIGKILL)
        more = [
            replace(each, monitor=f"x{each.monitor}", dedup_key=f"x{each.dedup_key}", alert_id=f"x{each.alert_id}")
            for each in alerts(8)
        ]
        send(kafka, *more)
        assert eventually(lambda: len(tools.opened) == 16)
        assert set(tools.opened.values()) == {1}
    finally:
        end(first)
        end(second)
