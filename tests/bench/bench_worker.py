"""The worker end to end on the real broker, against the bare ONNX session on the same texts.

Baseline: `session.run` alone, on rows that were tokenised beforehand, in the batches that the worker takes. Both take turns of a few
seconds (the worker is halted meanwhile), so that other load on the machine hits both alike. The worker decodes, tokenises,
classifies, encodes, detects and waits for every delivery, with the broker on the same cores. Aim: at least 0.9 of the baseline on CPU.
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
from stream.config import ClassifierSettings
from tests.bench.kafka_bench import Turns, bench_kafka, fill, table, worker

RESPONSES = 8_000
TURNS, SECONDS = 6, 4.0
"""A turn is shorter than the session that the broker grants a silent worker."""

BATCH = ClassifierSettings().batch_size
COUNTED = "valuedrift_responses_observed_total"


def pairs() -> list[Pair]:
    """The shipped real responses."""
    packed = files("stream.demo").joinpath("data", "xstest-human-labelled.jsonl.gz").read_bytes()
    return [Pair(row["prompt"], row["response"]) for row in map(json.loads, gzip.decompress(packed).splitlines())]


def records(texts: list[Pair]) -> Iterator[tuple[bytes, bytes]]:
    """The pairs, repeated as often as it takes, as response events of four models."""
    for number, pair in enumerate(islice(cycle(texts), RESPONSES)):
        model = f"model-{number % 4}"
        yield model.encode(), json.dumps({"model": model, "prompt": pair.prompt, "response": pair.response}).encode()


def session_turn(classifier: OnnxT5, batches: Iterator[list[Pair]]) -> tuple[float, float, float]:
    """Responses that the session judged in its turn, the seconds in it, and the seconds of the tokenising before it."""
    done, running, tokenising = 0, 0.0, 0.0
    while running < SECONDS:
        batch = next(batches)
        began = time.perf_counter()
        rows = classifier.pre(batch)
        tokenised = time.perf_counter()
        classifier.core(rows)
        running += time.perf_counter() - tokenised
        tokenising += tokenised - began
        done += len(batch)
    return done, running, tokenising


def main() -> None:
    texts = pairs()
    classifier = load(DEFAULT_BUNDLE)
    classifier.warmup()
    batches = (texts[start : start + BATCH] for start in cycle(range(0, len(texts) - BATCH, BATCH)))
    with bench_kafka() as kafka:
        fill(kafka, kafka.topics.input, records(texts))
        with worker(kafka, variables={}) as process:
            process.await_metric(COUNTED, 1)
            working = Turns(process.pid, lambda: int(process.metric(COUNTED)))
            working.halt()
            turns = [(*working.turn(SECONDS), *session_turn(classifier, batches)) for _ in range(TURNS)]
            working.go_on()
    counted, seconds, judged, running, tokenising = (sum(column) for column in zip(*turns, strict=True))
    table(
        f"worker end to end on real responses, CPU, {TURNS} turns of {SECONDS:.0f} s each",
        [
            ("bare ONNX session, responses/s (baseline)", f"{judged / running:,.1f}"),
            ("the same with tokenising, responses/s", f"{judged / (running + tokenising):,.1f}"),
            ("valuedrift worker, responses/s", f"{counted / seconds:,.1f}"),
            ("ratio (aim >= 0.9)", f"{counted / seconds * running / judged:.2f}"),
        ],
    )


if __name__ == "__main__":
    main()
