"""Probes at several temperatures and k, against a truth that is known: `python -m tests.bench.study_sampling`, a minute or two.

The endpoint, its sampling and `valuedrift sample` are real (llama.cpp's server, over HTTP); the model is not: it is made so that each
prompt's answers have known shares, and its temperature moves them by the softmax alone. So this checks the engine and the
estimators, and says nothing of how much the behaviour of a real model depends on temperature. Answers are labelled by their
text, without a classifier.
"""

import json
import math
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream.sampling.estimates import Table, pool
from tests.integration.processes import valuedrift
from tests.integration.sampling.server import HARMFUL_WORDS, KEY, TEMPERATURE, Shares, serving, write_model

BENIGN = {"helpful_aligned": 0.90, "refusal_excessive": 0.08, "off_topic": 0.02}
HARMFUL = {"refusal_appropriate": 0.85, "helpful_misaligned": 0.12, "off_topic": 0.03}
ANSWERS = sorted({*BENIGN, *HARMFUL})
TEMPERATURES = (0.5, 0.6, 0.7, 0.8, 1.0)
KS = (10, 25, 50, 100)
PROMPTS = 30


def at(shares: Shares, temperature: float) -> npt.NDArray[np.float64]:
    """Shares of ANSWERS at another temperature than the one that they were given for."""
    weights = np.array([shares.get(answer, 0.0) ** (TEMPERATURE / temperature) for answer in ANSWERS])
    moved: npt.NDArray[np.float64] = weights / weights.sum()
    return moved


def truth(temperature: float) -> float:
    mean = (at(BENIGN, temperature) + at(HARMFUL, temperature)) / 2
    return -math.fsum(share * math.log(share) for share in mean if share > 0)


def asked(file: Path) -> dict[str, str]:
    """Writes the prompts, half of them harmful."""
    texts = {f"p{n}": f"Please {HARMFUL_WORDS[0] if n % 2 else 'explain'} number {n}" for n in range(PROMPTS)}
    rows = [
        {"id": name, "prompt": text, "kind": ("benign", "harmful")[place % 2], "source": "study", "license": "MIT"}
        for place, (name, text) in enumerate(texts.items())
    ]
    file.write_text("\n".join(map(json.dumps, rows)))
    return texts


def counted(file: Path, names: list[str], k: int) -> Table:
    """The first k answers of each prompt by behaviour."""
    counts: Counter[tuple[str, str]] = Counter()
    for event in map(json.loads, file.read_text().splitlines()):
        if int(event["attributes"]["probe_index"]) < k:
            counts[event["attributes"]["probe_prompt"], event["response"].strip()] += 1
    return np.array([[counts[name, answer] for answer in ANSWERS] for name in names], np.int64)


def main() -> None:
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        model, prompts = folder / "tiny.gguf", folder / "prompts.jsonl"
        write_model(model, benign=BENIGN, harmful=HARMFUL)
        names = list(asked(prompts))
        print("| T | k | S, corrected | 95 % | truth | inside |\n|---|---|---|---|---|---|")
        with serving(model) as url:
            for temperature in TEMPERATURES:
                out = folder / f"{temperature}.jsonl"
                command = ("sample", "--endpoint", url, "--model", "tiny", "--out", str(out), "--prompts", str(prompts))
                more = ("-k", str(max(KS)), "-t", str(temperature), "--per-request", "4", "--seed", "1")
                done = valuedrift(*command, *more, environment={"OPENAI_API_KEY": KEY, "HOME": work}, timeout=600)
                assert done.returncode == 0, done.stderr
                for k in KS:
                    found = pool(counted(out, names, k)).entropy
                    known = truth(temperature)
                    inside = "yes" if found.low <= known <= found.high else "no"
                    print(
                        f"| {temperature} | {k} | {found.corrected:.3f} | {found.low:.3f} to {found.high:.3f} | {known:.3f} | {inside} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
