"""The suites: fixed comparisons that anyone can repeat from a clone, with fixed seeds."""

from collections.abc import Callable
from dataclasses import replace

from stream.backtest.compare import Comparison
from stream.backtest.feeds import Change, Feed, Moved, Shape, Simulated
from stream.backtest.injections import confusion
from stream.backtest.models import BASES, CHANGES, MISALIGNED, OVER_REFUSAL, Floats, bursty
from stream.backtest.recipes import calibrated, recipe
from stream.backtest.runs import Sizes
from stream.core.settings import EngineSettings, Watch

LEARN = 1_000
ERRS = 0.05
"""Part of the labels that the classifier of one comparison gets wrong."""
RIVER = ("ADWIN:on=shares", "ADWIN:on=entropy", "PageHinkley:on=shares", "PageHinkley:on=entropy")
PAPER = "epsilon"
KNOWN, LEARNED = "calibrated, reference known", f"calibrated, learned from {LEARN:,}"


def standard(seed: int) -> list[Comparison]:
    """Both models of the study, each with its changes, at one false alarm in 10,000; and what moving traffic and wrong labels do to it."""
    changes = tuple(name for name, (before, _) in CHANGES.items() if before is BASES[1])
    quiet = tuple(name for name in CHANGES if name not in changes)
    full = _comparison("busy", Simulated(BASES[1]), _changes(changes, Simulated), seed=seed)
    gradual = tuple(
        Change(f"{OVER_REFUSAL}, {shape.kind} of {shape.length:,}", full.feed, full.changes[0].after, shape)
        for shape in (Shape("ramp", 2_000), Shape("pulse", 200))
    )
    few = (OVER_REFUSAL, MISALIGNED)
    return [
        _comparison("quiet", Simulated(BASES[0]), _changes(quiet, Simulated), seed=seed),
        replace(full, changes=(*full.changes, *gradual)),
        _comparison(
            "busy, requests in waves", _in_waves(BASES[1]), _changes(few, _in_waves), watch="behaviour", seed=seed
        ),
        _comparison("busy, 5 % of labels wrong", _misread(BASES[1]), _changes(few, _misread), seed=seed),
    ]


def quick(seed: int) -> list[Comparison]:
    """The busier model at one false alarm in 2,000, with few runs."""
    return [
        replace(each, wanted=(2_000,), runs=60, null_runs=100, sizes=replace(each.sizes, missed=2_000))
        for each in standard(seed)[1:2]
    ]


def settings(watch: Watch) -> EngineSettings:
    """Those of the calibrated detector in the suites."""
    return EngineSettings(learn_from=LEARN, watch=watch, traffic_mix=False)


def _comparison(title: str, feed: Feed, changes: tuple[Change, ...], *, watch: Watch = "all", seed: int) -> Comparison:
    engine = settings(watch)
    plain = watch == "all" and isinstance(feed, Simulated)
    own = (
        calibrated(engine, name=KNOWN, reference=tuple(feed.shares.tolist())),
        calibrated(engine, name=LEARNED),
    )
    others = (*RIVER, PAPER) if plain else RIVER[:1]
    return Comparison(
        title=title,
        feed=feed,
        changes=changes,
        recipes=(*own, *(recipe(text, engine) for text in others)),
        settings=engine,
        sizes=Sizes(learn=LEARN, missed=10_000),
        wanted=(2_000, 10_000) if plain else (10_000,),
        runs=100,
        null_runs=50,
        seed=seed,
    )


def _changes(names: tuple[str, ...], through: Callable[[Floats], Feed]) -> tuple[Change, ...]:
    return tuple(Change(name, through(CHANGES[name][0]), through(CHANGES[name][1])) for name in names)


def _in_waves(model: Floats) -> Feed:
    return Simulated(model, bursty)


def _misread(model: Floats) -> Feed:
    return Moved(Simulated(model), confusion(ERRS, 5))
