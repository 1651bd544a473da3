"""Detectors side by side on the same feed and changes, each with the setting at which it has the wanted interval between false alarms."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from stream.backtest.estimates import Estimate, Interval, mean
from stream.backtest.feeds import Change, Feed
from stream.backtest.models import Random
from stream.backtest.oracle import oracle, watched_change
from stream.backtest.pool import Pool
from stream.backtest.recipes import Recipe
from stream.backtest.runs import Found, Matched, Sizes, delays, interval, match
from stream.core.settings import EngineSettings

ORACLE_RUNS = 2_000
LONGEST = 10
"""Runs without a change end after this many wanted intervals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is compared: all `recipes` on all `changes` of `feed`, at each `wanted` interval between false alarms; the last is the table's.

    `runs` are those of a delay, `null_runs` those of an interval and of the search for a setting. `settings` say the taxonomy, and what
    the oracle watches.
    """

    title: str
    feed: Feed
    changes: tuple[Change, ...]
    recipes: tuple[Recipe, ...]
    settings: EngineSettings
    sizes: Sizes
    wanted: tuple[int, ...]
    runs: int
    null_runs: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One detector on one change at one wanted interval: its setting, the delays, and the `interval` measured on fresh streams.

    Delays are in responses; a missed change counts as `missed_after` in the mean. `oracle` is the mean delay of a CUSUM that knows the
    change, where there is one. `interval` is None but at the wanted interval of the table.
    """

    source: str
    change: str
    detector: str
    knob: str
    setting: float | None
    matched: bool
    wanted: int
    interval: Interval | None
    runs: int
    delay: Estimate
    median: float
    p90: float
    missed: float
    missed_after: int
    oracle: Estimate | None

    @property
    def times(self) -> Estimate | None:
        """Mean delay over the oracle's."""
        return None if self.oracle is None else self.delay / self.oracle


Outcome = Interval | Found | Estimate | None
_Key = tuple[str, str, str, int]
"""Title, detector, change and wanted interval; an empty detector is the oracle, an empty change is none."""


def compare(comparisons: Sequence[Comparison], workers: Pool) -> list[Row]:
    """Rows of all comparisons, in order of comparison, wanted interval, detector and change.

    Detectors that cannot have the wanted interval are left out, but for the table's: there their row says so (`matched`).
    """
    cells = [(each, recipe, wanted) for each in comparisons for wanted in each.wanted for recipe in each.recipes]
    searches = [partial(_match, each, recipe, wanted) for each, recipe, wanted in cells]
    matched = workers.run("matching false alarms", searches)
    tasks: dict[_Key, Callable[[], Outcome]] = {}
    for (each, recipe, wanted), found in zip(cells, matched, strict=True):
        last = wanted == each.wanted[-1]
        if last:
            tasks[each.title, recipe.name, "", wanted] = partial(_interval, each, recipe, found)
        if found.near or last:
            for change in each.changes:
                key = (each.title, recipe.name, change.name, wanted)
                tasks[key] = partial(_delays, each, recipe, found, change)
    for each in comparisons:
        for change in each.changes:
            tasks[each.title, "", change.name, each.wanted[-1]] = partial(_oracle, each, change)
    results = dict(zip(tasks, workers.run("measuring delays", list(tasks.values())), strict=True))
    return [
        _row(each, recipe, (wanted, change.name), found, results)
        for (each, recipe, wanted), found in zip(cells, matched, strict=True)
        for change in each.changes
        if found.near or wanted == each.wanted[-1]
    ]


def _row(each: Comparison, recipe: Recipe, at: tuple[int, str], found: Matched, results: Mapping[_Key, Outcome]) -> Row:
    wanted, change = at
    delayed = results[each.title, recipe.name, change, wanted]
    if not isinstance(delayed, Found):
        raise TypeError(f"{delayed!r} is no delay")
    quiet = results.get((each.title, recipe.name, "", wanted))
    best = results.get((each.title, "", change, wanted))
    middle, late = np.quantile(delayed.delay, (0.5, 0.9), method="higher")
    return Row(
        source=each.title,
        change=change,
        detector=recipe.name,
        knob=recipe.knob.name if recipe.knob else "",
        setting=found.setting,
        matched=found.near,
        wanted=wanted,
        interval=quiet if isinstance(quiet, Interval) else None,
        runs=len(delayed.delay),
        delay=mean(delayed.delay),
        median=float(middle),
        p90=float(late),
        missed=delayed.missing,
        missed_after=delayed.missed,
        oracle=best if isinstance(best, Estimate) else None,
    )


def random_of(seed: int, *words: object) -> Random:
    """A generator for one task: others under the same seed are independent of it."""
    return np.random.default_rng((seed, zlib.crc32("\x1f".join(map(str, words)).encode())))


def _match(each: Comparison, recipe: Recipe, wanted: int) -> Matched:
    seed = (each.seed, zlib.crc32(f"{each.title} {wanted}".encode()))
    return match(recipe, each.feed, each.sizes.learn, wanted=wanted, runs=each.null_runs, seed=seed)


def _interval(each: Comparison, recipe: Recipe, found: Matched) -> Interval:
    return interval(
        partial(recipe.make, found.setting),
        each.feed,
        each.sizes.learn,
        runs=each.null_runs,
        longest=LONGEST * each.wanted[-1],
        random=random_of(each.seed, each.title, "interval"),
    )


def _delays(each: Comparison, recipe: Recipe, found: Matched, change: Change) -> Found:
    random = random_of(each.seed, each.title, change.name)
    return delays(partial(recipe.make, found.setting), change, each.sizes, runs=each.runs, random=random)


def _oracle(each: Comparison, change: Change) -> Estimate | None:
    if change.shape.kind != "step":
        return None
    before, after = change.before.shares, change.after.shares
    seen = watched_change(before, after, each.settings.taxonomy, each.settings.watch)
    return oracle(before, after, interval=each.wanted[-1], lead=each.sizes.lead, runs=ORACLE_RUNS, seen=seen)
