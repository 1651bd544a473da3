"""Both stages without Kafka: what they send, in which order, and what they acknowledge last."""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import numpy as np
import pytest

from stream.codec.scored import encode_scored
from stream.config import KafkaSettings, Settings
from stream.core.limits import NoData, Silence
from stream.core.records import Scored, Source, SourceRecord
from stream.core.settings import EngineSettings
from stream.core.taxonomy import PAPER
from stream.errors import StateError, WorkerError
from stream.metrics import Metrics
from stream.pipeline import Detect
from stream.worker import glance
from stream.worker.app import new_app
from stream.worker.changelog import decode
from stream.worker.detect import LONG_SKIP, DetectStage
from stream.worker.failure import Failure
from stream.worker.letters import DeadLetters
from stream.worker.silence import Silences
from stream.worker.stage import Intake, Surroundings
from stream.worker.table import StateTable, changelog_name, new_table

ENGINE = EngineSettings(window=100, stride=10, learn_from=100)
SETTINGS = Settings(kafka=KafkaSettings(bootstrap_servers="127.0.0.1:1"))
CHANGELOG = "valuedrift-detect-monitors-changelog"


class Sent:
    """Stands where the producer stands: remembers what is sent; a record is delivered when the test says so."""

    def __init__(self) -> None:
        self.records: list[tuple[str, bytes | None, bytes, int | None]] = []
        self.futures: list[asyncio.Future[None]] = []

    async def send(self, topic: str, key: bytes, value: bytes, *more: Any) -> asyncio.Future[None]:
        self.records.append((topic, key, value, more[0]))
        self.futures.append(asyncio.get_running_loop().create_future())
        return self.futures[-1]

    def deliver_all(self) -> None:
        for future in self.futures:
            if not future.done():
                future.set_result(None)

    @property
    def topics(self) -> list[str]:
        return [topic for topic, *_ in self.records]


class Bench:
    """A detect stage whose app is never started."""

    def __init__(self) -> None:
        app = new_app(SETTINGS, DetectStage.name)
        self.sent = Sent()
        app.producer = self.sent  # type: ignore[assignment]  # only `send` is used
        self.table: StateTable = new_table(app, partitions=4)
        self.table.owned = frozenset(range(4))
        self.metrics, self.failure = Metrics(), Failure()
        topics = SETTINGS.kafka.topics
        letters = DeadLetters(topics.deadletter, limit=1_000_000, metrics=self.metrics)
        around = Surroundings(topics=topics, letters=letters, metrics=self.metrics, failure=self.failure)
        intake = Intake(topic=topics.scored, size=10, seconds=0.1, max_monitors=3)
        self.stage = DetectStage(app, intake, around, pipeline=Detect(settings=ENGINE), table=self.table)


def scored(monitor: str, first: int, n: int, *, partition: int = 2) -> SourceRecord:
    offsets = np.arange(first, first + n)
    record = Scored(
        monitor=monitor,
        classifier="c",
        source=Source("in", 0),
        offset=offsets,
        event_id=tuple(f"e{offset}" for offset in offsets),
        ts=1_767_225_600_000_000 + offsets * 1_000_000,
        category=(offsets % 5).astype(np.uint8),
        attributes={},
    )
    return raw(encode_scored(record, PAPER), key=monitor.encode(), partition=partition)


def raw(value: bytes, *, key: bytes = b"k", partition: int = 2) -> SourceRecord:
    source = Source("scored", partition)
    return SourceRecord(source=source, offset=7, key=key, value=value, headers=(), timestamp=0)


def run(test: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 60))  # the first one may compile the detector


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_state_is_written_only_when_the_events_that_led_to_it_are_delivered() -> None:
    async def test() -> None:
        bench = Bench()
        judged = await bench.stage.work([scored("m", 0, 30)])
        delivering = asyncio.create_task(bench.stage.deliver(judged))
        await settle()
        assert bench.sent.topics == ["valuedrift.drift"] * 3
        bench.sent.deliver_all()
        await settle()
        assert bench.sent.topics == ["valuedrift.drift"] * 3 + [CHANGELOG]
        assert not delivering.done()
        bench.sent.deliver_all()
        await delivering

    run(test())


