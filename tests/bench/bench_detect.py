"""The detect stage through the real broker, 64 responses a scored record, against a plain Faust agent that counts.

Baseline: a Faust agent (uvloop, the same buffers, no table) that counts one response a record, on the same broker in the same run.
Aim: at least 10 times as many responses a second.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np

from stream.codec.scored import encode_scored
from stream.config import KafkaSettings
from stream.core.records import Scored, Source
from stream.core.taxonomy import PAPER
from tests.bench.kafka_bench import bench_kafka, fill, fresh_topics, table, worker

RESPONSES = 64
MONITORS = 8
RECORDS = 12_000
PLAIN = 100_000
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


def detect_rate(kafka: KafkaSettings) -> float:
    """Responses a second of `valuedrift worker --role detect`."""
    fill(kafka, kafka.topics.scored, scored_records(RECORDS))
    with worker(kafka, "--role", "detect", variables={}) as process:
        seconds, moved = process.await_metric("valuedrift_responses_observed_total", RECORDS * RESPONSES)
    return moved / seconds


def plain_rate(kafka: KafkaSettings) -> float:
    """Responses a second of the plain agent, in a process of its own; one response a record."""
    fill(kafka, kafka.topics.input, ((b"m%d" % (number % MONITORS), b"x" * 120) for number in range(PLAIN)))
    command = [
        sys.executable,
        "-m",
        "tests.bench.bench_detect",
        PLAIN_AGENT,
        kafka.bootstrap_servers,
        kafka.topics.input,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return float(done.stdout.split()[-1])


def plain_agent(servers: str, topic: str) -> None:
    """Counts the records of the topic with Faust and nothing else, and prints the rate."""
    import faust
    import uvloop

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    counted = 0
    began = 0.0

    async def run() -> None:
        app = faust.App(
            "plain",
            broker=f"aiokafka://{servers}",
            web_enabled=False,
            topic_disable_leader=True,
            stream_buffer_maxsize=32_768,
            value_serializer="raw",
        )
        finished = asyncio.Event()

        async def count(stream: faust.StreamT[bytes]) -> None:
            nonlocal counted, began
            async for _ in stream:
                began = began or time.perf_counter()
                counted += 1
                if counted == PLAIN:
                    finished.set()

        app.agent(app.topic(topic, value_serializer="raw"))(count)
        await app.start()
        await finished.wait()
        print(counted / (time.perf_counter() - began), flush=True)
        await app.stop()

    asyncio.run(run())


def main() -> None:
    with bench_kafka() as kafka:
        plain = plain_rate(kafka)
        detect = detect_rate(fresh_topics(kafka))
    table(
        f"detect stage, {RESPONSES} responses a scored record, {MONITORS} monitors",
        [
            ("plain Faust agent that counts, responses/s (baseline)", f"{plain:,.0f}"),
            ("valuedrift worker --role detect, responses/s", f"{detect:,.0f}"),
            ("ratio (aim >= 10)", f"{detect / plain:.1f}"),
        ],
    )


if __name__ == "__main__":
    if sys.argv[1:2] == [PLAIN_AGENT]:
        plain_agent(*sys.argv[2:])
    else:
        main()
