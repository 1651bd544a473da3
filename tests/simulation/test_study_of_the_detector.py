"""What `python -m tests.bench.study_detection` rests on: its runs judge as a monitor does, and its oracle and logs are what they claim."""

from collections.abc import Callable
from itertools import islice

import numpy as np
import pytest

from stream.backtest.feeds import taken
from stream.backtest.models import (
    BASES,
    CHANGES,
    FITTED,
    OTHERS,
    SLIGHT,
    STRONG,
    Floats,
    Random,
    Traffic,
    bursty,
    daily,
    divergence,
    flat,
    log,
    nested,
    random_changes,
    steady,
    usual,
)
from stream.backtest.runs import first_alarm
from stream.core.events import Rule
from stream.core.monitor import Monitor
from stream.core.settings import EngineSettings
from tests.bench.study_detection import REFERENCES, Sizes, declared_changes, main, moving_traffic, single_references
from tests.bench.study_runs import KNOB, Study, detector, interval, oracle
from tests.simulation.logs import BUSY, SWAPPED, draw, scored

TINY = Sizes(interval=3, long_interval=2, delay=4, random_delay=2, oracle=40, reference=3)


@pytest.mark.parametrize("rule", [Rule.DRIFT, Rule.TRAFFIC_MIX])
def test_a_run_alarms_at_the_response_at_which_a_monitor_does(rule: Rule) -> None:
    settings = EngineSettings(learn_from=500, watch="all", traffic_mix=rule is Rule.TRAFFIC_MIX)
    study = Study(watch="all" if rule is Rule.DRIFT else None, learned=500, runs=1, random=np.random.default_rng(0))
    for seed in range(10):
        categories = np.concatenate([draw(BUSY, 2_000, seed), draw(flat(BASES[1] * [1, 3, 1, 1]), 2_000, seed + 50)])
        alerts = [alert for alert in Monitor("m", settings).observe(scored(categories)).alerts if alert.rule is rule]
        first, rest = taken(iter(np.split(categories, 8)), 500)
        judged, alarmed = first_alarm(detector(study, np.bincount(first, minlength=5)), rest, 3_500)
        assert alarmed
        assert alerts[0].seq == 500 + judged - 1


def exact_delay(up: float, limit: int, start: Floats) -> float:
    """Mean responses until a walk on 0, 1, … that rises with `up` and falls with 8 % less that reaches `limit`, over its states `start`."""
    leaves = np.zeros((limit, limit))
    for state in range(limit):
        leaves[state, state] += 0.08
        leaves[state, max(state - 1, 0)] -= 0.08 - up
        if state + 1 < limit:
            leaves[state, state + 1] -= up
    return float(start @ np.linalg.solve(leaves, np.ones(limit)))


def test_the_oracle_has_the_delay_that_linear_equations_give_at_the_same_interval() -> None:
    """Its steps for this change are ± ln 3, so that it is a walk on whole numbers with two limits that enclose the knob."""
    intervals = [exact_delay(0.02, limit, np.eye(limit)[0]) for limit in (5, 6)]
    assert intervals[0] < KNOB < intervals[1]
    part = (KNOB - intervals[0]) / (intervals[1] - intervals[0])
    delays = []
    for limit in (5, 6):
        at_rest = (1 / 3) ** np.arange(limit)
        delays.append(exact_delay(0.06, limit, at_rest / at_rest.sum()))
    found = oracle((nested(BUSY), nested(SWAPPED)), runs=1_000)
    assert found.error < 4
    assert abs(found.value - (1 - part) * delays[0] - part * delays[1]) < 3.5 * found.error


@pytest.mark.parametrize("traffic", [steady, bursty, daily])
def test_traffic_moves_only_the_harmful_share_and_keeps_its_mean(traffic: Traffic) -> None:
    random = np.random.default_rng(3)
    pieces = list(islice(log(BASES[1], traffic, random), 1_000))
    found = nested(np.bincount(np.concatenate(pieces), minlength=5) / sum(map(len, pieces)))
    model = usual(BASES[1], traffic)
    assert np.allclose(found, model, rtol=0.15)
    assert np.array_equal(np.delete(model, 1), np.delete(BASES[1], 1))


def test_waves_and_days_move_the_harmful_share() -> None:
    random = np.random.default_rng(4)
    levels = {round(float(piece[0]), 9) for piece in islice(bursty(0.05, random), 20)}
    assert levels == {0.05, 0.3}
    day = np.concatenate(list(islice(daily(0.05, random), 5)))
    assert len(day) == 5_000
    assert (day.min(), day.mean(), day.max()) == pytest.approx((0.01, 0.05, 0.09), abs=1e-5)


def test_a_model_is_the_same_as_its_shares_of_categories() -> None:
    for model in (*FITTED, *OTHERS, *(after for _, after in CHANGES.values())):
        assert flat(model).sum() == pytest.approx(1)
        assert np.allclose(nested(flat(model)), model)


def test_random_changes_are_as_large_as_is_said() -> None:
    sizes = [divergence(after, before) for before, after in random_changes(6, 1)]
    assert len(sizes) >= 6
    assert all(0.95 * SLIGHT <= size <= 1.001 * STRONG for size in sizes)


def test_learning_takes_the_first_responses_and_leaves_the_rest() -> None:
    categories = draw(BUSY, 1_000, 5)
    first, rest = taken(iter(np.split(categories, [300, 700])), 450)
    assert first.tolist() == categories[:450].tolist()
    assert np.concatenate(list(rest)).tolist() == categories[450:].tolist()


def test_a_known_reference_has_about_the_interval_of_the_knob() -> None:
    study = Study(watch="all", knob=2_000, learned=None, runs=100, random=np.random.default_rng(6))
    found = interval(BASES[1], study)
    assert 0.06 * found.value < found.error < 0.15 * found.value
    assert 1_300 < found.value < 3_000


@pytest.mark.parametrize(("study", "columns"), [(declared_changes, 7), (moving_traffic, 4), (single_references, 4)])
def test_a_table_has_a_row_for_every_reference(
    study: Callable[[Sizes, Random], None], columns: int, capsys: pytest.CaptureFixture[str]
) -> None:
    study(TINY, np.random.default_rng(7))
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert len(lines) == 1 + len(REFERENCES)
    assert all(line.count(" ± ") == columns for line in lines[1:])


def test_an_unknown_option_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--fast"]) == 2
    assert "--quick" in capsys.readouterr().err
