"""The detector's own targets, measured: each aim beside what a run of the standard suite finds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from stream.backtest.aims import AIMS, FEARED, WORDS, Learned, Target
from stream.backtest.compare import Row, random_of
from stream.backtest.estimates import Estimate, mean, quantile
from stream.backtest.feeds import Change, Simulated, taken
from stream.backtest.injections import injected
from stream.backtest.models import (
    BASES,
    CHANGES,
    FITTED,
    OTHERS,
    TRAFFIC,
    Floats,
    Traffic,
    bursty,
    daily,
    random_changes,
    steady,
)
from stream.backtest.oracle import oracle, watched_change
from stream.backtest.pool import Pool
from stream.backtest.recipes import KNOWN as EXACT
from stream.backtest.runs import Sizes, delays, first_alarm, interval
from stream.backtest.suite import KNOWN, RIVER
from stream.core.settings import EngineSettings, Watch
from stream.core.taxonomy import PAPER
from stream.detectors.calibrated import Calibrated
from stream.detectors.detector import Detector

KNOB = 10_000
LEAD = 500
LONGEST_RATIO = 12
"""Of random changes a delay counts as at most this many times the oracle's."""
DRAWN = 50
"""Random changes, half of each model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """The seed, and the runs behind each figure: delay, that of one random change, interval of one model, onset, and the oracle's delay.

    `traffic` and `long` are those of an interval in moving traffic and of a long one.
    """

    seed: int
    delay: int = 500
    random: int = 100
    interval: int = 60
    traffic: int = 150
    long: int = 30
    onset: int = 300
    oracle: int = 2_000


def targets(rows: Sequence[Row], effort: Effort, workers: Pool) -> list[Target]:
    """All targets, measured; those against river come from the rows of the standard suite."""
    tasks: list[Callable[[], Target]] = [
        *(
            partial(_ratio, name, learned, "all", aim, effort)
            for learned, aims in AIMS.items()
            for name, aim in aims.items()
        ),
        *(partial(_ratio, name, None, "behaviour", aim, effort) for name, aim in AIMS[None].items() if name != TRAFFIC),
        *(partial(_kept, KNOB, learned, watch, effort) for watch in _WATCHES for learned in (None, 500, 1_000, 5_000)),
        *(partial(_kept, 10 * KNOB, learned, "behaviour", effort) for learned in (None, 500, 1_000, 5_000)),
        *(
            partial(_kept_in, traffic, learned, effort)
            for traffic in (bursty, daily)
            for learned in (None, 500, 1_000, 5_000)
        ),
        *(partial(_onset, name, effort) for name in CHANGES),
        partial(_named, effort),
        *(partial(_declared, name, effort) for name in CHANGES),
        *(partial(_kept_declared, learned, effort) for learned in (None, 1_000)),
        *(partial(_guaranteed, watch, effort) for watch in _WATCHES),
    ]
    drawn = [
        partial(_random, number, change, effort) for number, change in enumerate(random_changes(DRAWN // 2, DRAWN))
    ]
    ratios = workers.run("random changes", drawn)
    measured = workers.run("measuring targets", tasks)
    return [*measured, *_of_random(ratios), *_against_river(rows)]


_WATCHES: tuple[Watch, ...] = ("behaviour", "all")


def _words(learned: Learned) -> str:
    return "reference known" if learned is None else f"learned from {learned:,}"


def _detector(engine: EngineSettings, known: Floats | None) -> Detector:
    reference = None if known is None else [round(share * EXACT) for share in known.tolist()]
    return Calibrated(engine, reference=reference)


def _engine(learned: Learned, watch: Watch, *, knob: int = KNOB) -> EngineSettings:
    return EngineSettings(learn_from=learned or 1_000, false_alarm_interval=knob, watch=watch, traffic_mix=False)


def _maker(feed: Simulated, learned: Learned, engine: EngineSettings) -> Callable[[], Detector]:
    return partial(_detector, engine, feed.shares if learned is None else None)


def _best(change: Change, watch: Watch, *, runs: int) -> Estimate:
    before, after = change.before.shares, change.after.shares
    seen = watched_change(before, after, PAPER, watch)
    found = oracle(before, after, interval=KNOB, lead=LEAD, runs=runs, seen=seen)
    if found is None:
        raise ValueError(f"{change.name} changes nothing that is watched")
    return found


def _ratio(name: str, learned: Learned, watch: Watch, aim: float, effort: Effort) -> Target:
    before, after = map(Simulated, CHANGES[name])
    change = Change(name, before, after)
    found = delays(
        _maker(before, learned, _engine(learned, watch)),
        change,
        Sizes(learn=learned or 0, lead=LEAD),
        runs=effort.delay,
        random=random_of(effort.seed, "ratio", name, learned, watch),
    )
    ratio = mean(found.delay) / _best(change, watch, runs=effort.oracle)
    return Target(
        name=f"delay / CUSUM: {name}, {_words(learned)}, watch {watch}", bound="at most", aim=aim, found=ratio
    )


def _random(number: int, change: tuple[Floats, Floats], effort: Effort) -> Estimate:
    """Delay over the oracle's."""
    before, after = map(Simulated, change)
    moved = Change(str(number), before, after)
    best = _best(moved, "all", runs=max(effort.oracle // 3, 50))
    sizes = Sizes(learn=0, lead=LEAD, missed=round(LONGEST_RATIO * best.value))
    random = random_of(effort.seed, "random", number)
    return (
        mean(delays(_maker(before, None, _engine(None, "all")), moved, sizes, runs=effort.random, random=random).delay)
        / best
    )


def _of_random(ratios: Sequence[Estimate]) -> list[Target]:
    values = [each.value for each in ratios]
    error = float(np.sqrt(np.sum(np.square([each.error for each in ratios])))) / len(ratios)
    name = f"{len(ratios)} random changes, reference known, watch all"
    return [
        Target(
            name=f"delay / CUSUM: mean of {name}",
            bound="at most",
            aim=1.65,
            found=Estimate(float(np.mean(values)), error),
        ),
        Target(name=f"delay / CUSUM: 90th percentile of {name}", bound="at most", aim=2.0, found=quantile(values, 0.9)),
    ]


def _kept(knob: int, learned: Learned, watch: Watch, effort: Effort) -> Target:
    models, runs = ((*FITTED, *OTHERS), effort.interval) if knob == KNOB else (BASES, effort.long)
    found = _mean_interval(models, steady, (learned, _engine(learned, watch, knob=knob)), runs, effort)
    return Target(name=f"interval / knob of {knob:,}: {_words(learned)}, {watch}", bound="within", aim=0.1, found=found)


def _kept_in(traffic: Traffic, learned: Learned, effort: Effort) -> Target:
    found = _mean_interval(BASES, traffic, (learned, _engine(learned, "behaviour")), effort.traffic, effort)
    name = f"interval / knob of {KNOB:,}: {_words(learned)}, behaviour, {traffic.__name__} requests"
    return Target(name=name, bound="within", aim=0.15, found=found)


def _mean_interval(
    models: Sequence[Floats], traffic: Traffic, what: tuple[Learned, EngineSettings], runs: int, effort: Effort
) -> Estimate:
    learned, engine = what
    knob = engine.false_alarm_interval
    found = []
    for number, model in enumerate(models):
        feed = Simulated(model, traffic)
        random = random_of(effort.seed, "kept", number, traffic.__name__, knob, learned, engine.watch)
        make = _maker(feed, learned, engine)
        found.append(interval(make, feed, learned or 0, runs=runs, longest=10 * knob, random=random))
    error = float(np.sqrt(np.sum(np.square([each.error for each in found])))) / len(found)
    return Estimate(float(np.mean([each.value for each in found])) / knob, error / knob)


def _onset(name: str, effort: Effort) -> Target:
    """Against the likeliest onset for one who knows both models and the responses up to the same alarm."""
    lead = 2_000
    before, after = map(Simulated, CHANGES[name])
    step = np.log(after.shares / before.shares)
    random = random_of(effort.seed, "onset", name)
    make = _maker(before, None, _engine(None, "all"))
    own: list[float] = []
    best: list[float] = []
    while len(own) < effort.onset:
        detector = make()
        calm, _ = taken(before.pieces(random), lead)
        if first_alarm(detector, [calm], lead)[1]:
            continue
        changed, _ = taken(after.pieces(random), 20_000)
        delay, alarmed = first_alarm(detector, [changed], len(changed))
        if not alarmed or detector.onset is None:
            continue
        own.append(abs(detector.onset - lead))
        sums = np.concatenate([[0.0], np.cumsum(step[np.concatenate([calm, changed[:delay]])])])
        best.append(abs(int(np.argmin(sums[:-1])) - lead))
    ratio = quantile(own, 0.5) / quantile(best, 0.5)
    return Target(name=f"onset error / that of one who knows the change: {name}", bound="at most", aim=1.5, found=ratio)


def _named(effort: Effort) -> Target:
    """The category that rises is named first, over rises of each unwanted category of both models by the factor 3."""
    hits = tries = 0
    for number, model in enumerate(BASES):
        feed = Simulated(model)
        for behaviour in PAPER.behaviours:
            if behaviour.wanted:
                continue
            change = injected(feed, f"{behaviour.name}=x2.5", PAPER)
            random = random_of(effort.seed, "named", number, behaviour.name)
            found = delays(
                _maker(feed, None, _engine(None, "all")),
                change,
                Sizes(learn=0, lead=LEAD),
                runs=max(effort.onset // 2, 5),
                random=random,
            )
            hits += found.first.count(PAPER.index(behaviour.name))
            tries += len(found.delay)
    share = hits / tries
    error = float(np.sqrt(share * (1 - share) / tries))
    return Target(
        name="the category that rose is named first", bound="at least", aim=0.95, found=Estimate(share, error)
    )


def _declared(name: str, effort: Effort) -> Target:
    """All changes of the same model are declared, and each is to be found sooner for it."""
    before, after = map(Simulated, CHANGES[name])
    scenarios = tuple(WORDS[each] for each, (model, _) in CHANGES.items() if model is CHANGES[name][0])
    change = Change(name, before, after)
    found = delays(
        _maker(before, None, replace(_engine(None, "all"), scenarios=scenarios)),
        change,
        Sizes(learn=0, lead=LEAD),
        runs=effort.delay,
        random=random_of(effort.seed, "declared", name),
    )
    ratio = mean(found.delay) / _best(change, "all", runs=effort.oracle)
    return Target(name=f"delay / CUSUM: {name}, declared, reference known", bound="at most", aim=1.4, found=ratio)


def _kept_declared(learned: Learned, effort: Effort) -> Target:
    engine = replace(_engine(learned, "behaviour"), scenarios=FEARED)
    found = _mean_interval((*FITTED, *OTHERS), steady, (learned, engine), effort.interval, effort)
    name = f"interval / knob of {KNOB:,}: {_words(learned)}, behaviour, {len(FEARED)} changes declared"
    return Target(name=name, bound="within", aim=0.1, found=found)


def _guaranteed(watch: Watch, effort: Effort) -> Target:
    engine = replace(_engine(None, watch), guarantee=True)
    found = _mean_interval((*FITTED, *OTHERS), steady, (None, engine), effort.interval, effort)
    name = f"interval / knob of {KNOB:,}: {_words(None)}, {watch}, guaranteed"
    return Target(name=name, bound="at least", aim=1.0, found=found)


def _against_river(rows: Sequence[Row]) -> list[Target]:
    """For each step of the steady comparisons the fastest of river's matched detectors over ours with a known reference."""
    found = []
    last = max(row.wanted for row in rows)
    for source, change in dict.fromkeys((row.source, row.change) for row in rows if row.oracle is not None):
        here = [row for row in rows if (row.source, row.change, row.wanted) == (source, change, last) and row.matched]
        own = next((row for row in here if row.detector == KNOWN), None)
        river = [row for row in here if row.detector.split(" ")[0] in {name.split(":")[0] for name in RIVER}]
        if own is not None and river:
            fastest = min(river, key=lambda row: row.delay.value)
            name = f"river's fastest ({fastest.detector}) / {KNOWN}: {source}, {change}"
            found.append(Target(name=name, bound="at least", aim=2.0, found=fastest.delay / own.delay))
    return found
