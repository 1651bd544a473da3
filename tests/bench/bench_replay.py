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

ROWS = 400_000
REPEAT = 3
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


def best(work: Callable[[], object]) -> float:
    """Seconds of the processor that the fastest of several runs takes: others share this machine."""
    seconds = []
    for _ in range(REPEAT):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return min(seconds)


def baseline(path: Path) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    with path.open("rb") as lines:
        for line in lines:
            row = json.loads(line)
            counts[row["monitor"], row["category"]] += 1


def run(path: Path, *, window: int, stride: int = STRIDE) -> None:
    settings = Settings().model_copy(update={"monitor": MonitorSettings(window=window, stride=stride)})
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
        run(path, window=100)  # compiles
        loads = best(lambda: baseline(path))
        short, long = best(lambda: run(path, window=100)), best(lambda: run(path, window=100_000))
        bare = best(lambda: run(path, window=100_000, stride=100_000))
    print(f"{ROWS:,} rows of {MONITORS} monitors, one core, seconds of the processor")
    print(f"json.loads and a count (baseline)        {ROWS / loads:>9,.0f} rows/s")
    print(
        f"replay --scored, window 100, stride {STRIDE}   {ROWS / short:>9,.0f} rows/s = {loads / short:.2f} x baseline"
    )
    print(
        f"replay --scored, window 100,000, stride {STRIDE}{ROWS / long:>9,.0f} rows/s = {loads / long:.2f} x baseline"
    )
    print(f"replay --scored without drift events     {ROWS / bare:>9,.0f} rows/s = {loads / bare:.2f} x baseline")
    print(f"window 100,000 costs {long / short:.3f} x window 100 (aim: at most 1.1)")


if __name__ == "__main__":
    main()
