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
