"""An initial rate of entropy production from a trajectory that cannot rise for ever: S is bounded by ln m.

Model: the shares relax from one mixture to another, p(t) = a + b(1 - exp(-t/τ)), so that S(t) = S(p(t)) rises, bends and saturates by
itself. Its initial rate is the derivative at t = 0, which by the chain rule is -Σ (b/τ) ln a (Σ b = 0), in nats per step. Where nothing
moves, τ means nothing: without a trend (a straight line lowers chi-squared by less than `TREND`) the line p(t) = a + b t is fitted instead.
For a given τ the model is linear, so τ is found on a grid, and least squares with each behaviour weighted by the inverse of its mean
share give the rest.

Interval: 2.5 % and 97.5 % quantiles of the rate over resampled trajectories, each block's responses drawn again from the fitted shares and
the choice between line and curve made anew. Measured coverage: docs/paper.md.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream.core.entropy import PSEUDOCOUNT

GRID = 32
TREND = 18.5
"""The 99.9 % quantile of chi-squared with 4 degrees of freedom: five behaviours without a trend seem to have one once in 1,000 fits."""
FEWEST = 8

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rise:
    """A fitted trajectory. `rate` and its interval are in nats per step at t = 0.

    `begin` and `change` are the shares a and b (behaviours,); `scale` is τ in steps, None for a straight line. `level` is the entropy that
    the trajectory tends to, None for a line.
    """

    rate: float
    low: float
    high: float
    begin: Floats
    change: Floats
    scale: float | None

    @property
    def level(self) -> float | None:
        """Entropy at the end of the rise, in nats."""
        return None if self.scale is None else float(_entropy(self.begin + self.change))

    def at(self, t: Floats) -> Floats:
        """Returns the fitted entropy (nats) at times t (steps)."""
        grown = t if self.scale is None else 1 - np.exp(-t / self.scale)
        return _entropy(self.begin + grown[:, None] * self.change)


@dataclass(frozen=True, slots=True)
class _Bases:
    """For each τ (infinite first, for the line): the shape over time (bases, blocks) and the least-squares map (bases, 2, blocks)."""

    scales: Floats
    shapes: Floats
    maps: Floats


def blocks(categories: npt.NDArray[np.uint8], size: int, behaviours: int) -> Counts:
    """Returns counts (blocks, behaviours) of `size` responses each, in order; a short rest is left out."""
    full = categories[: len(categories) // size * size].reshape(-1, size)
    return np.array([np.bincount(block, minlength=behaviours) for block in full], np.int64)


def fit(counts: Counts, *, steps_per_block: float, resamples: int, rng: np.random.Generator) -> Rise:
    """Returns the fit to counts (blocks, behaviours); a block's time is its middle.

    Raises:
        ValueError: fewer than `FEWEST` blocks.
    """
    if len(counts) < FEWEST:
        raise ValueError(f"a rate needs at least {FEWEST} blocks, got {len(counts)}")
    times = (np.arange(len(counts), dtype=np.float64) + 0.5) * steps_per_block
    sizes = counts.sum(axis=1)
    bases = _bases(times)
    chosen, coefficients = _choose((counts / sizes[:, None])[None], sizes, bases)
    floor = PSEUDOCOUNT / (sizes.sum() / 10)
    rate = float(_rates(chosen, coefficients, bases.scales, floor)[0])
    shares = coefficients[0, 0] + bases.shapes[chosen[0]][:, None] * coefficients[0, 1]
    again = rng.multinomial(sizes[None], _proper(shares), size=(resamples, len(sizes))) / sizes[None, :, None]
    rates = _rates(*_choose(again, sizes, bases), bases.scales, floor)
    low, high = np.quantile(rates, (0.025, 0.975))
    scale = float(bases.scales[chosen[0]])
    return Rise(
        rate=rate,
        low=min(float(low), rate),
        high=max(float(high), rate),
        begin=coefficients[0, 0],
        change=coefficients[0, 1],
        scale=scale if np.isfinite(scale) else None,
    )


def _entropy(shares: Floats) -> Floats:
    proper = _proper(shares)
    logs = np.log(np.where(proper > 0, proper, 1.0))
    total: Floats = -(proper * logs).sum(axis=-1)
    return total


def _proper(shares: Floats) -> Floats:
    """Least squares may leave the simplex by a little."""
    positive = np.clip(shares, 0.0, None)
    proper: Floats = positive / positive.sum(axis=-1, keepdims=True)
    return proper


def _bases(times: Floats) -> _Bases:
    last = times[-1]
    scales = np.concatenate([[np.inf], np.geomspace(last / 20, last * 2, GRID)])
    shapes = np.stack([times if np.isinf(scale) else 1 - np.exp(-times / scale) for scale in scales])
    maps = np.stack([np.linalg.pinv(np.stack([np.ones_like(times), shape], axis=1)) for shape in shapes])
    return _Bases(scales, shapes, maps)


def _choose(values: Floats, sizes: Counts, bases: _Bases) -> tuple[npt.NDArray[np.intp], Floats]:
    """The basis of each trajectory, values (trajectories, blocks, behaviours), and its coefficients (trajectories, 2, behaviours)."""
    coefficients = np.einsum("bpt,rtc->brpc", bases.maps, values)
    mean = values.mean(axis=(0, 1))
    weights = np.where(mean > 0, 1 / np.where(mean > 0, mean, 1.0), 0.0)
    total = np.einsum("rtc,rtc,c->r", values, values, weights)
    # Least squares: the squared residual is the squared data less the squared fit.
    gram = np.stack(
        [np.stack([np.ones_like(shape), shape]) @ np.stack([np.ones_like(shape), shape]).T for shape in bases.shapes]
    )
    fitted = np.einsum("brpc,bpq,brqc,c->br", coefficients, gram, coefficients, weights)
    squares = total[None] - fitted
    level = total - np.einsum("rc,rc,c->r", values.sum(axis=1), values.sum(axis=1), weights) / values.shape[1]
    curve = squares[1:].argmin(axis=0) + 1
    rows = np.arange(len(values))
    chosen = np.where((level - squares[0]) * sizes.mean() > TREND, curve, 0)
    return chosen, coefficients[chosen, rows]


def _rates(chosen: npt.NDArray[np.intp], coefficients: Floats, scales: Floats, floor: float) -> Floats:
    picked = scales[chosen]
    slopes = coefficients[:, 1] / np.where(np.isinf(picked), 1.0, picked)[:, None]
    rates: Floats = -(slopes * np.log(np.maximum(coefficients[:, 0], floor))).sum(axis=1)
    return rates
