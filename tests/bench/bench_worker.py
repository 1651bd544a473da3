"""The worker end to end on the real broker, against the bare ONNX session on the same texts.

Baseline: `session.run` alone, on rows that were tokenised beforehand, in the batches that the worker takes, in this process after
the worker is gone. The worker decodes, tokenises, classifies, encodes, detects and waits for every delivery, with the broker on the
same cores. Aim: at least 0.9 of the baseline on CPU.
"""

import gzip
import json
import time
from collections.abc import Iterator
from importlib.resources import files
from itertools import cycle, islice

from models.bundle import DEFAULT_BUNDLE
from models.classifier import Pair
from models.onnx_t5 import OnnxT5, load
from stream.config import ClassifierSettings, KafkaSettings
from tests.bench.kafka_bench import bench_kafka, fill, table, worker

RESPONSES = 2_000
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


def worker_rate(kafka: KafkaSettings, texts: list[Pair]) -> float:
    """Responses a second of `valuedrift worker`, from the first that are counted by their monitor to the last."""
    fill(kafka, kafka.topics.input, records(texts))
    with worker(kafka, variables={}) as process:
        seconds, moved = process.await_metric("valuedrift_responses_observed_total", len(texts), within=300)
    return moved / seconds


def session_seconds(classifier: OnnxT5, texts: list[Pair]) -> tuple[float, float]:
    """Seconds in the bare session, and with the tokenising before it, on all texts in the worker's batches."""
    tokenising = running = 0.0
    for start in range(0, len(texts), BATCH):
        began = time.perf_counter()
        rows = classifier.pre(texts[start : start + BATCH])
        tokenised = time.perf_counter()
        classifier.core(rows)
        running += time.perf_counter() - tokenised
        tokenising += tokenised - began
    return running, tokenising + running


def main() -> None:
    texts = pairs()
    classifier = load(DEFAULT_BUNDLE)
    classifier.warmup()
    with bench_kafka() as kafka:
        rate = worker_rate(kafka, texts)
    bare, tokenised = session_seconds(classifier, texts)
    table(
        f"worker end to end, {len(texts):,} real responses, CPU",
        [
            ("bare ONNX session, responses/s (baseline)", f"{len(texts) / bare:,.1f}"),
            ("the same with tokenising, responses/s", f"{len(texts) / tokenised:,.1f}"),
            ("valuedrift worker, responses/s", f"{rate:,.1f}"),
            ("ratio (aim >= 0.9)", f"{rate * bare / len(texts):.2f}"),
        ],
    )


if __name__ == "__main__":
    main()
