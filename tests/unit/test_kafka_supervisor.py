"""The supervisor with a harmless program in Java's place."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.kafka import supervisor
from tests.integration.processes import alive, descendants, eventually

SLEEP = (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
)


class Supervised:
    """A program under a supervisor, both running."""

    def __init__(self, scratch: str, command: tuple[str, ...]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", supervisor.__file__, scratch, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"up\n"
        (self.program,) = descendants(self.process.pid)

    def close_input(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    (folder / "data").write_text("x")
    return folder


@pytest.fixture
def started() -> Iterator[list[Supervised]]:
    running: list[Supervised] = []
    yield running
    for each in running:
        each.end()


def supervise(started: list[Supervised], scratch: str, command: tuple[str, ...] = SLEEP) -> Supervised:
    started.append(Supervised(scratch, command))
    return started[-1]


def test_the_program_ends_in_order_when_the_input_closes(started: list[Supervised]) -> None:
    supervised = supervise(started, "")
    supervised.close_input()
    assert supervised.process.wait(10) == -signal.SIGTERM % 256
    assert not alive({supervised.program})


def test_a_program_whose_data_is_thrown_away_ends_at_once_and_its_folder_is_removed(
    started: list[Supervised], scratch: Path
) -> None:
    supervised = supervise(started, str(scratch), STUBBORN)
    supervised.close_input()
    assert supervised.process.wait(10) == -signal.SIGKILL % 256
    assert not alive({supervised.program})
    assert not scratch.exists()


def test_a_stubborn_program_is_killed_after_the_grace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    impatient = tmp_path / "supervisor.py"
    impatient.write_text(Path(supervisor.__file__).read_text().replace(f"GRACE = {supervisor.GRACE}", "GRACE = 0.2"))
    monkeypatch.setattr(supervisor, "__file__", str(impatient))
    supervised = Supervised("", STUBBORN)
    supervised.close_input()
    assert supervised.process.wait(10) == -signal.SIGKILL % 256
    supervised.end()


def test_the_program_ends_with_a_supervisor_that_is_killed(started: list[Supervised]) -> None:
    supervised = supervise(started, "", STUBBORN)
    supervised.process.kill()
    assert eventually(lambda: not alive({supervised.program}))


def test_ctrl_c_reaches_neither_of_them(started: list[Supervised]) -> None:
    supervised = supervise(started, "")
    assert os.getsid(supervised.process.pid) == os.getsid(supervised.program) != os.getsid(0)


def test_a_program_that_ends_by_itself_keeps_its_folder_for_inspection(
    started: list[Supervised], scratch: Path
) -> None:
    command = (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(1); raise SystemExit(3)")
    supervised = supervise(started, str(scratch), command)
    assert supervised.process.wait(10) == 3
    assert scratch.exists()
