"""What a judgement costs: the shipped int8 bundle against the same T5 in PyTorch, and in optimum's own two graphs.

All read the same real pairs (XSTest, as the demo ships them) in batches of 32, tokenising included. Processor time of one
core, best of several rounds that take turns. It needs the export environment:
`.venv-export/bin/python -m tests.bench.bench_classifier`, with `--checkpoint DIR` for a trained T5 (its own bundle with
`--bundle DIR`); without, the rivals run random weights in the shape of the shipped model, which cost the same.
"""

import argparse
import gzip
import importlib
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from models.bundle import DEFAULT_BUNDLE, load_manifest
from models.classifier import Pair
from models.onnx_t5 import OnnxT5, load

ROWS = Path("stream/demo/data/xstest-human-labelled.jsonl.gz")
EXPORT_ONLY = {"torch", "transformers", "optimum"}
BATCH, COUNT, ROUNDS = 32, 96, 3


def pairs() -> list[Pair]:
    with gzip.open(ROWS, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    step = len(rows) // COUNT
    return [Pair(row["prompt"], row["response"]) for row in rows[::step][:COUNT]]


def batches(every: Sequence[Pair]) -> list[Sequence[Pair]]:
    return [every[at : at + BATCH] for at in range(0, len(every), BATCH)]


def ours(classifier: OnnxT5, every: Sequence[Pair]) -> Callable[[], None]:
    def work() -> None:
        for batch in batches(every):
            classifier.classify(batch)

    return work


def tokenising(classifier: OnnxT5, every: Sequence[Pair]) -> Callable[[], None]:
    def work() -> None:
        for batch in batches(every):
            classifier.pre(batch)

    return work


def theirs(classifier: OnnxT5, run: Callable[..., object], every: Sequence[Pair], pad: int) -> Callable[[], None]:
    """The usual loop: tokenise a batch, pad it to its longest row, run."""

    def work() -> None:
        for batch in batches(every):
            rows = classifier.pre(batch).ids
            width = max(map(len, rows))
            ids = np.array([[*row, *[pad] * (width - len(row))] for row in rows])
            mask = np.array([[1] * len(row) + [0] * (width - len(row)) for row in rows])
            run(ids, mask)

    return work


def best(works: dict[str, Callable[[], None]]) -> dict[str, float]:
    """Seconds of processor time of each at best; the rounds take turns, so that a busy machine treats all alike."""
    seconds = dict.fromkeys(works, float("inf"))
    for _ in range(ROUNDS):
        for name, work in works.items():
            began = time.process_time()
            work()
            seconds[name] = min(seconds[name], time.process_time() - began)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--checkpoint", type=Path, help="folder of a T5; random weights of the shipped shape without it"
    )
    parser.add_argument(
        "--bundle", type=Path, default=DEFAULT_BUNDLE, help="bundle of that T5; the shipped one without it"
    )
    chosen, _ = parser.parse_known_args()
    try:
        rivals = importlib.import_module("tests.export.rivals")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXPORT_ONLY:
            raise
        print(
            f"not measured: {error.name} is missing, which the comparison runs on. Install it with `make .venv-export/.installed`,"
            " then run `.venv-export/bin/python -m tests.bench.bench_classifier`"
        )
        return
    layout = load_manifest(chosen.bundle).layout
    classifier, every = load(chosen.bundle, threads=1), pairs()
    with tempfile.TemporaryDirectory() as place:
        vocabulary = classifier._tokenizer.get_vocab_size()
        checkpoint = chosen.checkpoint or rivals.write_random(
            Path(place) / "t5", vocabulary=vocabulary, pad=layout.pad, end=layout.suffix[0]
        )
        print(f"{COUNT} pairs, batches of {BATCH}, one core; T5 of {rivals.shape_of(checkpoint)}")
        works = {
            f"{load_manifest(chosen.bundle).artefact} bundle": ours(classifier, every),
            "  of it tokenising": tokenising(classifier, every),
            "PyTorch, transformers": theirs(classifier, rivals.in_pytorch(checkpoint, 1), every, layout.pad),
            "optimum's two graphs": theirs(classifier, rivals.in_two_graphs(checkpoint, 1), every, layout.pad),
        }
        seconds = best(works)
    first, *others = seconds
    for name, one in seconds.items():
        print(f"{name:24} {1000 * one / COUNT:8.2f} ms a pair = {one / seconds[first]:6.3f} x the {first}")
    print(f"aims: tokenising at most 0.1 x, {others[1]} at least 3 x, {others[2]} at least 1.5 x")


if __name__ == "__main__":
    main()
