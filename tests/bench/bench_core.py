"""What judging costs, against the arithmetic alone: plain entropy of the same windows in numpy, or a short window.

Processor time, best of several runs, one core. The last lines measure a start in a fresh interpreter, with compiled code on disk and
without.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np

from stream.core.detectors import design
from stream.core.kernel import LEARNT, advance, derive
from stream.core.monitor import Monitor
from stream.core.records import Scored
from stream.core.settings import EngineSettings
from stream.core.state import new_state
from tests.simulation.logs import BUSY, draw, scored

RESPONSES = 100_000
RECORD = 2_000
START = """
import time; began = time.perf_counter()
from stream.core.monitor import Monitor
from stream.core.settings import EngineSettings
from tests.simulation.logs import BUSY, draw, scored
loaded = time.perf_counter()
monitor = Monitor("m", EngineSettings()); monitor.observe(scored(draw(BUSY, 3_000, 1)))
Monitor.restore("m", EngineSettings(), monitor.snapshot())
print(f"{loaded - began:.2f} s to import, {time.perf_counter() - loaded:.2f} s to judge the first record")
"""


def best(work: Callable[[], object], *, repeat: int = 1) -> float:
    """Seconds of processor time that one call takes at best, in 7 rounds."""
    rounds = []
    for _ in range(7):
        began = time.process_time()
        for _ in range(repeat):
            work()
        rounds.append((time.process_time() - began) / repeat)
    return min(rounds)


def log(size: int, start: int = 0) -> list[Scored]:
    categories = draw(BUSY, RESPONSES, 1)
    return [scored(categories[at : at + size], start=start + at) for at in range(0, RESPONSES, size)]


def judge(settings: EngineSettings, records: list[Scored]) -> Callable[[], None]:
    def work() -> None:
        monitor = Monitor("m", settings)
        for record in records:
            monitor.observe(record)

    return work


def window_entropy() -> Callable[[], None]:
    """What a plain script would do at each stride: count the window and take its entropy."""
    categories = draw(BUSY, RESPONSES, 1)

    def work() -> None:
        for end in range(500, RESPONSES, 50):
            shares = np.bincount(categories[end - 500 : end], minlength=5) / 500
            -np.sum(shares * np.log(np.maximum(shares, 1e-300)))

    return work


def report(what: str, seconds: float, baseline: float, of: str) -> None:
    print(f"{what:52} {seconds * 1e6:9.3f} µs = {seconds / baseline:6.2f} x {of}")


def rates() -> None:
    plain = best(window_entropy()) / RESPONSES
    report("a stride's plain entropy in numpy, a response", plain, plain, "itself")
    short = best(judge(EngineSettings(window=100), log(RECORD))) / RESPONSES
    report(f"observe, records of {RECORD}, window 100", short, plain, "plain entropy")
    long = best(judge(EngineSettings(window=100_000), log(RECORD))) / RESPONSES
    report(f"observe, records of {RECORD}, window 100,000", long, short, "window 100")
    usual = best(judge(EngineSettings(), log(64))) / RESPONSES
    report("observe, records of 64, window 500", usual, short, "window 100")
    everything = best(judge(EngineSettings(watch="all"), log(RECORD))) / RESPONSES
    report("observe, watch = all", everything, short, "window 100")


def kernel() -> None:
    state = new_state(design(EngineSettings(stride=RESPONSES * 100, window=RESPONSES * 100)))
    state.counts.scalars[LEARNT] = -1
    state.belief.counts[:] = [860, 20, 60, 30, 30]
    state.belief.firing[:] = 1
    derive(state.counts, state.belief, state.plan)
    categories, times = draw(BUSY, RESPONSES, 1), np.zeros(RESPONSES, np.int64)

    def whole() -> None:
        advance(categories, times, 0, state.counts, state.belief, state.plan)

    batch = best(whole) / RESPONSES
    one = best(lambda: advance(categories[:1], times[:1], 0, state.counts, state.belief, state.plan), repeat=5_000)
    report("the detector, a response in a batch", batch, batch, "itself")
    report("the detector, one response at a time", one, batch, "in a batch")


def snapshots() -> None:
    monitor = Monitor("m", EngineSettings())
    for record in log(RECORD)[:10]:
        monitor.observe(record)
    data = monitor.snapshot()
    down = best(monitor.snapshot, repeat=2_000)
    report(f"snapshot ({len(data):,} bytes)", down, down, "itself")
    up = best(lambda: Monitor.restore("m", EngineSettings(), data), repeat=2_000)
    report("restore", up, down, "snapshot")


def starts() -> None:
    for what, folder in (("without compiled code on disk", tempfile.mkdtemp()), ("with it", None)):
        environment = {**os.environ, **({"NUMBA_CACHE_DIR": folder} if folder else {})}
        done = subprocess.run(
            [sys.executable, "-c", START], env=environment, capture_output=True, text=True, check=True
        )
        print(f"start {what}: {done.stdout.strip()}")


if __name__ == "__main__":
    rates()
    kernel()
    snapshots()
    starts()
