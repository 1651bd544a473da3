"""What is measured of a detector follows from when it alarms; a search ends at the wanted interval or says that there is none."""

import math
import multiprocessing
import os
import pickle
import signal
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest

from stream.backtest.compare import Comparison, compare
from stream.backtest.estimates import Estimate, interval_of, quantile
from stream.backtest.feeds import Change, Recorded, Simulated
from stream.backtest.injections import injected
from stream.backtest.models import BASES, BUSY, QUIET
from stream.backtest.oracle import oracle, watched_change
from stream.backtest.own import Own, comparison, simulated, unwanted_rises
from stream.backtest.pool import pool
from stream.backtest.recipes import Knob, Recipe, recipe
from stream.backtest.runs import Sizes, delays, interval, match
from stream.core.settings import EngineSettings
from stream.core.taxonomy import PAPER
from stream.detectors.detector import Contributor, Detector
from stream.errors import BacktestError

ENGINE = EngineSettings(window=100, stride=10, learn_from=200, false_alarm_interval=500)
ZEROS, ONES = (Recorded(np.full(10, value, np.uint8), 10, 5) for value in (0, 1))


@dataclass
class Scripted:
    """Alarms at the given responses (counted from 1), and at the nth response of category 1."""

    at: tuple[int, ...] = ()
    ones: int = 1_000_000
    seen: int = 0
    met: int = 0
    drift_detected: bool = False
    statistic: float | None = None
    threshold: float | None = None

    @property
    def onset(self) -> int | None:
        return self.seen - 5 if self.drift_detected else None

    @property
    def contributors(self) -> tuple[Contributor, ...]:
        return (Contributor(1, 1.0),) if self.drift_detected else ()

    def update(self, x: int) -> None:
        self.seen += 1
        self.met += x == 1
        self.drift_detected = self.seen in self.at or (x == 1 and self.met == self.ones)


def often(part: float | None) -> Detector:
    """Alarms in this part of responses, evenly, so that the interval is 1 / part exactly."""
    return Scripted(at=(round(1 / (part or 1)),))


def test_an_interval_counts_from_learning_to_the_first_alarm() -> None:
    found = interval(lambda: Scripted(at=(30, 150)), ZEROS, 100, runs=12, longest=400, random=np.random.default_rng(0))
    assert (found.judged, found.alarms, found.value) == (12 * 50, 12, 50.0)


def test_runs_without_an_alarm_bound_the_interval_from_below() -> None:
    found = interval(Scripted, ZEROS, 10, runs=10, longest=400, random=np.random.default_rng(0))
    assert (found.alarms, found.value, found.high) == (0, math.inf, math.inf)
    assert found.low == pytest.approx(4_000 / 3.689, rel=0.05)  # Garwood: chi-square quantile 97.5 %, 2 degrees


def test_the_interval_of_a_poisson_count_is_garwoods() -> None:
    found = interval_of(np.array([100, 200, 300, 400, 500]), np.array([True, True, True, True, False]))
    assert found.value == 1_500 / 4
    # Of 4 alarms: 1.0899 to 10.2416 expected.
    assert found.low == pytest.approx(1_500 / 10.2416, rel=0.01)
    assert found.high == pytest.approx(1_500 / 1.0899, rel=0.03)


def test_many_alarms_give_an_interval_that_holds_the_truth() -> None:
    random = np.random.default_rng(3)
    held = 0
    for _ in range(300):
        times = random.geometric(1 / 200, 60)
        found = interval_of(np.minimum(times, 1_000), times <= 1_000)
        held += found.low <= 200 <= found.high
    assert held >= 0.9 * 300


def test_delays_count_from_the_change_and_are_cut_where_it_is_missed() -> None:
    change = Change("c", ZEROS, ONES)
    sizes = Sizes(learn=100, lead=50, missed=300)
    found = delays(partial(Scripted, ones=40), change, sizes, runs=5, random=np.random.default_rng(0))
    assert found.delay.tolist() == [40] * 5
    assert (found.missing, found.onset, found.first) == (0.0, (35,) * 5, (1,) * 5)
    late = delays(partial(Scripted, ones=301), change, sizes, runs=5, random=np.random.default_rng(0))
    assert (late.delay.tolist(), late.missing) == ([300] * 5, 1.0)


