"""What long work shows while it goes on."""

import pytest

from stream.commands.progress import stages


def test_in_a_pipe_there_is_a_line_a_minute_with_the_time_left_and_none_before(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with stages() as show:
        for step in range(1, 14):
            show("student", step, 100, f"loss {step}")
            now[0] += 10
    assert capsys.readouterr().err.splitlines() == [
        "student: 7 of 100, loss 7, about 0:15:30 left",
        "student: 13 of 100, loss 13, about 0:14:30 left",
    ]


def test_a_bar_shows_the_time_left_of_slow_steps_whose_number_is_an_estimate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with stages() as show:
        show("student", 0, 1, "getting ready")
        now[0] += 60
        show("student", 1, 100, "")
        now[0] += 100
        show("student", 11, 50, "")
    assert "0:06:30" in capsys.readouterr().err  # 39 steps at ten seconds
