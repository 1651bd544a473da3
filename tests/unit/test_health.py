"""The health endpoint tells the truth, on the port it was told, and says so when it cannot."""

import asyncio
import json
import re
import socket
import time
from collections.abc import Callable, Coroutine, Sequence

import aiohttp
import pytest

from stream.errors import SettingsError
from stream.health import HealthServer, MonitorRow, StageRow, Status, Vitals
from stream.metrics import Metrics

ROW = MonitorRow(name="m|€", seq=3, ts="2026-01-01T00:00:00Z", state="ok", entropy=0.5, shares={"refusal": 0.25})


class Process:
    """A process whose condition the test sets."""

    def __init__(self) -> None:
        self.failure: str | None = None
        self.unready: str | None = None
        self.stuck: str | None = None
        self.metrics = Metrics()

    async def monitors(self) -> Sequence[MonitorRow]:
        return [ROW]

    def status(self) -> Status:
        row = StageRow(name="classify", group="valuedrift-classify", ready=True, lag=7, last_commit=None)
        return Status(version="1", failure=None, unready=None, stuck=self.stuck, stages=(row,), monitors=3)

    def server(self) -> HealthServer:
        return HealthServer(
            Vitals(
                failure=lambda: self.failure,
                unready=lambda: self.unready,
                stuck=lambda: self.stuck,
                status=self.status,
                metrics=self.metrics.text,
                monitors=self.monitors,
            )
        )


Test = Callable[[Process, str, aiohttp.ClientSession], Coroutine[None, None, None]]


def against(test: Test) -> None:
    async def run() -> None:
        process = Process()
        server = process.server()
        url = await server.start("127.0.0.1", 0)
        try:
            async with aiohttp.ClientSession() as client:
                await test(process, url, client)
        finally:
            await server.stop()

    asyncio.run(run())


async def fetch(client: aiohttp.ClientSession, url: str) -> tuple[int, str]:
    async with client.get(url) as response:
        return response.status, await response.text()


def test_a_process_that_recovers_is_healthy_but_not_ready() -> None:
    async def test(process: Process, url: str, client: aiohttp.ClientSession) -> None:
        process.unready = "waiting for the state"
        assert await fetch(client, f"{url}/healthz") == (200, "ok\n")
        assert await fetch(client, f"{url}/readyz") == (503, "waiting for the state\n")
        process.unready = None
        assert await fetch(client, f"{url}/readyz") == (200, "ok\n")

    against(test)


def test_a_process_that_failed_is_neither_healthy_nor_ready() -> None:
    async def test(process: Process, url: str, client: aiohttp.ClientSession) -> None:
        process.failure = "a batch failed"
        assert await fetch(client, f"{url}/healthz") == (503, "a batch failed\n")
        assert await fetch(client, f"{url}/readyz") == (503, "a batch failed\n")

    against(test)


def test_a_process_that_is_stuck_is_neither_healthy_nor_ready() -> None:
    async def test(process: Process, url: str, client: aiohttp.ClientSession) -> None:
        process.stuck = "classify: 7 records wait"
        assert await fetch(client, f"{url}/healthz") == (503, "classify: 7 records wait\n")
        assert await fetch(client, f"{url}/readyz") == (503, "classify: 7 records wait\n")

    against(test)


def test_the_status_is_one_json_object() -> None:
    async def test(process: Process, url: str, client: aiohttp.ClientSession) -> None:
        status, text = await fetch(client, f"{url}/status")
        assert status == 200
        assert json.loads(text) == {
            "version": "1",
            "failure": None,
            "unready": None,
            "stuck": None,
            "stages": [
                {"name": "classify", "group": "valuedrift-classify", "ready": True, "lag": 7, "last_commit": None}
            ],
            "monitors": 3,
        }

    against(test)


def test_metrics_are_in_prometheus_text_format() -> None:
    async def test(process: Process, url: str, client: aiohttp.ClientSession) -> None:
        process.metrics.records.labels(stage="classify").inc(3)
        process.metrics.watch_stage("classify", lag=lambda: 7, committed=lambda: time.monotonic() - 60)
        process.metrics.watch_stage("detect", lag=lambda: 0, committed=lambda: None)
        status, text = await fetch(client, f"{url}/metrics")
        assert status == 200
        assert 'valuedrift_records_total{stage="classify"} 3.0' in text
        assert 'valuedrift_lag_records{stage="classify"} 7.0' in text
        committed = dict(re.findall(r'last_commit_timestamp_seconds{stage="(\w+)"} (\S+)', text))
        assert abs(time.time() - 60 - float(committed["classify"])) < 5
        assert float(committed["detect"]) == 0

    against(test)


def test_monitors_are_listed_as_json() -> None:
    async def test(process: Process, url: str, client: aiohttp.ClientSession) -> None:
        status, text = await fetch(client, f"{url}/monitors")
        assert status == 200
        assert json.loads(text) == [
            {
                "name": "m|€",
                "seq": 3,
                "ts": "2026-01-01T00:00:00Z",
                "state": "ok",
                "entropy": 0.5,
                "shares": {"refusal": 0.25},
            }
        ]

    against(test)


def test_nothing_else_is_served() -> None:
    async def test(process: Process, url: str, client: aiohttp.ClientSession) -> None:
        assert (await fetch(client, f"{url}/table/"))[0] == 404

    against(test)


def test_a_port_in_use_is_an_error_that_names_the_setting() -> None:
    async def start(port: int) -> None:
        await Process().server().start("127.0.0.1", port)

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"127\.0\.0\.1:{port} .*health_port"):
            asyncio.run(start(port))


def test_the_port_is_free_again_after_stopping() -> None:
    async def start_and_stop(port: int) -> str:
        server = Process().server()
        url = await server.start("127.0.0.1", port)
        await server.stop()
        return url

    url = asyncio.run(start_and_stop(0))
    assert asyncio.run(start_and_stop(int(url.rpartition(":")[2]))) == url
