"""The detect stage through the real broker, 64 responses a scored record, against a plain Faust agent that counts.

Baseline: a Faust agent (uvloop, the same buffers, no table) that counts one response a record, on the same broker. Both take turns
of a few seconds (each is halted meanwhile), so that other load hits both alike. Aim: at least 10 times as many responses a second.
"""

import asyncio
import mmap
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from stream.codec.scored import encode_scored
from stream.config import KafkaSettings
from stream.core.records import Scored, Source
from stream.core.taxonomy import PAPER
from tests.bench.kafka_bench import Turns, bench_kafka, fill, fresh_topics, table, take_turns, worker

RESPONSES = 64
MONITORS = 8
RECORDS = 30_000
PLAIN = 200_000
TURNS, SECONDS = 4, 2.0
COUNTED = "valuedrift_responses_observed_total"
PLAIN_AGENT = "--plain-agent"


def scored_records(records: int) -> Iterator[tuple[bytes, bytes]]:
    """Full scored records of a behaviour that does not change, over the monitors in turn."""
    rng = np.random.default_rng(7)
    for number in range(records):
        monitor, first = f"model-{number % MONITORS}", number // MONITORS * RESPONSES
        offsets = np.arange(first, first + RESPONSES)
        category = rng.choice(5, RESPONSES, p=[0.86, 0.02, 0.06, 0.03, 0.03]).astype(np.uint8)
        probs = np.full((RESPONSES, 5), 0.02, np.float32)
        probs[np.arange(RESPONSES), category] = 0.92
        scored = Scored(
            monitor=monitor,
            classifier="bench@000000000000",
            source=Source("responses", number % MONITORS),
            offset=offsets,
            event_id=tuple(f"{monitor}-{offset:012d}" for offset in offsets),
            ts=1_767_225_600_000_000 + offsets * 1_000_000,
            category=category,
            probs=probs,
            confidence=probs.max(axis=1),
            energy=np.full(RESPONSES, -3.0, np.float32),
            truncated=np.zeros(RESPONSES, np.bool_),
            finish_reason=("stop",) * RESPONSES,
            attributes={},
        )
        yield monitor.encode(), encode_scored(scored, PAPER)


@contextmanager
def plain(kafka: KafkaSettings) -> Iterator[Turns]:
    """The plain agent in a process of its own, counting into a file that both have in memory."""
    fill(kafka, kafka.topics.input, ((b"m%d" % (number % MONITORS), b"x" * 120) for number in range(PLAIN)))
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(8))
        file.flush()
        command = [sys.executable, "-m", "tests.bench.bench_detect", PLAIN_AGENT, kafka.bootstrap_servers]
        process = subprocess.Popen([*command, kafka.topics.input, file.name], stderr=subprocess.DEVNULL)
        try:
            yield Turns(process.pid, lambda: int.from_bytes(Path(file.name).read_bytes(), "little"))
        finally:
            process.kill()
            process.wait()


def plain_agent(servers: str, topic: str, file: str) -> None:
    """Counts the records of the topic with Faust and nothing else, until it is killed."""
    import faust
    import uvloop

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())

    async def run(counter: mmap.mmap, folder: str) -> None:
        app = faust.App(
            "plain",
            broker=f"aiokafka://{servers}",
            web_enabled=False,
            topic_disable_leader=True,
            stream_buffer_maxsize=32_768,
            value_serializer="raw",
            datadir=folder,
        )

        async def count(stream: faust.StreamT[bytes]) -> None:
            counted = 0
            async for _ in stream:
                counted += 1
                counter[:8] = counted.to_bytes(8, "little")

        app.agent(app.topic(topic, value_serializer="raw"))(count)
        await app.start()
        await app.wait_until_stopped()

    with (
        tempfile.TemporaryDirectory() as folder,
        Path(file).open("r+b") as opened,
        mmap.mmap(opened.fileno(), 8) as counter,
    ):
        asyncio.run(run(counter, folder))


def main() -> None:
    with bench_kafka() as kafka:
        other = fresh_topics(kafka)
        fill(other, other.topics.scored, scored_records(RECORDS))
        with plain(kafka) as counting, worker(other, "--role", "detect", variables={}) as process:
            detecting = Turns(process.pid, lambda: int(process.metric(COUNTED)))
            baseline, rate = take_turns(counting, detecting, turns=TURNS, seconds=SECONDS)
            exhausted = counting.count() >= PLAIN or detecting.count() >= RECORDS * RESPONSES
    if exhausted:
        raise RuntimeError("there was too little to read; raise PLAIN and RECORDS")
    table(
        f"detect stage, {RESPONSES} responses a scored record, {MONITORS} monitors, {TURNS} turns of {SECONDS:.0f} s each",
        [
            ("plain Faust agent that counts, responses/s (baseline)", f"{baseline:,.0f}"),
            ("valuedrift worker --role detect, responses/s", f"{rate:,.0f}"),
            ("ratio (aim >= 10)", f"{rate / baseline:.1f}"),
        ],
    )


if __name__ == "__main__":
    if sys.argv[1:2] == [PLAIN_AGENT]:
        plain_agent(*sys.argv[2:])
    else:
        main()
