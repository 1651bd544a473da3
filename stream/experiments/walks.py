"""Trajectories of 1,000 steps: a real model's own responses in random order, or a mixture that drifts in a known way."""

import math
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from models.labels import LABELS
from stream.core.entropy import measure, request_kinds
from stream.core.taxonomy import PAPER
from stream.experiments import saturation
from stream.experiments.injection import generator
from stream.experiments.rows import Labelled

STEPS = 1000

PER_STEP = 20
"""Responses a step: one prompt of the paper asked k = 100 times over five steps, or twenty prompts asked once."""

BLOCK = 10
"""Steps pooled into one point of a fit."""

RESAMPLES = 200


@dataclass(frozen=True, slots=True)
class Drift:
    """A mixture that relaxes from one distribution to another with time constant `scale` (steps); None for a model that stays."""

    name: str
    begin: tuple[float, ...]
    end: tuple[float, ...]
    scale: float | None

    def shares(self, steps: int) -> npt.NDArray[np.float64]:
        """Shares at each step, (steps, behaviours)."""
        begin, end = np.array(self.begin), np.array(self.end)
        if self.scale is None:
            return np.tile(begin, (steps, 1))
        weight = 1 - np.exp(-np.arange(steps) / self.scale)
        shares: npt.NDArray[np.float64] = begin + weight[:, None] * (end - begin)
        return shares

    @property
    def rate(self) -> float:
        """The true dS/dt at t = 0 in nats per step."""
        if self.scale is None:
            return 0.0
        begin, end = np.array(self.begin), np.array(self.end)
        return float(-((end - begin) / self.scale * np.log(begin)).sum())


ALIGNED = (0.975, 0.005, 0.01, 0.005, 0.005)

LOOSE = (0.78, 0.08, 0.06, 0.03, 0.05)

DRIFTS = (
    Drift("base, fast", ALIGNED, LOOSE, 100.0),
    Drift("base, slow", ALIGNED, LOOSE, 300.0),
    Drift("base, very slow", ALIGNED, LOOSE, 1000.0),
    Drift("tuned, constant", ALIGNED, ALIGNED, None),
)


class Recovered(msgspec.Struct, frozen=True):
    """How well a true rate was found again over the trials."""

    rates: list[float]
    lows: list[float]
    highs: list[float]


class Walk(msgspec.Struct, frozen=True):
    """One trajectory and its fit, for drawing and for the table; `at` holds the middle of each block in steps."""

    at: list[float]
    entropy: list[float]
    low: list[float]
    high: list[float]
    fitted: list[float]
    rate: float
    rate_low: float
    rate_high: float
    level: float | None


def gamma(base: Walk, tuned: Walk) -> tuple[float, float, float]:
    """Returns γ_eff = σ - dS/dt with its 95 % interval, in nats per step; the errors of two independent rates add as squares."""
    value = base.rate - tuned.rate
    low = value - math.hypot(base.rate - base.rate_low, tuned.rate_high - tuned.rate)
    high = value + math.hypot(base.rate_high - base.rate, tuned.rate - tuned.rate_low)
    return value, low, high


def walk_of(drift: Drift, rng: np.random.Generator) -> Walk:
    """Returns one simulated trajectory of a drift, and its fit."""
    shares = drift.shares(STEPS)
    drawn = np.array([rng.multinomial(PER_STEP, row) for row in shares])
    return _fitted(drawn.reshape(-1, BLOCK, len(LABELS)).sum(axis=1), rng)


def real_walk(labelled: Labelled, model: str, seed: int) -> Walk:
    """1,000 steps of a model's own labelled responses, drawn with repetition."""
    rng = generator(seed, sorted(labelled.models).index(model))
    own = np.array([LABELS.index(row.label) for row in labelled.rows if row.model == model], np.uint8)
    drawn = rng.choice(own, size=STEPS * PER_STEP)
    return _fitted(saturation.blocks(drawn, PER_STEP * BLOCK, len(LABELS)), rng)


def _fitted(counts: npt.NDArray[np.int64], rng: np.random.Generator) -> Walk:
    rise = saturation.fit(counts, steps_per_block=BLOCK, resamples=RESAMPLES, rng=rng)
    kinds = request_kinds(PAPER)
    points = [measure(row, kinds) for row in counts]
    at = (np.arange(len(counts), dtype=np.float64) + 0.5) * BLOCK
    return Walk(
        at=at.tolist(),
        entropy=[point.corrected for point in points],
        low=[point.low for point in points],
        high=[point.high for point in points],
        fitted=rise.at(at).tolist(),
        rate=rise.rate,
        rate_low=rise.low,
        rate_high=rise.high,
        level=rise.level,
    )


def recover(drift: Drift, trials: int, rng: np.random.Generator) -> Recovered:
    """Returns the fitted rates of many trajectories of one drift."""
    walks = [walk_of(drift, rng) for _ in range(trials)]
    return Recovered(
        [walk.rate for walk in walks], [walk.rate_low for walk in walks], [walk.rate_high for walk in walks]
    )
