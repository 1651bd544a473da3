"""Runs of the shipped detector and of a CUSUM that knows the change, and what they measure: intervals and delays with their errors.

What judges is the compiled kernel on the state of a monitor, called as `Monitor.observe` calls it until the first alarm.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream.core.detectors import Design, design
from stream.core.kernel import ALARM, FULL_BLOCK, LEARNT, advance, close_block, compiled, derive
from stream.core.settings import EngineSettings, Watch
from stream.core.state import State, new_state
from tests.bench.study_scenarios import (
    Floats,
    Random,
    Traffic,
    counted,
    flat,
    log,
    steady,
    usual,
)
from tests.simulation.logs import Categories

Integers = npt.NDArray[np.int64]

KNOB = 10_000
EXACT = 10**13
"""Responses of a known reference: so many that its error is nothing."""
BEFORE = 500
"""Responses between learning and a change."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A simulated figure and its standard error."""

    value: float
    error: float

    def __truediv__(self, other: "Estimate") -> "Estimate":
        ratio = self.value / other.value
        return Estimate(ratio, ratio * float(np.hypot(self.error / self.value, other.error / other.value)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What is simulated: a detector, what its reference is `learned` from (None: the shares are known), the traffic, and how often."""

    plan_of: Design
    learned: int | None
    runs: int
    random: Random
    traffic: Traffic = steady


def mean(values: Integers) -> Estimate:
    """Mean, with the error of independent values."""
    return Estimate(float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values))))


def quantile(values: Sequence[float], share: float) -> Estimate:
    """Quantile of a sample, with its error by the bootstrap."""
    again = np.random.default_rng(0).choice(values, (500, len(values)))
    return Estimate(float(np.quantile(values, share)), float(np.std(np.quantile(again, share, axis=1))))


def detector(watch: Watch | None, *, knob: int = KNOB) -> Design:
    """The design of the drift rule, or of `traffic_mix` alone; panes are longer than any run, as no window is wanted."""
    longest = 100 * knob
    return design(
        EngineSettings(
            window=longest,
            stride=longest,
            watch=watch or "all",
            false_alarm_interval=knob,
            traffic_mix=watch is None,
        )
    )


def started(plan_of: Design, reference: Integers) -> State:
    """A monitor's state at the end of learning this reference. Of two rules only the last one can fire."""
    state = new_state(plan_of)
    state.counts.scalars[LEARNT] = -1
    state.belief.counts[:] = reference
    state.belief.firing[:-1] = 1
    derive(state.counts, state.belief, state.plan)
    return state


def first_alarm(state: State, pieces: Iterable[Categories], most: int) -> tuple[int, bool]:
    """Responses judged up to the first alarm, at most `most`, and whether there was one."""
    judged = 0
    for whole in pieces:
        piece = whole[: most - judged]
        times, index = np.zeros(len(piece), np.int64), 0
        while index < len(piece):
            index, code = advance(piece, times, index, state.counts, state.belief, state.plan)
            if code & FULL_BLOCK:
                close_block(state.counts, state.belief, state.plan)
            if code >= ALARM:
                return judged + index, True
        judged += len(piece)
        if judged == most:
            break
    return judged, False


def learned_from(model: Floats, study: Study) -> tuple[Integers, Iterator[Categories]]:
    """A reference, and the model's log after what it was learned from."""
    pieces = log(model, study.traffic, study.random)
    if study.learned is None:
        return np.round(flat(usual(model, study.traffic)) * EXACT).astype(np.int64), pieces
    return counted(pieces, study.learned)


def prepared(model: Floats, study: Study) -> tuple[State, Iterator[Categories]]:
    """A monitor that has its reference, and the model's log from there on."""
    reference, pieces = learned_from(model, study)
    return started(study.plan_of, reference), pieces


def interval(model: Floats, study: Study) -> Estimate:
    """Mean interval over references that may be learned."""
    return _interval(study, (prepared(model, study) for _ in range(study.runs)))


def interval_given(reference: Integers, model: Floats, study: Study) -> Estimate:
    """Mean interval of the runs that begin with this reference."""
    starts = ((started(study.plan_of, reference), log(model, study.traffic, study.random)) for _ in range(study.runs))
    return _interval(study, starts)


def _interval(study: Study, starts: Iterable[tuple[State, Iterator[Categories]]]) -> Estimate:
    """Responses judged over alarms, where each run ends with its first alarm, or without one when it is ten times the knob."""
    longest = 10 * study.plan_of.settings.false_alarm_interval
    found = np.array([first_alarm(state, pieces, longest) for state, pieces in starts])
    judged, alarms = found[:, 0], max(int(found[:, 1].sum()), 1)
    ratio = float(judged.sum() / alarms)
    return Estimate(ratio, float(np.sqrt(np.sum((judged - ratio * found[:, 1]) ** 2)) / alarms))


def delay(change: tuple[Floats, Floats], study: Study, *, longest: int = 20_000) -> Estimate:
    """Mean delay, each counted as `longest` at most, of a change `BEFORE` responses after learning.

    Runs that alarm before it are drawn again.
    """
    before, after = change
    found: list[int] = []
    while len(found) < study.runs:
        state, pieces = prepared(before, study)
        if not first_alarm(state, pieces, BEFORE)[1]:
            found.append(first_alarm(state, log(after, study.traffic, study.random), longest)[0])
    return mean(np.array(found))


@compiled
def _cusum(step: Floats, edges: tuple[Floats, Floats], change: int, levels: Floats, times: Integers) -> None:
    """Fill `times` with the responses from the change until a CUSUM passes `levels`; both (runs, levels), ascending in a row.

    Categories come with cumulated shares `edges`, before and after the change. Runs that pass their first level before it are drawn again.
    """
    run = 0
    while run < len(levels):
        total, place, passed = 0.0, 0, 0
        while passed < levels.shape[1]:
            drawn, category = np.random.random(), 0
            shares = edges[0] if place < change else edges[1]
            while category < len(step) - 1 and drawn >= shares[category]:
                category += 1
            total = max(total, 0.0) + step[category]
            place += 1
            while passed < levels.shape[1] and total >= levels[run, passed]:
                times[run, passed] = place - change
                passed += 1
        if times[run, 0] > 0:
            run += 1


@compiled
def _seed(seed: int) -> None:
    """Seed the generator of compiled code, which is not numpy's."""
    np.random.seed(seed)


def oracle(change: tuple[Floats, Floats], *, runs: int) -> Estimate:
    """Mean delay of the CUSUM that knows both models, at one false alarm in `KNOB` responses on average.

    Where its steps have a common measure no single limit gives that interval: then each run takes one of two neighbouring limits at random,
    in the proportion that gives it. The error is that of the delay and of the limit.
    """
    before, after = flat(change[0]), flat(change[1])
    step, edges = np.log(after / before), (np.cumsum(before), np.cumsum(after))

    def passages(levels: Floats, place: int) -> Integers:
        times = np.zeros(levels.shape, np.int64)
        _cusum(step, edges if place else (edges[0], edges[0]), place, levels, times)
        return times

    _seed(1)
    limit = np.log(KNOB) - 3
    for _ in range(6):  # the interval grows as exp(limit), so this comes near
        limit += np.log(KNOB / np.mean(passages(np.full((50, 1), limit), 0)))
    grid = limit + np.linspace(-1.5, 1.5, 301)
    found = np.mean(passages(np.tile(grid, (runs, 1)), 0), axis=0)
    high = int(np.searchsorted(found, KNOB))
    part = (KNOB - found[high - 1]) / (found[high] - found[high - 1])
    limits = np.where((np.arange(runs) + 0.5) / runs < part, grid[high], grid[high - 1])
    delayed = mean(passages(limits[:, None], BEFORE)[:, 0])
    return Estimate(delayed.value, float(np.hypot(delayed.error, delayed.value / grid[high] / np.sqrt(runs))))