def test_each_monitor_is_written_once_a_batch_into_the_partition_it_was_read_from() -> None:
    async def test() -> None:
        bench = Bench()
        records = [scored("a", 0, 5, partition=1), scored("b", 0, 5, partition=3), scored("a", 5, 5, partition=1)]
        delivering = asyncio.create_task(bench.stage.deliver(await bench.stage.work(records)))
        while not delivering.done():
            bench.sent.deliver_all()
            await asyncio.sleep(0)
        written = [
            (decode(key or b"", value), where) for topic, key, value, where in bench.sent.records if topic == CHANGELOG
        ]
        assert [(entry.monitor, entry.position, where) for entry, where in written] == [(b"a", 7, 1), (b"b", 7, 3)]
        assert bench.table.states == {entry.monitor: entry.state for entry, _ in written}

    run(test())


def test_the_next_batch_goes_on_from_states_that_are_not_delivered_yet() -> None:
    async def test() -> None:
        bench = Bench()
        await bench.stage.work([scored("m", 0, 15)])
        await bench.stage.work([scored("m", 15, 15)])
        (row,) = await glance.rows(bench.table.states, ENGINE)
        assert (row.name, row.seq, row.state) == ("m", 29, "learning")
        assert row.shares == dict.fromkeys(PAPER.names, 0.2)
        assert row.entropy == pytest.approx(np.log(5), abs=1e-6)

    run(test())


def test_responses_that_were_counted_before_change_nothing() -> None:
    async def test() -> None:
        bench = Bench()
        await bench.stage.work([scored("m", 0, 30)])
        before = dict(bench.table.states)
        judged = await bench.stage.work([scored("m", 10, 20)])
        assert judged.changed[0].detected.skipped == 20
        assert bench.table.states == before

    run(test())


def test_a_scored_record_that_cannot_be_read_becomes_a_dead_letter_and_the_rest_counts() -> None:
    async def test() -> None:
        bench = Bench()
        judged = await bench.stage.work([raw(b"{broken"), scored("m", 0, 5), raw(b'{"schema": "other/1"}')])
        assert [letter.reason.value for letter in judged.dead] == ["unknown_schema", "unknown_schema"]
        assert [each.detected.counted for each in judged.changed] == [5]
        delivering = asyncio.create_task(bench.stage.deliver(judged))
        while not delivering.done():
            bench.sent.deliver_all()
            await asyncio.sleep(0)
        letters = [json.loads(value) for topic, _, value, _ in bench.sent.records if topic == "valuedrift.deadletter"]
        assert [letter["source"] for letter in letters] == [{"topic": "scored", "partition": 2}] * 2

    run(test())


