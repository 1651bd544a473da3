"""The window by age, against the same window counted from the whole log by its definition."""

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.core.aged import PANES, SECOND, new_aged
from stream.core.alerts import digits
from stream.core.entropy import entropy
from stream.core.events import Aside, DriftEvent, Rule, Status
from stream.core.limits import Limit
from stream.core.monitor import Monitor, Observed
from stream.core.records import Scored
from stream.core.settings import EngineSettings
from tests.simulation.logs import collected, scored

AGE = PANES * 10
"""In microseconds, so that a pane is ten of them."""


@dataclass
class Definition:
    """Every response with its time; the watermark as the module says it, without panes that are emptied."""

    counted: list[tuple[int, int, int]] = field(default_factory=list)
    watermark: int | None = None
    waiting: tuple[int, int, int] | None = None
    late: int = 0
    ahead: int = 0

    def take(self, category: int, ts: int, seq: int) -> None:
        if self.watermark is None:
            self.watermark = ts
        if ts > self.watermark + AGE:
            if self.waiting is None:
                self.waiting = (category, ts, seq)
                return
            nearer, farther = sorted(
                [self.waiting, (category, ts, seq)], key=lambda one: (one[1], one is not self.waiting)
            )
            self.waiting = None
            self.put(*nearer)
            self.take(*farther)
            return
        if self.waiting is not None:
            self.ahead, self.waiting = self.ahead + 1, None
        self.put(category, ts, seq)

    def put(self, category: int, ts: int, seq: int) -> None:
        assert self.watermark is not None
        self.watermark = max(self.watermark, ts)
        if ts // 10 <= self.watermark // 10 - PANES:
            self.late += 1
        else:
            self.counted.append((category, ts, seq))

    def window(self) -> list[tuple[int, int, int]]:
        assert self.watermark is not None
        return [one for one in self.counted if one[1] // 10 > self.watermark // 10 - PANES]


steps = st.one_of(st.integers(-50, 60), st.integers(-3 * AGE, 3 * AGE))


@settings(deadline=None)
@given(
    moves=st.lists(st.tuples(st.integers(0, 4), steps), min_size=1, max_size=120),
    cuts=st.lists(st.integers(0, 120), max_size=5),
)
def test_any_times_are_counted_as_the_definition_says_wherever_they_are_cut(
    moves: list[tuple[int, int]], cuts: list[int]
) -> None:
    aged, expected = new_aged(AGE, 5), Definition()
    times = 1_000_000 + np.cumsum([step for _, step in moves])
    categories = np.array([category for category, _ in moves], np.uint8)
    edges = sorted({0, len(moves), *(cut for cut in cuts if cut < len(moves))})
    for start, end in pairwise(edges):
        aged.take(categories, times, (start, end), start)
        for seq in range(start, end):
            expected.take(int(categories[seq]), int(times[seq]), seq)
        window = expected.window()
        assert aged.panes.sum(axis=0).tolist() == np.bincount([one[0] for one in window], minlength=5).tolist()
        assert aged.aside() == Aside(late=expected.late, ahead=expected.ahead)
        span = aged.span(len(window), end)
        assert span.end == expected.watermark
        assert span.first_seq == min(one[2] for one in window)
        assert span.start <= min(one[1] for one in window)


SETTINGS = EngineSettings(
    window=200, stride=20, learn_from=400, false_alarm_interval=5_000, window_age=60 * SECOND, epsilon=0.2
)


def timed(categories: npt.NDArray[np.uint8], seconds: npt.NDArray[np.float64], *, start: int = 0) -> Scored:
    return replace(scored(categories, start=start), ts=np.rint(seconds * SECOND).astype(np.int64))


def traffic(n: int, seed: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
    """A log whose traffic swells and falls, some of it out of order."""
    random = np.random.default_rng(seed)
    gaps = random.exponential(0.2, n) * (1 + 3 * (np.arange(n) // 300 % 2))
    late = np.where(random.random(n) < 0.05, random.exponential(40, n), 0)
    return random.choice(5, n, p=[0.7, 0.1, 0.1, 0.05, 0.05]).astype(np.uint8), np.cumsum(gaps) - late + 10_000


def test_drift_events_have_the_entropy_and_span_of_the_last_minute() -> None:
    categories, seconds = traffic(3_000, 3)
    (events, _) = collected([Monitor("m", SETTINGS).observe(timed(categories, seconds))])
    assert len({event.n for event in events}) > 20
    for event in events:
        ts = np.rint(seconds[: event.seq + 1] * SECOND).astype(np.int64)
        watermark = int(ts.max())
        inside = ts // SECOND > watermark // SECOND - PANES
        arrived = [int(ts[: place + 1].max()) for place in range(len(ts))]
        inside &= ts // SECOND > np.array(arrived) // SECOND - PANES
        counts = np.bincount(categories[: event.seq + 1][inside], minlength=5)
        assert event.counts == tuple(counts)
        assert event.entropy.value == digits(entropy(counts))
        assert (event.window.end, event.window.n) == (watermark, int(counts.sum()))
        assert event.window.last_seq == event.seq
        assert event.window.start <= int(ts[inside].min())
        late = sum(one // SECOND <= most // SECOND - PANES for one, most in zip(ts.tolist(), arrived, strict=True))
        assert event.aside == Aside(late=late, ahead=0)
    assert events[-1].aside is not None
    assert events[-1].aside.late > 0


def test_a_step_of_entropy_is_that_between_two_full_windows_a_stride_apart() -> None:
    categories, seconds = traffic(2_000, 4)
    (events, _) = collected([Monitor("m", SETTINGS).observe(timed(categories, seconds))])
    strides = [event for event in events if (event.seq + 1) % 20 == 0]
    begun = round(float(seconds[0]) * SECOND)
    full = [event.window.end - begun >= 60 * SECOND for event in strides]
    for place in range(1, len(strides)):
        both = full[place] and full[place - 1]
        step = strides[place].entropy.value - strides[place - 1].entropy.value
        assert strides[place].delta == (pytest.approx(step, abs=1e-8) if both else None)


def test_one_wrong_clock_does_not_make_all_that_follows_late_and_a_real_pause_ends_with_its_second_response() -> None:
    seconds = np.arange(400.0) + 1e6
    seconds[150] += 1e6
    seconds[300:] += 86_400
    (events, _) = collected([Monitor("m", SETTINGS).observe(timed(np.zeros(400, np.uint8), seconds))])
    assert {event.n for event in events if 160 <= event.seq < 300} == {59, 60}
    assert events[-1].aside == Aside(late=0, ahead=1)
    assert next(event.n for event in events if event.seq >= 300) == 20


def test_limits_judge_the_window_by_age() -> None:
    categories = np.zeros(1_200, np.uint8)
    categories[1_000:] = np.tile([1, 0], 100)
    slow = np.concatenate([np.arange(1_000) * 0.1, 100 + np.arange(200) * 1.0])
    limit = Limit(rule=Rule.CATEGORY_SHARE, category=1, above=0.2, min_n=50)
    chosen = replace(SETTINGS, limits=(limit,), epsilon=None)
    (_, alerts) = collected([Monitor("m", chosen).observe(timed(categories, slow))])
    alert = next(alert for alert in alerts if alert.rule is Rule.CATEGORY_SHARE)
    assert alert.status is Status.FIRING
    assert alert.n <= 120
    assert alert.onset.low == alert.onset.ts - 60 * SECOND


def test_a_window_by_age_is_the_same_wherever_the_log_is_cut_and_the_monitor_put_down() -> None:
    categories, seconds = traffic(1_500, 5)
    seconds[700] += 1e5
    whole, moved = Monitor("m", SETTINGS), Monitor("m", SETTINGS)
    expected = collected([whole.observe(timed(categories, seconds))])
    seen: list[Observed] = []
    edges = [0, 1, 17, 20, 399, 400, 701, 1_111, 1_500]
    for start, end in pairwise(edges):
        seen.append(moved.observe(timed(categories[start:end], seconds[start:end], start=start)))
        moved = Monitor.restore("m", SETTINGS, moved.snapshot())
    assert collected(seen) == expected
    assert moved.snapshot() == whole.snapshot()


def test_what_goes_by_responses_is_untouched_by_an_age() -> None:
    categories, seconds = traffic(2_000, 6)
    plain = replace(SETTINGS, window_age=None, epsilon=None)
    aged = replace(plain, window_age=3600 * SECOND)
    by_count = collected([Monitor("m", plain).observe(timed(categories, seconds))])
    by_age = collected([Monitor("m", aged).observe(timed(categories, seconds))])
    assert by_count[1] == by_age[1]

    def kept(event: DriftEvent) -> tuple[object, ...]:
        return event.drift_id, event.statistic, event.threshold, event.state, event.rate, event.reference

    assert list(map(kept, by_count[0])) == list(map(kept, by_age[0]))
    assert all(event.aside is None for event in by_count[0])


def test_state_does_not_grow_with_the_age_and_ages_out_of_range_are_refused() -> None:
    sizes = {
        len(Monitor("m", replace(SETTINGS, window_age=age * SECOND)).snapshot()) for age in (1, 3_600, 86_400 * 366)
    }
    assert len(sizes) == 1
    for age in (SECOND - 1, 367 * 86_400 * SECOND):
        with pytest.raises(ValueError, match="window_age must be 1 second to 366 days"):
            replace(SETTINGS, window_age=age)
