"""The log is the truth: nothing depends on where it was cut, read again, or put down and taken up."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream.core.control import Accept, Learn, Tick
from stream.core.events import Rule
from stream.core.limits import Limit, NoData, Silence
from stream.core.monitor import Monitor, Observed
from stream.core.records import Scored, Source
from stream.core.settings import EngineSettings
from stream.core.watchers import Watcher
from stream.detectors.durable import durable
from tests.simulation.logs import BROKEN, BUSY, SECOND, Categories, collected, draw, records, scored

ENGINE = EngineSettings(window=60, stride=20, learn_from=150, false_alarm_interval=500, epsilon=0.02)
LENGTH = 1_200


def log(seed: int) -> Categories:
    """A log with everything in it: learning, alarms of each rule, returns."""
    return np.concatenate([draw(BUSY, 500, seed), draw(BROKEN, 300, seed + 1), draw(BUSY, 400, seed + 2)])


seeds = st.integers(0, 2**16)
places = st.lists(st.integers(0, LENGTH), max_size=30)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(seed=seeds, cuts=places)
def test_cuts_change_no_event_and_no_state(seed: int, cuts: list[int]) -> None:
    whole, cut = Monitor("m", ENGINE), Monitor("m", ENGINE)
    expected = collected([whole.observe(scored(log(seed)))])
    assert collected([cut.observe(record) for record in records(log(seed), cuts)]) == expected
    assert cut.snapshot() == whole.snapshot()


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(seed=seeds, cuts=places)
def test_putting_a_monitor_down_and_taking_it_up_changes_nothing(seed: int, cuts: list[int]) -> None:
    whole, moved = Monitor("m", ENGINE), Monitor("m", ENGINE)
    expected = collected([whole.observe(scored(log(seed)))])
    observed: list[Observed] = []
    for record in records(log(seed), cuts):
        observed.append(moved.observe(record))
        moved = Monitor.restore("m", ENGINE, moved.snapshot())
    assert collected(observed) == expected
    assert moved.snapshot() == whole.snapshot()


CONTRASTED = replace(ENGINE, contrast=("version", "region"))


def with_attributes(record: Scored) -> Scored:
    """The record with two attributes, one of few values and sometimes none, and one of ever new ones."""
    places = record.offset.tolist()
    version = tuple(None if place % 7 == 0 else f"v{place // 90 % 11}" for place in places)
    region = tuple(f"r{place * place % 97 if place % 3 else 0}" for place in places)
    return replace(record, attributes={"version": version, "region": region})


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(seed=seeds, cuts=places)
def test_contrasts_are_the_same_wherever_the_log_is_cut_and_the_monitor_put_down(seed: int, cuts: list[int]) -> None:
    whole, moved = Monitor("m", CONTRASTED), Monitor("m", CONTRASTED)
    expected = collected([whole.observe(with_attributes(scored(log(seed))))])
    observed: list[Observed] = []
    for record in records(log(seed), cuts):
        observed.append(moved.observe(with_attributes(record)))
        moved = Monitor.restore("m", CONTRASTED, moved.snapshot())
    assert collected(observed) == expected
    assert moved.snapshot() == whole.snapshot()
    assert any(alert.contrasts for alert in expected[1])


WATCHED = replace(
    ENGINE,
    watchers=(
        Watcher(name="a", detector=durable("ADWIN", {"delta": 0.3, "clock": 1}, memory=12), memory=12),
        Watcher(
            name="k", detector=durable("KSWIN", {"window_size": 12, "stat_size": 4, "alpha": 0.2}, memory=12), memory=12
        ),
        Watcher(name="p", detector=durable("PageHinkley", {"threshold": 0.1}, memory=40), memory=40, category=4),
    ),
)


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(seed=seeds, cuts=st.lists(st.integers(0, LENGTH), max_size=10))
def test_detectors_from_outside_say_the_same_wherever_the_log_is_cut_and_the_monitor_put_down(
    seed: int, cuts: list[int]
) -> None:
    whole, moved = Monitor("m", WATCHED), Monitor("m", WATCHED)
    expected = collected([whole.observe(scored(log(seed)))])
    observed: list[Observed] = []
    for record in records(log(seed), cuts):
        observed.append(moved.observe(record))
        moved = Monitor.restore("m", WATCHED, moved.snapshot())
    assert collected(observed) == expected
    assert moved.snapshot() == whole.snapshot()
    assert any(alert.rule is Rule.RIVER for alert in expected[1])


WITH_LIMITS = replace(
    ENGINE,
    scenarios=("helpful_misaligned=x3", "refusal_excessive=20%"),
    limits=(
        Limit(rule=Rule.CATEGORY_SHARE, category=1, above=0.03, min_n=40),
        Limit(rule=Rule.ENTROPY_LEVEL, above=0.7, below=0.3, min_n=60),
    ),
    no_data=NoData(after=60_000_000, policy=Silence.ALERT),
)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=seeds,
    cuts=places,
    at=st.integers(0, LENGTH),
    learn=st.sampled_from(Learn),
    waited=st.integers(0, 120_000_000),
)
def test_orders_act_where_they_lie_wherever_the_log_is_cut_and_the_monitor_put_down(
    seed: int, cuts: list[int], at: int, learn: Learn, waited: int
) -> None:
    source = Source("valuedrift.scored", 0)
    orders = (
        Tick(monitor="m", ts=(at - 1) * SECOND + waited, source=source, offset=7),
        Accept(control_id="c", monitor="m", ts=0, learn=learn, source=source, offset=8),
    )
    before, after = log(seed)[:at], log(seed)[at:]
    whole, cut = Monitor("m", WITH_LIMITS), Monitor("m", WITH_LIMITS)
    expected = collected([whole.observe(entry) for entry in (scored(before), *orders, scored(after, start=at))])
    seen: list[Observed] = []
    edges = sorted({0, LENGTH, at, *cuts})
    for start, end in pairwise(edges):
        entries = [*(orders if start == at else ()), scored(log(seed)[start:end], start=start)]
        for entry in entries:
            seen.append(cut.observe(entry))
            cut = Monitor.restore("m", WITH_LIMITS, cut.snapshot())
    seen += [cut.observe(order) for order in orders]  # delivered again, or, after all responses, for the first time
    assert collected(seen) == expected
    assert cut.snapshot() == whole.snapshot()


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(seed=seeds, cuts=places, again=st.lists(st.tuples(st.integers(0, LENGTH), st.integers(0, LENGTH)), max_size=5))
def test_reading_a_part_of_the_log_again_changes_nothing(
    seed: int, cuts: list[int], again: list[tuple[int, int]]
) -> None:
    categories = log(seed)
    expected = collected([Monitor("m", ENGINE).observe(scored(categories))])
    monitor, observed = Monitor("m", ENGINE), list[Observed]()
    for record in records(categories, cuts):
        observed.append(monitor.observe(record))
        for start, end in again:
            read = min(end, monitor.seen)
            observed.append(monitor.observe(scored(categories[start:read], start=start)))
    assert collected(observed) == expected


@settings(deadline=None, max_examples=30)
@given(
    counts=st.lists(st.integers(0, 4), min_size=1, max_size=400),
    window=st.sampled_from([20, 40, 100]),
    categories=st.integers(1, 5),
)
def test_counts_of_any_log_are_those_of_its_window(counts: list[int], window: int, categories: int) -> None:
    log_of = np.array([count % categories for count in counts], np.uint8)
    engine = EngineSettings(window=window, stride=20, learn_from=100)
    for event in Monitor("m", engine).observe(scored(log_of)).drift:
        part = log_of[event.window.first_seq : event.window.last_seq + 1]
        assert event.counts == tuple(np.bincount(part, minlength=5))
        assert event.entropy.low <= event.entropy.corrected <= event.entropy.high
