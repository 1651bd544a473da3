"""The pace of producing."""

import pytest

from stream.kafka.produce import Clock, Pace

SECOND = 1_000_000


class Time:
    """A clock that a test moves by hand, in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


def test_full_speed_never_waits(time: Time) -> None:
    clock = Clock(Pace(), time)
    assert [clock.pause(ts) for ts in (None, 0, 10**15)] == [0, 0, 0]


def test_a_rate_spaces_lines_evenly_whatever_their_times(time: Time) -> None:
    clock = Clock(Pace(rate=4), time)
    assert [clock.pause(ts) for ts in (None, 5 * SECOND, 0)] == [0, 0.25, 0.5]


def test_a_rate_makes_up_for_lines_that_were_late(time: Time) -> None:
    clock = Clock(Pace(rate=4), time)
    clock.pause(None)
    time.now += 0.2
    assert clock.pause(None) == pytest.approx(0.05)


def test_a_speed_follows_the_lines_own_times(time: Time) -> None:
    clock = Clock(Pace(speed=60), time)
    assert clock.pause(100 * SECOND) == 0
    assert clock.pause(160 * SECOND) == pytest.approx(1)
    time.now += 5
    assert clock.pause(700 * SECOND) == pytest.approx(5)


def test_a_line_without_a_time_or_from_the_past_does_not_wait(time: Time) -> None:
    clock = Clock(Pace(speed=1), time)
    clock.pause(100 * SECOND)
    assert clock.pause(None) <= 0
    assert clock.pause(50 * SECOND) <= 0


@pytest.mark.parametrize("values", [{"rate": 0}, {"speed": -1}, {"rate": 1, "speed": 1}, {"rate": float("nan")}])
def test_a_pace_that_makes_no_sense_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must be above 0|not both"):
        Pace(**values)
