"""What the calibrated detector can see: how many responses a change takes, and the smallest change that is seen within so many."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from stream.backtest.compare import random_of
from stream.backtest.estimates import Estimate, mean
from stream.backtest.feeds import Change, Feed
from stream.backtest.injections import injected
from stream.backtest.oracle import oracle, watched_change
from stream.backtest.pool import Pool
from stream.backtest.recipes import calibrated
from stream.backtest.runs import Sizes, delays
from stream.core.settings import EngineSettings

ORACLE_RUNS = 1_000
FINE = 1.03
"""A smallest change is told to this factor of its share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """What is simulated: the feed, the detector's settings, the runs behind each figure, and the seed."""

    feed: Feed
    settings: EngineSettings
    runs: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """Responses that a change takes to be found; `missed` is the share of runs in which it was not within `most`.

    `best` is the mean of a CUSUM that knows the change, None where it has nothing to know.
    """

    change: str
    delay: Estimate
    median: float
    p90: float
    missed: float
    most: int
    best: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Smallest:
    """The least share to which a behaviour must rise to be found in time; None where even the largest rise is not."""

    behaviour: str
    now: float
    share: float | None


def needed(power: Power, changes: Sequence[Change], workers: Pool) -> list[Needed]:
    """Responses that each change takes."""
    return workers.run("responses needed", [partial(_needed, power, change) for change in changes])


def smallest(power: Power, workers: Pool, *, within: int, sure: float) -> list[Smallest]:
    """For each unwanted behaviour the least rise that is found within so many responses in the part `sure` of runs.

    Raises:
        ValueError: a false alarm alone comes within so many responses more often than that.
    """
    chance = 1 - math.exp(-within / power.settings.false_alarm_interval)
    if chance >= sure:
        raise ValueError(
            f"within {within:,} responses a false alarm alone comes in {chance:.0%} of cases; ask for fewer responses, or a longer "
            "false_alarm_interval"
        )
    names = [behaviour.name for behaviour in power.settings.taxonomy.behaviours if not behaviour.wanted]
    return workers.run("smallest changes", [partial(_smallest, power, name, within, sure) for name in names])


def _needed(power: Power, change: Change) -> Needed:
    engine = power.settings
    sizes = Sizes(learn=engine.learn_from, missed=engine.false_alarm_interval)
    make = partial(calibrated(engine).make, None)
    found = delays(make, change, sizes, runs=power.runs, random=random_of(power.seed, change.name))
    middle, late = np.quantile(found.delay, (0.5, 0.9), method="higher")
    before, after = change.before.shares, change.after.shares
    best = None
    if change.shape.kind == "step":
        seen = watched_change(before, after, engine.taxonomy, engine.watch)
        best = oracle(before, after, interval=engine.false_alarm_interval, lead=sizes.lead, runs=ORACLE_RUNS, seen=seen)
    return Needed(
        change=change.name,
        delay=mean(found.delay),
        median=float(middle),
        p90=float(late),
        missed=found.missing,
        most=found.missed,
        best=best,
    )


def _smallest(power: Power, behaviour: str, within: int, sure: float) -> Smallest:
    engine = power.settings
    place = engine.taxonomy.index(behaviour)
    kind = engine.taxonomy.behaviours[place].request
    shares = power.feed.shares
    mates = [kind is None or each.request is kind for each in engine.taxonomy.behaviours]
    now = float(shares[place])
    top = 0.98 * float(shares[mates].sum()) + 0.02 * now

    def seen(share: float) -> bool:
        change = injected(power.feed, f"{behaviour}={share:.9f}", engine.taxonomy)
        sizes = Sizes(learn=engine.learn_from, missed=within + 1)
        make = partial(calibrated(engine).make, None)
        # The same streams for every share, so that a larger one is not missed by bad luck.
        found = delays(make, change, sizes, runs=power.runs, random=random_of(power.seed, behaviour))
        return float((found.delay <= within).mean()) >= sure

    if not seen(top):
        return Smallest(behaviour=behaviour, now=now, share=None)
    low, high = math.log(now), math.log(top)
    while high - low > math.log(FINE):
        middle = (low + high) / 2
        low, high = (low, middle) if seen(math.exp(middle)) else (middle, high)
    return Smallest(behaviour=behaviour, now=now, share=math.exp(high))