def test_runs_that_always_alarm_early_are_an_error() -> None:
    with pytest.raises(ValueError, match="before the change"):
        delays(
            partial(Scripted, at=(120,)),
            Change("c", ZEROS, ONES),
            Sizes(learn=100, lead=50),
            runs=2,
            random=np.random.default_rng(0),
        )


@pytest.mark.parametrize("start", [0.5, 0.01, 1e-6])
def test_a_search_finds_the_setting_with_the_wanted_interval(start: float) -> None:
    one = Recipe(name="often", knob=Knob("part", start, 1e-9, 1.0, calms=False), make=often)
    found = match(one, ZEROS, 0, wanted=200, runs=5, seed=(1,))
    assert found.near
    assert found.setting == pytest.approx(1 / 200, rel=0.04)


def test_a_detector_whose_interval_jumps_is_not_matched() -> None:
    def make(setting: float | None) -> Detector:
        return Scripted(at=tuple(range(20, 100_000, 20))) if (setting or 0) < 3.0 else Scripted()

    found = match(
        Recipe(name="jumps", knob=Knob("k", 1.0, 0.1, 10.0, calms=True), make=make),
        ZEROS,
        0,
        wanted=200,
        runs=5,
        seed=(1,),
    )
    assert not found.near


def test_a_detector_without_a_knob_is_used_as_it_is() -> None:
    found = match(
        Recipe(name="fixed", knob=None, make=lambda _: Scripted(at=(200,))), ZEROS, 0, wanted=200, runs=5, seed=(1,)
    )
    assert (found.setting, found.near, found.seen) == (None, True, 200)


