"""The worker end to end on the real broker, against the bare ONNX session on the same texts.

Baseline: `session.run` alone, on rows that were tokenised beforehand, in the batches that the worker takes, in this process, half
of it before the worker and half after. The worker decodes, tokenises, classifies, encodes, detects and waits for every delivery,
with the broker on the same cores. Aim: at least 0.9 of the baseline on CPU.
"""

import gzip
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from itertools import cycle, islice

from models.bundle import DEFAULT_BUNDLE
from models.classifier import Pair
from models.onnx_t5 import OnnxT5, load
from stream.config import ClassifierSettings, KafkaSettings
from tests.bench.kafka_bench import bench_kafka, fill, table, worker

RESPONSES = 1_000
COUNTED = "valuedrift_responses_observed_total"
BATCH = ClassifierSettings().batch_size


def pairs() -> list[Pair]:
    """The shipped real responses, repeated as often as it takes."""
    packed = files("stream.demo_data").joinpath("xstest-human-labelled.jsonl.gz").read_bytes()
    rows = [json.loads(line) for line in gzip.decompress(packed).splitlines()]
    return list(islice(cycle([Pair(row["prompt"], row["response"]) for row in rows]), RESPONSES))


def records(texts: list[Pair]) -> Iterator[tuple[bytes, bytes]]:
    """The pairs as response events of four models."""
    for number, pair in enumerate(texts):
        model = f"model-{number % 4}"
        yield model.encode(), json.dumps({"model": model, "prompt": pair.prompt, "response": pair.response}).encode()


@dataclass(frozen=True, slots=True)
class Cost:
    """What one response takes: seconds that pass, and seconds of processor time."""

    wall: float
    processor: float


def worker_cost(kafka: KafkaSettings, texts: list[Pair]) -> Cost:
    """Of `valuedrift worker`, from the first responses that are counted by their monitor to the last."""
    with worker(kafka, variables={}) as process:
        fill(kafka, kafka.topics.input, records(texts))
        process.await_metric(COUNTED, 1, within=300)
        first, before = process.metric(COUNTED), process.processor_seconds()
        began = time.perf_counter()
        process.await_metric(COUNTED, len(texts), within=300)
        seconds, processor = time.perf_counter() - began, process.processor_seconds() - before
    n = len(texts) - first
    return Cost(seconds / n, processor / n)


def session_cost(classifier: OnnxT5, texts: list[Pair]) -> tuple[Cost, Cost]:
    """Of the bare session, and of the session with the tokenising before it, in the worker's batches."""
    tokenising = (time.perf_counter(), time.process_time())
    rows = [classifier.pre(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH)]
    running = (time.perf_counter(), time.process_time())
    for batch in rows:
        classifier.core(batch)
    ended = (time.perf_counter(), time.process_time())
    n = len(texts)
    bare = Cost((ended[0] - running[0]) / n, (ended[1] - running[1]) / n)
    return bare, Cost((ended[0] - tokenising[0]) / n, (ended[1] - tokenising[1]) / n)


def main() -> None:
    texts = pairs()
    classifier = load(DEFAULT_BUNDLE)
    classifier.warmup()
    half = texts[: len(texts) // 2]
    before, _ = session_cost(classifier, half)
    with bench_kafka() as kafka:
        end_to_end = worker_cost(kafka, texts)
    after, tokenised = session_cost(classifier, half)
    wall, processor = (before.wall + after.wall) / 2, (before.processor + after.processor) / 2
    table(
        f"worker end to end, {len(texts):,} real responses, CPU",
        [
            ("bare ONNX session, responses/s (baseline)", f"{1 / wall:,.1f}"),
            ("the same with tokenising, responses/s", f"{1 / tokenised.wall:,.1f}"),
            ("valuedrift worker, responses/s", f"{1 / end_to_end.wall:,.1f}"),
            ("ratio of rates (aim >= 0.9)", f"{wall / end_to_end.wall:.2f}"),
            ("ratio of processor time, independent of other load", f"{processor / end_to_end.processor:.2f}"),
        ],
    )


if __name__ == "__main__":
    main()
