"""The demo's plot: real responses of real models, drawn with repetition, with one model swapped for another half-way."""

import gzip
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from stream import times
from stream.core.records import Micros

START = times.parse("2026-01-05T08:00:00Z")
EVERY = 10 * 1_000_000
"""Between two responses: synthetic, as nobody knows when these responses were given."""

CHANGED = "support-bot"
CONTROL = "search-bot"
BEFORE, AFTER, UNCHANGED = "gpt4", "llama2orig", "mistralguard"
"""Models of the shipped data: the second refuses a third of harmless requests, the first hardly any; the control keeps the third."""

FEWEST = 1600
"""Events at least: before the swap the changed monitor needs 500 to learn from, and some more to be judged in peace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What is sent, and the truth about it.

    `lines` are canonical response events as JSON; `responses` counts them by monitor. The swap is before response `swap_seq`
    (counted from 0) of the changed monitor, given at `swap_ts`.
    """

    lines: tuple[bytes, ...]
    responses: dict[str, int]
    swap_seq: int
    swap_ts: Micros


def tell(events: int, *, seed: int) -> Story:
    """Returns `events` responses: two of three are the changed monitor's, whose model is swapped half-way; the others the control's.

    The same seed tells the same story, byte by byte.

    Raises:
        ValueError: fewer than `FEWEST` events.
    """
    if events < FEWEST:
        raise ValueError(f"the demo needs at least {FEWEST:,} events, got {events:,}")
    by_model = _load()
    rng = random.Random(seed)  # noqa: S311 - a story, no secret
    lines = []
    responses = dict.fromkeys((CHANGED, CONTROL), 0)
    swap_seq, swap_ts = -1, START
    for index in range(events):
        monitor = CONTROL if index % 3 == 2 else CHANGED
        swapped = index >= events // 2
        model = UNCHANGED if monitor == CONTROL else AFTER if swapped else BEFORE
        if monitor == CHANGED and swapped and swap_seq < 0:
            swap_seq, swap_ts = responses[CHANGED], START + index * EVERY
        prompt, response = rng.choice(by_model[model])
        event = {
            "schema": "valuedrift.response/1",
            "event_id": f"demo-{index:06d}",
            "ts": times.render(START + index * EVERY),
            "model": monitor,
            "prompt": prompt,
            "response": response,
            "attributes": {"served_by": model},
        }
        lines.append(json.dumps(event, ensure_ascii=False).encode())
        responses[monitor] += 1
    return Story(lines=tuple(lines), responses=responses, swap_seq=swap_seq, swap_ts=swap_ts)


def _load() -> dict[str, Sequence[tuple[str, str]]]:
    """Prompts and responses of the shipped file, by model."""
    packed = files("stream.demo").joinpath("data", "xstest-human-labelled.jsonl.gz").read_bytes()
    by_model: dict[str, list[tuple[str, str]]] = {}
    for line in gzip.decompress(packed).splitlines():
        row = json.loads(line)
        by_model.setdefault(row["model"], []).append((row["prompt"], row["response"]))
    return dict(by_model)
