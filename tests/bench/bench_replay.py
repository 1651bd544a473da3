"""`replay --scored`: rows a second on one core, against a loop of `json.loads` and a count; and what a long window costs.

All of it counts: reading, decoding, judging, writing the four files. Compiling, loading and drawing are left out: they happen once.
"""

import json
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from models.bundle import DEFAULT_BUNDLE, load_manifest
from stream import times
from stream.config import MonitorSettings, Settings
from stream.core.taxonomy import Taxonomy
from stream.pipeline import taxonomy_of
from stream.readers import Period
from stream.replay import Plan, replay
from stream.rule_settings import DriftRule, Rules

ROWS = 300_000
REPEAT = 5
MONITORS = 4
STRIDE = 50


def write_rows(path: Path, taxonomy: Taxonomy) -> None:
    """A day of four models that hardly ever err, as anyone might write it down."""
    rng = random.Random(1)
    start = times.parse("2026-01-01T00:00:00Z")
    weights = (86, 2, 6, 3, 3)
    with path.open("w") as file:
        for index in range(ROWS):
            row = {
                "monitor": f"model-{index % MONITORS}",
                "ts": times.render(start + index * 200_000),
                "category": rng.choices(taxonomy.names, weights)[0],
                "event_id": f"{index:016x}",
            }
            file.write(json.dumps(row) + "\n")


def best(*works: Callable[[], object]) -> list[float]:
    """Seconds of the processor that each work takes at best, in turns: others share this machine, and their load changes."""
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(REPEAT):
        for work, taken in zip(works, seconds, strict=True):
            began = time.process_time()
            work()
            taken.append(time.process_time() - began)
    return [min(taken) for taken in seconds]


def baseline(path: Path) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    with path.open("rb") as lines:
        for line in lines:
            row = json.loads(line)
            counts[row["monitor"], row["category"]] += 1


def run(path: Path, *, window: int = 500, stride: int = STRIDE, quiet: bool = True) -> None:
    """Replays the rows; `quiet` allows so few false alarms that there is none: a monitor that fires costs more at each stride."""
    rules = Rules(drift=DriftRule(false_alarm_interval=10**9)) if quiet else Rules()
    own = {"monitor": MonitorSettings(window=window, stride=stride), "rules": rules}
    settings = Settings().model_copy(update=own)
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(files=(path,), scored=True, period=Period())
        replay(plan, settings, Path(folder), load=_never, meter=_silent)


def _never() -> NoReturn:
    raise AssertionError("labelled rows need no classifier")


def _silent(responses: int, *, done: int, total: int | None) -> None:
    pass


def main() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        write_rows(path, taxonomy_of(load_manifest(DEFAULT_BUNDLE)))
        run(path)  # compiles
        loads, default, calm, bare, short, long = best(
            lambda: baseline(path),
            lambda: run(path, quiet=False),
            lambda: run(path),
            lambda: run(path, window=100_000, stride=100_000),
            lambda: run(path, window=100),
            lambda: run(path, window=100_000),
        )
    print(f"{ROWS:,} rows of {MONITORS} monitors, one core, seconds of the processor")
    print(f"json.loads and a count (baseline)                      {ROWS / loads:>9,.0f} rows/s")
    for what, seconds in (
        ("default settings, with a few false alarms", default),
        ("the same without alarms", calm),
        ("the same without drift events", bare),
        ("window 100", short),
        ("window 100,000", long),
    ):
        print(f"replay --scored, {what:<42} {ROWS / seconds:>9,.0f} rows/s = {loads / seconds:.2f} x baseline")
    print(f"window 100,000 costs {long / short:.3f} x window 100 (aim: at most 1.1)")


if __name__ == "__main__":
    main()