def test_a_flood_of_names_fills_no_memory_and_those_that_are_there_stay_watched(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test() -> None:
        bench = Bench()
        await bench.stage.work([scored("first", 0, 5), scored("elsewhere", 0, 5, partition=1)])
        flood = [scored(f"m{number}", 0, 5) for number in range(50)]
        judged = await bench.stage.work([*flood, scored("first", 5, 5)])
        assert [(letter.reason.value, letter.offset) for letter in judged.dead] == [("too_many_monitors", 7)] * 48
        assert set(bench.table.states) == {b"first", b"elsewhere", b"m0", b"m1"}
        assert sum(each.detected.counted for each in judged.changed) == 15

    run(test())
    assert caplog.text.count("max_monitors") == 1


def test_states_that_were_recovered_count_as_monitors() -> None:
    async def test() -> None:
        bench = Bench()
        states = {name: bench.stage._pipeline.observe(name, None, []).state for name in ("a", "b", "c")}
        await bench.stage.work([scored("d", 0, 5)])
        for name, state in states.items():
            bench.table.hold(name.encode(), state, partition=2, read_to=0)
        for recovered in bench.table._recover_callbacks:
            await recovered()
        judged = await bench.stage.work([scored("e", 0, 5), scored("c", 0, 5)])
        assert len(judged.dead) == 1

    run(test())


def test_a_long_run_of_skipped_responses_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        bench = Bench()
        await bench.stage.work([scored("m", 0, LONG_SKIP)])
        for _ in range(3):
            await bench.stage.work([scored("m", 0, LONG_SKIP)])

    run(test())
    assert [record.getMessage().count("app_id") for record in caplog.records] == [1]


def test_states_of_other_settings_stop_the_worker_before_it_reads() -> None:
    async def test() -> None:
        bench = Bench()
        other = Detect(settings=EngineSettings(window=200, stride=10, learn_from=100))
        bench.table.hold(b"m", other.observe("m", None, []).state, partition=0, read_to=0)
        (check,) = (each for each in bench.table._recover_callbacks if each == bench.stage._check_states)
        checking = asyncio.ensure_future(check())
        await asyncio.wait_for(bench.failure.wait(), 5)
        assert isinstance(bench.failure.error, StateError)
        assert not checking.done()
        checking.cancel()

    run(test())


def test_a_record_of_a_partition_that_another_worker_has_now_is_refused() -> None:
    async def test() -> None:
        bench = Bench()
        bench.table.owned = frozenset({0, 1})
        with pytest.raises(WorkerError, match="partition 2 of the scored topic was handed to another worker"):
            await bench.stage.work([scored("m", 0, 30)])

    run(test())


NO_DATA = EngineSettings(window=100, stride=10, learn_from=100, no_data=NoData(after=60_000_000, policy=Silence.ALERT))


def ticks(silences: Silences, states: dict[bytes, bytes], now: float) -> list[tuple[bytes | None, str]]:
    return [(each.key, json.loads(each.value)["ts"]) for each in silences.look(states, now=now)]


def test_a_tick_adds_what_was_waited_to_the_time_of_the_last_response_once_a_silence() -> None:
    detect, silences = Detect(settings=NO_DATA), Silences(NO_DATA)
    states = {b"m": detect.observe("m", None, detect.read([scored("m", 0, 11)])["m"]).state}
    silences.hear(b"m", now=100.0)
    assert ticks(silences, states, 159.9) == []
    assert ticks(silences, states, 165.5) == [(b"m", "2026-01-01T00:01:15.500000Z")]
    assert ticks(silences, states, 300.0) == []
    silences.hear(b"m", now=400.0)
    assert ticks(silences, states, 459.0) == []
    assert [key for key, _ in ticks(silences, states, 460.0)] == [b"m"]


def test_a_worker_that_has_just_begun_has_waited_for_nobody() -> None:
    detect, silences = Detect(settings=NO_DATA), Silences(NO_DATA)
    states = {b"m": detect.observe("m", None, detect.read([scored("m", 0, 11)])["m"]).state}
    assert ticks(silences, states, 10_000.0) == []
    assert ticks(silences, {}, 10_030.0) == [], "given up to another worker"
    assert ticks(silences, states, 10_061.0) == [], "taken over again: nothing was waited meanwhile"
    assert len(ticks(silences, states, 10_121.0)) == 1


def test_the_changelog_is_named_after_the_consumer_group() -> None:
    async def test() -> None:
        assert Bench().table.changelog_topic_name == changelog_name("valuedrift-detect") == CHANGELOG

    run(test())


def test_what_is_remembered_of_partitions_is_asked_again_when_they_change_hands() -> None:
    async def test() -> None:
        bench = Bench()
        await bench.stage.work([scored("m", 0, 5)])
        assert bench.stage.intake.caution._stopped
        await bench.stage.app.on_partitions_revoked.send(set())
        assert not bench.stage.intake.caution._stopped

    run(test())
