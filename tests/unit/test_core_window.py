"""The window of panes says what a list of all responses would."""

from collections.abc import Iterator
from dataclasses import astuple, replace

import numpy as np
import pytest

from stream.core.alerts import digits
from stream.core.entropy import entropy
from stream.core.events import AlertEvent, DriftEvent
from stream.core.settings import EngineSettings
from tests.simulation.logs import BUSY, SECOND, Categories, draw, judged

CALM = EngineSettings(window=60, stride=20, learn_from=100)


def window_of(categories: Categories, seq: int, settings: EngineSettings) -> Categories:
    """Full panes kept and the open one, taken from the whole log."""
    seen = seq + 1
    closed = seen // settings.stride * settings.stride
    return categories[max(0, closed - settings.window) : seen]


@pytest.mark.parametrize("settings", [CALM, EngineSettings(window=100, stride=1, learn_from=100), EngineSettings()])
def test_counts_entropy_and_span_of_each_event_equal_a_recount(settings: EngineSettings) -> None:
    categories = np.concatenate([draw(BUSY, 1_500, 1), draw(BUSY[::-1].copy(), 700, 2)])
    drift, _ = judged(categories, settings)
    assert len(drift) >= len(categories) // settings.stride
    for event in drift:
        window = window_of(categories, event.seq, settings)
        counts = np.bincount(window, minlength=5)
        assert event.counts == tuple(counts)
        assert event.entropy.value == digits(entropy(counts))
        assert (event.n, event.window.n) == (len(window), len(window))
        assert (event.window.first_seq, event.window.last_seq) == (event.seq + 1 - len(window), event.seq)
        assert (event.window.start, event.window.end) == (event.window.first_seq * SECOND, event.seq * SECOND)


def test_an_event_comes_every_stride_counted_from_the_first_response() -> None:
    drift, alerts = judged(draw(BUSY, 905, 3), CALM)
    assert not alerts
    assert [event.seq for event in drift] == list(range(19, 905, 20))


def test_a_change_of_state_between_strides_has_the_open_pane_in_its_window() -> None:
    settings = EngineSettings(window=100, stride=50, learn_from=130)
    drift, _ = judged(draw(BUSY, 200, 4), settings)
    learned = next(event for event in drift if event.state == "ok")
    assert (learned.seq, learned.n, learned.window.first_seq) == (129, 130, 0)
    assert [event.seq for event in drift] == [49, 99, 129, 149, 199]


def test_delta_is_the_difference_between_full_windows_one_stride_apart() -> None:
    categories = draw(BUSY, 400, 5)
    drift, _ = judged(categories, CALM)
    by_seq = {event.seq: event for event in drift}
    assert by_seq[59].delta is None
    for seq in range(79, 400, 20):
        now, before = (np.bincount(window_of(categories, at, CALM), minlength=5) for at in (seq, seq - 20))
        assert by_seq[seq].delta == digits(entropy(now) - entropy(before))


def test_rate_is_the_least_squares_slope_of_surprise_over_the_panes() -> None:
    categories = draw(BUSY, 400, 6)
    drift, _ = judged(categories, CALM)
    event: DriftEvent = drift[-1]
    panes = categories[340:400].reshape(3, 20)
    shares = (np.bincount(panes.ravel(), minlength=5) + 0.3) / (60 + 1.5)
    surprise = -np.log(shares)
    slope = np.polyfit(np.arange(3), surprise[panes].mean(axis=1), 1)[0]
    spread = np.sqrt((shares * surprise**2).sum() - (shares * surprise).sum() ** 2)
    assert event.rate is not None
    assert event.rate.value == pytest.approx(slope, rel=1e-7)
    assert event.rate.high - event.rate.low == pytest.approx(2 * 1.959964 * spread / np.sqrt(20) / np.sqrt(2), rel=1e-6)
    assert event.rate.unit == "nats/stride"


def test_there_is_no_rate_before_three_panes() -> None:
    drift, _ = judged(draw(BUSY, 60, 7), CALM)
    assert [event.rate is None for event in drift] == [True, True, False]


def test_the_rates_interval_covers_zero_for_a_constant_model_19_times_in_20() -> None:
    settings = EngineSettings(window=500, stride=50)
    drift, _ = judged(draw(BUSY, 400_000, 8), settings)
    apart = [event.rate for event in drift if event.rate and (event.seq + 1) % 500 == 0]
    covered = np.mean([rate.low <= 0 <= rate.high for rate in apart])
    assert len(apart) > 700
    assert abs(covered - 0.95) < 0.025


def test_times_that_go_back_a_little_change_no_count() -> None:
    settings = CALM
    from stream.core.monitor import Monitor
    from tests.simulation.logs import scored

    categories = draw(BUSY, 300, 9)
    straight = scored(categories)
    jitter = np.random.default_rng(1).integers(-5, 6, 300) * SECOND
    bent = type(straight)(
        **{
            name: getattr(straight, name)
            for name in ("monitor", "classifier", "source", "offset", "event_id", "category", "attributes")
        },
        ts=straight.ts + jitter,
    )
    one, other = Monitor("m", settings).observe(straight), Monitor("m", settings).observe(bent)
    assert [event.counts for event in one.drift] == [event.counts for event in other.drift]
    assert all(event.window.start == bent.ts[event.window.first_seq] for event in other.drift)


def floats_of(value: object) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from floats_of(part)


def test_every_number_of_an_event_has_nine_significant_digits_and_no_zero_a_sign() -> None:
    settings = replace(CALM, sigma=1 / 3)
    drift, alerts = judged(np.concatenate([draw(BUSY, 1_500, 1), draw(BUSY[::-1].copy(), 700, 2)]), settings)
    events: list[DriftEvent | AlertEvent] = [*drift, *alerts]
    numbers = [number for event in events for number in floats_of(astuple(event))]
    assert len(alerts)
    assert len(numbers) > 10 * len(drift)
    assert [str(number) for number in numbers] == [str(float(f"{number:.9g}") + 0.0) for number in numbers]
