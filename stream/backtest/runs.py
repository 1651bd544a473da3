"""One detector on many streams: how often it alarms while nothing changes, how late it is after a change, and the setting to match."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from stream.backtest.estimates import Interval, interval_of
from stream.backtest.feeds import Change, Feed, taken
from stream.backtest.models import Random
from stream.backtest.recipes import Knob, Recipe
from stream.detectors.detector import Categories, Detector, scan

Make = Callable[[], Detector]

ROUGH, NEAR = 0.3, 0.05
"""A search ends where the logarithm of the interval is this near to the wanted one's: first with few runs, then with all."""
MATCHED = 0.25
"""A detector whose interval cannot be brought nearer than this (in the logarithm) to the wanted one is not matched."""
MOST_TRIES = 14
NO_SUCH = 1.0005
"""A search gives up where the knob's bounds are this near to each other (their ratio): the interval jumps between them."""
LONGEST = 5
"""Runs without a change end after this many wanted intervals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Responses that detectors `learn` from, and that come between learning and change (`lead`); how long after it a change is `missed`."""

    learn: int
    lead: int = 500
    missed: int = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """A recipe's setting (None: it has no knob), whether it has about the wanted interval, and that interval as the search saw it."""

    setting: float | None
    near: bool
    seen: float


def first_alarm(detector: Detector, pieces: Iterable[Categories], most: int) -> tuple[int, bool]:
    """Responses judged up to the first alarm, at most `most`, and whether there was one."""
    judged = 0
    for whole in pieces:
        piece = whole[: most - judged]
        judged += scan(detector, piece)
        if detector.drift_detected:
            return judged, True
        if judged == most:
            break
    return judged, False


def prepared(make: Make, feed: Feed, learn: int, random: Random) -> tuple[Detector, Iterator[Categories]]:
    """A detector that has seen `learn` responses, whatever it said of them, and the feed from there on."""
    detector = make()
    first, rest = taken(feed.pieces(random), learn)
    place = 0
    while place < learn:
        place += scan(detector, first[place:])
    return detector, rest


def interval(make: Make, feed: Feed, learn: int, *, runs: int, longest: int, random: Random) -> Interval:
    """Responses between false alarms after learning; each run ends with its first alarm, or without one after `longest` responses."""
    found = []
    for _ in range(runs):
        detector, rest = prepared(make, feed, learn, random)
        found.append(first_alarm(detector, rest, longest))
    judged, alarmed = zip(*found, strict=True)
    return interval_of(np.array(judged, np.int64), np.array(alarmed, np.bool_))


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What was found of a change, run by run: `delay` (runs,) in responses, counted as `missed` at most; and the detector's words of it.

    `onset` is the error of each told onset, `first` the category named first in each run where one was named.
    """

    delay: npt.NDArray[np.int64]
    missed: int
    onset: tuple[int, ...] = ()
    first: tuple[int, ...] = ()

    @property
    def missing(self) -> float:
        """Share of runs in which the change was missed."""
        return float((self.delay >= self.missed).mean())


def delays(make: Make, change: Change, sizes: Sizes, *, runs: int, random: Random) -> Found:
    """Delays of a change after learning and lead; runs that alarm before it are drawn again.

    Raises:
        ValueError: nearly every run alarms before the change.
    """
    found: list[int] = []
    onsets: list[int] = []
    first: list[int] = []
    spoiled = 0
    while len(found) < runs:
        detector, rest = prepared(make, change.before, sizes.learn, random)
        if detector.drift_detected or first_alarm(detector, rest, sizes.lead)[1]:
            spoiled += 1
            if spoiled > 50 * runs:
                raise ValueError("nearly every run alarms before the change: ask for fewer false alarms")
            continue
        delay, alarmed = first_alarm(detector, change.pieces(random), sizes.missed)
        found.append(delay if alarmed else sizes.missed)
        if alarmed and detector.onset is not None:
            onsets.append(detector.onset - sizes.learn - sizes.lead)
        if alarmed and detector.contributors:
            first.append(detector.contributors[0].category)
    return Found(np.array(found, np.int64), sizes.missed, tuple(onsets), tuple(first))


def match(recipe: Recipe, feed: Feed, learn: int, *, wanted: int, runs: int, seed: tuple[int, ...]) -> Matched:
    """The setting at which a recipe has one false alarm in `wanted` responses, by a search on equal streams for every setting.

    A fourth of the runs is used until the interval is about right.
    """

    def off(setting: float | None, number: int) -> float:
        make = partial(recipe.make, setting)
        found = interval(make, feed, learn, runs=number, longest=LONGEST * wanted, random=np.random.default_rng(seed))
        return math.log(found.judged / max(found.alarms, 0.5) / wanted)

    knob = recipe.knob
    if knob is None:
        return _matched(None, off(None, runs), wanted)
    best = (math.log(knob.start), math.inf)
    for number, near, step in ((max(runs // 4, 5), ROUGH, 0.7), (runs, NEAR, 0.15)):
        tried: list[tuple[float, float]] = []
        setting: float | None = best[0]
        while setting is not None and len(tried) < MOST_TRIES:
            tried.append((setting, off(math.exp(setting), number)))
            setting = None if abs(tried[-1][1]) <= near else _next(knob, tried, step)
        best = min(tried, key=lambda each: abs(each[1]))
    return _matched(math.exp(best[0]), best[1], wanted)


def _matched(setting: float | None, off: float, wanted: int) -> Matched:
    return Matched(setting=setting, near=abs(off) <= MATCHED, seen=wanted * math.exp(off))


def _next(knob: Knob, tried: list[tuple[float, float]], step: float) -> float | None:
    """The setting (logarithm) to try next: between two that enclose the wanted interval, or twice as far out; None where there is none."""
    rising = 1.0 if knob.calms else -1.0
    loud = max((each for each in tried if each[1] < 0), key=lambda each: rising * each[0], default=None)
    calm = min((each for each in tried if each[1] >= 0), key=lambda each: rising * each[0], default=None)
    if loud is not None and calm is not None:
        if abs(calm[0] - loud[0]) < math.log(NO_SUCH):
            return None
        part = -loud[1] / (calm[1] - loud[1])
        return loud[0] + min(max(part, 0.15), 0.85) * (calm[0] - loud[0])
    last = (loud or calm or tried[-1])[0]
    towards = rising if calm is None else -rising
    following = min(max(last + towards * step * 2 ** (len(tried) - 1), math.log(knob.low)), math.log(knob.high))
    return None if following == last else following