@pytest.mark.parametrize(
    ("text", "name", "knob"),
    [
        ("calibrated", "calibrated", "false_alarm_interval"),
        ("calibrated:false_alarm_interval=3000", "calibrated:false_alarm_interval=3000", None),
        ("epsilon", "ε rule, window 100, stride 1", "epsilon"),
        ("epsilon:window=200,stride=50,epsilon=0.1", "ε rule, window 200, stride 50, ε = 0.1", None),
        ("ADWIN", "ADWIN on each share", "delta"),
        ("ADWIN:on=entropy,window=50,clock=1", "ADWIN on S of 50 responses, clock = 1", "delta"),
        ("PageHinkley:threshold=9.5", "PageHinkley on each share, threshold = 9.5", None),
        ("KSWIN:on=entropy,seed=1", "KSWIN on S of 100 responses, seed = 1", "alpha"),
        ("FHDDM", "FHDDM on each share", None),
    ],
)
def test_a_detector_is_made_from_its_name(text: str, name: str, knob: str | None) -> None:
    made = recipe(text, ENGINE)
    assert (made.name, made.knob.name if made.knob else None) == (name, knob)
    again: Recipe = pickle.loads(pickle.dumps(made))  # noqa: S301 - our own bytes; processes get recipes so
    detector = again.make(made.knob.start if made.knob else None)
    detector.update(0)
    assert not detector.drift_detected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ADWINN", "river has no drift detector"),
        ("ADWIN:deltta=1", "deltta"),
        ("ADWIN:on=labels", "on must be shares or entropy"),
        ("ADWIN:delta", "NAME=VALUE"),
        ("epsilon:size=3", "size must be one of"),
        ("epsilon:window=2.5", "whole number"),
        ("epsilon:window=10,stride=3", "multiple of stride"),
        ("calibrated:window=9", "window must be one of"),
    ],
)
def test_a_detector_that_cannot_be_is_refused_at_once(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        recipe(text, ENGINE)


def test_tasks_give_their_results_in_order_with_any_number_of_processes() -> None:
    tasks = [partial(pow, 2, n) for n in range(6)]
    seen: list[tuple[str, int, int]] = []
    with pool(2, lambda *told: seen.append(told)) as workers:
        assert workers.run("powers", tasks) == [1, 2, 4, 8, 16, 32]
    assert seen == [("powers", done, 6) for done in range(7)]
    with pool(1) as alone:
        assert alone.run("powers", tasks) == [1, 2, 4, 8, 16, 32]


def test_an_error_of_a_task_comes_through_and_leaves_no_process() -> None:
    before = multiprocessing.active_children()
    with pytest.raises(ZeroDivisionError), pool(2) as workers:
        workers.run("divisions", [partial(divmod, 1, 0), partial(pow, 2, 2)])
    assert multiprocessing.active_children() == before


def test_a_process_that_is_killed_is_told_in_a_sentence() -> None:
    with pytest.raises(BacktestError, match="fewer --jobs"), pool(2) as workers:
        workers.run("kills", [partial(os._exit, 1)])


def test_a_terminals_ctrl_c_is_left_to_the_process_that_asked() -> None:
    with pool(2) as workers:
        (blocked,) = workers.run("masks", [partial(signal.pthread_sigmask, signal.SIG_BLOCK, ())])
    assert signal.SIGINT in blocked
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def small(seed: int = 1) -> Comparison:
    feed = Simulated(BASES[1])
    changes = (injected(feed, "off_topic=40%", PAPER), injected(feed, "off_topic=40%,ramp=50", PAPER))
    return Comparison(
        title="busy",
        feed=feed,
        changes=changes,
        recipes=(recipe("calibrated", ENGINE), recipe("epsilon", ENGINE)),
        settings=ENGINE,
        sizes=Sizes(learn=200, lead=100, missed=500),
        wanted=(250, 500),
        runs=20,
        null_runs=20,
        seed=seed,
    )


def test_a_comparison_has_a_row_for_each_detector_and_change_and_repeats_itself() -> None:
    with pool(1) as alone:
        rows, again, other = (compare([small(seed)], alone) for seed in (1, 1, 2))
    last = [row for row in rows if row.wanted == 500]
    assert [(row.detector[:1], row.change[-3:]) for row in last] == [
        ("c", "0 %"), ("c", " 50"), ("ε", "0 %"), ("ε", " 50"),
    ]  # fmt: skip
    assert all(row.interval is not None for row in last)
    assert all(row.interval is None for row in rows if row.wanted == 250)
    assert [row.oracle is None for row in last] == [False, True, False, True]
    assert rows == again
    assert rows != other


def test_the_oracle_watches_what_the_rule_watches() -> None:
    doubled = injected(Simulated(BASES[1]), "traffic=x2", PAPER).after.shares
    seen = watched_change(BUSY, doubled, PAPER, "behaviour")
    assert seen.tolist() == pytest.approx(BUSY.tolist(), rel=1e-6)
    assert oracle(BUSY, doubled, interval=500, lead=10, runs=50, seen=seen) is None
    assert watched_change(BUSY, doubled, PAPER, "all").tolist() == pytest.approx(doubled.tolist(), rel=1e-6)


def test_without_words_each_unwanted_behaviour_becomes_three_times_as_frequent() -> None:
    assert unwanted_rises(Simulated(BASES[1]), ENGINE) == [
        "helpful_misaligned=0.060000",
        "refusal_excessive=0.090000",
        "off_topic=0.090000",
    ]


def test_a_log_that_is_followed_by_another_is_one_change() -> None:
    own = Own(
        name="bot",
        feed=ZEROS,
        changes=(),
        after=("new", ONES),
        detectors=("calibrated",),
        wanted=1_000,
        runs=60,
        seed=1,
    )
    made = comparison(own, ENGINE)
    assert [(change.name, change.after) for change in made.changes] == [("bot, then new", ONES)]
    assert made.wanted == (1_000,)
    assert comparison(replace(own, wanted=20_000), ENGINE).wanted == (2_000, 6_000, 20_000)


@pytest.mark.parametrize("text", ["0.5,0.5", "a,b,c,d,e", "0.9,0.1,0,0,0", "0.5,0.2,0.2,0.2,0.2"])
def test_shares_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="five numbers"):
        simulated(text)


def test_shares_make_a_model_with_them() -> None:
    text = ",".join(map(str, QUIET.tolist()))
    assert simulated(text).shares.tolist() == pytest.approx(QUIET.tolist())


def test_a_ratio_has_the_relative_errors_of_both() -> None:
    ratio = Estimate(10, 0.3) / Estimate(5, 0.2)
    assert ratio.value == 2.0
    assert ratio.error == pytest.approx(2 * math.hypot(0.03, 0.04))
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.5).value == 2.5
