"""The queue between reader and stage: when it asks the reader to pause, and when to go on."""

import asyncio
from types import SimpleNamespace
from typing import Any

from stream.config import KafkaSettings, Settings
from stream.worker.app import new_app
from stream.worker.driver import WAITING_BYTES, BoundedQueue

MEGABYTE = 1024 * 1024


def event(size: int) -> Any:
    return SimpleNamespace(message=SimpleNamespace(value=bytes(size)))


class Bench:
    def __init__(self) -> None:
        app = new_app(Settings(kafka=KafkaSettings(bootstrap_servers="127.0.0.1:1")), "classify")
        self.queue: BoundedQueue = app.FlowControlQueue(maxsize=32_768, clear_on_resume=True)
        self.said: list[str] = []

    def put(self, size: int) -> None:
        self.queue.put_nowait_enhanced(event(size), on_pressure_high=self.high, on_pressure_drop=self.drop)

    def high(self) -> None:
        self.said.append("pause")

    def drop(self) -> None:
        self.said.append("go on")


def test_reading_pauses_once_when_much_waits_and_goes_on_when_little_is_left() -> None:
    async def test() -> None:
        bench = Bench()
        records = WAITING_BYTES // MEGABYTE + 10
        for _ in range(records):
            bench.put(MEGABYTE)
        assert bench.said == ["pause"]
        for _ in range(records // 2):
            await bench.queue.get()
        assert bench.said == ["pause"]
        for _ in range(records - records // 2):
            bench.queue.get_nowait()
        assert bench.said == ["pause", "go on"]
        assert bench.queue.held == 0

    asyncio.run(test())


def test_small_records_never_pause_reading_for_their_bytes() -> None:
    async def test() -> None:
        bench = Bench()
        for _ in range(20_000):
            bench.put(1_000)
        assert bench.said == []

    asyncio.run(test())


def test_what_a_rebalance_throws_away_no_longer_counts() -> None:
    async def test() -> None:
        bench = Bench()
        for _ in range(10):
            bench.put(MEGABYTE)
        bench.queue.clear()
        assert bench.queue.held == 0

    asyncio.run(test())
