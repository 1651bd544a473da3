"""Runs of the shipped detector, and what they measure: intervals and delays with their errors."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream.backtest import oracle as backtest_oracle
from stream.backtest.estimates import Estimate, interval_of, mean
from stream.backtest.feeds import Simulated, taken
from stream.backtest.models import Floats, Random, Traffic, flat, log, steady, usual
from stream.backtest.runs import first_alarm
from stream.core.events import Rule
from stream.core.settings import EngineSettings, Watch
from stream.detectors.calibrated import Calibrated
from stream.detectors.detector import Categories, Detector

Integers = npt.NDArray[np.int64]

KNOB = 10_000
EXACT = 10**13
"""Responses of a known reference: so many that its error is nothing."""
BEFORE = 500
"""Responses between learning and a change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What is simulated: the rule `drift` with what it watches (None: `traffic_mix`), what its reference is `learned` from, and how often.

    `learned` None: the shares are known.
    """

    watch: Watch | None
    knob: int = KNOB
    learned: int | None
    runs: int
    random: Random
    traffic: Traffic = steady


def detector(study: Study, reference: Integers) -> Calibrated:
    """The detector with this reference; panes are longer than any run, as no window is wanted."""
    longest = 100 * study.knob
    settings = EngineSettings(
        window=longest, stride=longest, watch=study.watch or "all", false_alarm_interval=study.knob
    )
    rule = Rule.TRAFFIC_MIX if study.watch is None else Rule.DRIFT
    return Calibrated(settings, reference=reference.tolist(), rule=rule)


def learned_from(model: Floats, study: Study) -> tuple[Integers, Iterator[Categories]]:
    """A reference, and the model's log after what it was learned from."""
    pieces = log(model, study.traffic, study.random)
    if study.learned is None:
        return np.round(flat(usual(model, study.traffic)) * EXACT).astype(np.int64), pieces
    first, rest = taken(pieces, study.learned)
    return np.bincount(first, minlength=5), rest


def prepared(model: Floats, study: Study) -> tuple[Calibrated, Iterator[Categories]]:
    """A detector that has its reference, and the model's log from there on."""
    reference, pieces = learned_from(model, study)
    return detector(study, reference), pieces


def interval(model: Floats, study: Study) -> Estimate:
    """Mean interval over references that may be learned."""
    return _interval(study, (prepared(model, study) for _ in range(study.runs)))


def interval_given(reference: Integers, model: Floats, study: Study) -> Estimate:
    """Mean interval of the runs that begin with this reference."""
    starts = ((detector(study, reference), log(model, study.traffic, study.random)) for _ in range(study.runs))
    return _interval(study, starts)


def _interval(study: Study, starts: Iterable[tuple[Detector, Iterator[Categories]]]) -> Estimate:
    """Responses judged over alarms, where each run ends with its first alarm, or without one when it is ten times the knob."""
    found = [first_alarm(judge, pieces, 10 * study.knob) for judge, pieces in starts]
    judged, alarmed = zip(*found, strict=True)
    told = interval_of(np.array(judged, np.int64), np.array(alarmed, np.bool_))
    return Estimate(told.value, told.error)


def delay(change: tuple[Floats, Floats], study: Study, *, longest: int = 20_000) -> Estimate:
    """Mean delay, each counted as `longest` at most, of a change `BEFORE` responses after learning.

    Runs that alarm before it are drawn again.
    """
    before, after = change
    found: list[int] = []
    while len(found) < study.runs:
        judge, pieces = prepared(before, study)
        if not first_alarm(judge, pieces, BEFORE)[1]:
            found.append(first_alarm(judge, log(after, study.traffic, study.random), longest)[0])
    return mean(np.array(found))


def oracle(change: tuple[Floats, Floats], *, runs: int) -> Estimate:
    """Mean delay of the CUSUM that knows both models, at one false alarm in `KNOB` responses on average."""
    before, after = (Simulated(model).shares for model in change)
    found = backtest_oracle.oracle(before, after, interval=KNOB, lead=BEFORE, runs=runs)
    if found is None:
        raise ValueError("nothing changes")
    return found
