"""Rules with a detector from outside: river's, on the entropy of the window or on a behaviour's share."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from stream.core.alerts import digits
from stream.core.control import Tick
from stream.core.entropy import entropy
from stream.core.events import AlertEvent, Reason, Rule, Status
from stream.core.limits import NoData, Silence
from stream.core.monitor import Monitor
from stream.core.records import Source
from stream.core.settings import EngineSettings
from stream.core.watchers import Series, Watcher, Watching
from stream.detectors.durable import durable
from stream.detectors.from_river import RiverDetector, river_detector
from tests.simulation.logs import BROKEN, BUSY, Categories, collected, draw, scored

STRIDE, WINDOW = 20, 200
ADWIN = Watcher(name="entropy", detector=durable("ADWIN", {"delta": 0.05, "clock": 1}, memory=500), memory=500)
SETTINGS = EngineSettings(window=WINDOW, stride=STRIDE, learn_from=400, watchers=(ADWIN,))


def log() -> Categories:
    return np.concatenate([draw(BUSY, 2_000, 1), draw(BROKEN, 2_000, 2)])


def gross() -> Categories:
    """The same, but for every second response off-topic in its second half."""
    changed = log()
    changed[2_000::2] = 4
    return changed


def entropies(categories: Categories) -> list[float]:
    ends = range(WINDOW, len(categories) + 1, STRIDE)
    return [digits(entropy(np.bincount(categories[end - WINDOW : end], minlength=5))) for end in ends]


def told(settings: EngineSettings, categories: Categories) -> list[AlertEvent]:
    alerts = collected([Monitor("m", settings).observe(scored(categories))])[1]
    return [alert for alert in alerts if alert.rule is Rule.RIVER]


def detections(detector: RiverDetector, numbers: Sequence[float]) -> list[int]:
    found = []
    for place, number in enumerate(numbers):
        detector.update(number)
        if detector.drift_detected:
            found.append(place)
    return found


def test_it_fires_where_river_itself_finds_a_change_in_the_entropies_of_the_windows() -> None:
    first = detections(river_detector("ADWIN", {"delta": 0.05, "clock": 1}), entropies(log()))[0]
    alert = told(SETTINGS, log())[0]
    assert alert.seq == WINDOW + first * STRIDE - 1
    assert (alert.status, alert.reason) == (Status.FIRING, Reason.DETECTOR_FOUND)
    assert alert.dedup_key == "vd:m:river:entropy"
    assert (alert.statistic, alert.threshold, alert.false_alarm_interval) == (1.0, 1.0, None)
    assert alert.onset.seq == alert.seq + 1 - STRIDE
    assert alert.onset.low <= alert.onset.ts <= alert.onset.high
    assert alert.counts == tuple(np.bincount(log()[alert.seq + 1 - WINDOW : alert.seq + 1], minlength=5))


@pytest.mark.parametrize(
    ("name", "parameters", "made"),
    [
        ("ADWIN", {"delta": 0.05, "clock": 1}, lambda: river_detector("ADWIN", {"delta": 0.05, "clock": 1})),
        (
            "PageHinkley",
            {"threshold": 1.0, "min_instances": 10},
            lambda: river_detector("PageHinkley", {"min_instances": 10, "threshold": 1.0}),
        ),
        (
            "KSWIN",
            {"window_size": 40, "stat_size": 15},
            lambda: river_detector("KSWIN", {"window_size": 40, "stat_size": 15, "seed": 0}),
        ),
    ],
)
def test_on_a_share_it_is_given_that_of_each_stride_and_says_what_river_says(
    name: str, parameters: dict[str, float | int | str], made: Callable[[], RiverDetector]
) -> None:
    shares = [digits(float((part == 4).mean())) for part in gross().reshape(-1, STRIDE)]
    watcher = Watcher(name="off", detector=durable(name, parameters, memory=500), category=4, memory=500)
    expected = detections(made(), shares)
    assert expected
    series = Series()
    assert [place for place, share in enumerate(shares) if series.take(watcher, share)] == expected
    alerts = told(replace(SETTINGS, watchers=(watcher,)), gross())
    assert alerts[0].seq == (expected[0] + 1) * STRIDE - 1
    assert alerts[0].contributors[0].category == "off_topic"
    assert alerts[0].examples


def test_it_resolves_when_nothing_more_was_found_in_a_whole_window_and_a_further_change_keeps_it_open() -> None:
    found = detections(river_detector("ADWIN", {"delta": 0.05, "clock": 1}), entropies(log()))
    alerts = told(SETTINGS, log())
    panes = WINDOW // STRIDE
    quiet = next(place for place, after in zip(found, [*found[1:], 10**9], strict=True) if after > place + panes)
    assert [alert.status for alert in alerts[:2]] == [Status.FIRING, Status.RESOLVED]
    assert alerts[1].reason is Reason.NO_FURTHER_CHANGE
    assert alerts[1].seq == WINDOW + (quiet + panes) * STRIDE - 1
    assert alerts[1].starts_at == alerts[0].starts_at


def test_of_twice_the_memory_the_older_half_is_forgotten_and_the_rest_given_to_a_new_detector() -> None:
    given: list[list[float]] = []

    class Recording:
        def __init__(self) -> None:
            given.append([])

        def update(self, x: float) -> bool:
            given[-1].append(x)
            return False

    class Make:
        def begin(self) -> Watching:
            return Recording()

    series, watcher = Series(), Watcher(name="w", detector=Make(), memory=3)
    for number in range(10):
        series.take(watcher, float(number))
        assert len(series.values) < 6
    assert given == [[0, 1, 2, 3, 4, 5], [3, 4, 5, 6, 7, 8], [6, 7, 8, 9]]


def test_a_state_holds_at_most_twice_the_memory() -> None:
    calm = replace(SETTINGS, watchers=(replace(ADWIN, memory=64),))
    monitor, bare = Monitor("m", calm), Monitor("m", replace(SETTINGS, watchers=()))
    for start in range(0, 20_000, 2_000):
        record = scored(np.zeros(2_000, np.uint8), start=start)
        monitor.observe(record)
        bare.observe(record)
        assert len(monitor.snapshot()) - len(bare.snapshot()) <= 4 + 2 * 64 * 8


def test_silence_that_ends_alerts_ends_its_alert_too() -> None:
    settings = replace(SETTINGS, no_data=NoData(after=60_000_000, policy=Silence.RESOLVE))
    fired = told(settings, log())[0].seq
    monitor = Monitor("m", settings)
    monitor.observe(scored(log()[: fired + 1]))
    tick = Tick(monitor="m", ts=(fired + 100) * 1_000_000, source=Source("log", 1), offset=0)
    keys = {alert.dedup_key: alert for alert in monitor.observe(tick).alerts}
    assert keys["vd:m:river:entropy"].reason is Reason.SILENT


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("DDM", {}, "detector must be one of ADWIN, KSWIN, PageHinkley, got 'DDM'"),
        ("ADWIN", {"deltas": 1}, "ADWIN cannot be made with"),
        ("KSWIN", {"window_size": 1_000}, "memory must be at least KSWIN's window_size of 1000, got 100"),
        ("PageHinkley", {"mode": "sideways"}, "PageHinkley cannot be made with"),
    ],
)
def test_what_cannot_be_a_rule_is_refused(name: str, parameters: dict[str, float | int | str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        durable(name, parameters, memory=100)


def test_settings_of_watchers_that_make_no_sense_are_refused() -> None:
    for watchers, message in (
        ((ADWIN, ADWIN), "watchers must have names of their own"),
        ((replace(ADWIN, category=5),), "a watcher's category must be one of the taxonomy"),
        ((replace(ADWIN, memory=9),), "memory must reach over the window of 200, got 9 strides of 20"),
    ):
        with pytest.raises(ValueError, match=message):
            replace(SETTINGS, watchers=watchers)
    with pytest.raises(ValueError, match="memory must be 1 to 10,000 numbers, got 0"):
        replace(ADWIN, memory=0)
