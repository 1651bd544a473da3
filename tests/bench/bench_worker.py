"""The worker end to end on the real broker, against the bare ONNX session on the same texts.

Baseline: `session.run` alone, on rows that were tokenised beforehand, in the batches that the worker takes, in the faster of two ways: a
session as ONNX Runtime sets it up by itself (a thread a core, all of them on each operation), and the classifier's (a thread a core,
each with rows of its own). They and the worker take turns of a few seconds (the worker is halted meanwhile), so that other load on the
machine hits all alike. The worker decodes, tokenises, classifies, encodes, detects and waits for every delivery, with the broker on the
same cores. Aim: at least 0.9 of the baseline on CPU.
"""

import gzip
import json
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.resources import files
from itertools import cycle, islice

from models.bundle import DEFAULT_BUNDLE, verify
from models.classifier import Pair
from models.onnx_t5 import OnnxT5, load, read_tokenizer
from models.runtime import ort
from stream.config import ClassifierSettings
from tests.bench.kafka_bench import Turns, bench_kafka, fill, table, worker

RESPONSES = 8_000
TURNS, SECONDS = 8, 3.0
"""Two turns are shorter than the session that the broker grants a silent worker."""

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


def bare() -> OnnxT5:
    """The shipped model in a session to which nothing was said."""
    bundle = verify(DEFAULT_BUNDLE)
    session = ort.InferenceSession(str(bundle.model_path), providers=["CPUExecutionProvider"])
    return OnnxT5(bundle, session, read_tokenizer(bundle.tokenizer_path))


def session_turn(classifier: OnnxT5, batches: Iterator[list[Pair]]) -> tuple[int, float]:
    """Responses that the session judged in its turn, and the seconds that it took for them without the tokenising."""
    done, running = 0, 0.0
    while running < SECONDS:
        rows = classifier.pre(next(batches))
        began = time.perf_counter()
        classifier.core(rows)
        running += time.perf_counter() - began
        done += len(rows.ids)
    return done, running


def main() -> None:
    texts = pairs()
    batches = (texts[start : start + BATCH] for start in cycle(range(0, len(texts) - BATCH, BATCH)))
    sessions = bare(), load(DEFAULT_BUNDLE)
    for session in sessions:
        session.core(session.pre(next(batches)))
    with bench_kafka() as kafka:
        fill(kafka, kafka.topics.input, records(texts))
        with worker(kafka, variables={}) as process:
            process.await_metric(COUNTED, 1)
            working = Turns(process.pid, lambda: int(process.metric(COUNTED)))
            working.halt()
            every: list[Callable[[], tuple[int, float]]] = [lambda: working.turn(SECONDS)]
            every += [partial(session_turn, session, batches) for session in sessions]
            taken = [[turn() for turn in every] for _ in range(TURNS)]
            working.go_on()
    end_to_end, untold, own = (rate(turns) for turns in zip(*taken, strict=True))
    baseline = max(untold, own)
    table(
        f"worker end to end on real responses, CPU, {TURNS} turns of {SECONDS:.0f} s each",
        [
            ("bare ONNX session, all threads on each operation", f"{untold:,.1f} responses/s"),
            ("bare ONNX session, a batch a thread", f"{own:,.1f} responses/s"),
            ("valuedrift worker", f"{end_to_end:,.1f} responses/s"),
            ("ratio to the faster session (aim >= 0.9)", f"{end_to_end / baseline:.2f}"),
        ],
    )


def rate(turns: Sequence[tuple[int, float]]) -> float:
    """Responses in a second of all turns together."""
    return sum(done for done, _ in turns) / sum(seconds for _, seconds in turns)


if __name__ == "__main__":
    main()
