"""`valuedrift label ask` in a real terminal: keys in, pages out, answers on disk, hostile text without effect."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import pytest

from stream.labelling import folder
from tests.integration.processes import PATIENCE

HOSTILE = "\x1b[2J\x1b]0;owned\x07\x9b2K"
VALUEDRIFT = (sys.executable, "-c", "from stream.cli import main; main()")


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    strata = (folder.StratumEntry("yes", True, 3, (0.9, 0.1)),)  # noqa: FBT003 - a record's field
    design = folder.Design(
        schema=folder.SCHEMA,
        monitor="m",
        classifier="t@0",
        categories=("yes", "no"),
        seed=1,
        responses=3,
        without_text=0,
        counts=(3, 0),
        mean=(0.9, 0.1),
        covariance=((0.0, 0.0), (0.0, 0.0)),
        strata=strata,
    )
    rows = [
        folder.SampleRow(row=f"r{at}", stratum=0, event_id=f"e{at}", probs=(0.9, 0.1), prompt=HOSTILE, response="so")
        for at in range(3)
    ]
    folder.write_sample(tmp_path, design, rows)
    return tmp_path


class Session:
    """A person at a terminal."""

    def __init__(self, sample: Path) -> None:
        self.screen, there = pty.openpty()
        self.process = subprocess.Popen(
            [*VALUEDRIFT, "label", "ask", str(sample)], stdin=there, stdout=there, stderr=there, start_new_session=True
        )
        os.close(there)
        self.seen = b""

    def until(self, words: bytes) -> bytes:
        """What appeared since the last call, up to these words."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.seen:
            ready, _, _ = select.select([self.screen], [], [], 1)
            assert time.monotonic() < deadline, self.seen
            if ready:
                self.seen += os.read(self.screen, 65_536)
        shown, self.seen = self.seen.split(words, 1)
        return shown

    def press_arrow_down(self) -> None:
        """Three bytes, of which one is a letter that means something to us."""
        os.write(self.screen, b"\x1b[B")

    def press(self, key: str) -> None:
        os.write(self.screen, key.encode())

    def left(self) -> int:
        """The exit status."""
        return self.process.wait(PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.screen)


def test_answers_are_on_disk_at_once_and_a_killed_labelling_goes_on(sample: Path) -> None:
    with Session(sample) as first:
        shown = first.until(b"all answers are saved")
        assert b"0 of 3 labelled" in shown
        assert b"\\x1b[2J\\x1b]0;owned\\x07\\x9b2K" in shown
        assert b"\x1b]0;" not in shown
        first.press("2")
        first.until(b"1 of 3 labelled")
        first.process.kill()
    assert labels(sample) == {"r0": "no"}

    with Session(sample) as second:
        second.until(b"1 of 3 labelled")
        second.press("s")
        second.until(b"1 of 3 labelled")
        second.press_arrow_down()
        second.until(b"1 of 3 labelled")
        second.press("1")
        second.until(b"2 of 3 labelled, 1 skipped")
        assert second.left() == 0
    assert labels(sample) == {"r0": "no", "r1": None, "r2": "yes"}


def test_ctrl_c_keeps_what_was_answered(sample: Path) -> None:
    with Session(sample) as person:
        person.until(b"0 of 3 labelled")
        person.press("1")
        person.until(b"1 of 3 labelled")
        person.process.send_signal(signal.SIGINT)  # as Ctrl-C does where the terminal is the process's own
        person.until(b"interrupted")
        assert person.left() == 130
    assert labels(sample) == {"r0": "yes"}


def labels(sample: Path) -> folder.Labels:
    """What is on disk."""
    found: folder.Labels = json.loads((sample / folder.LABELS).read_text())["labels"]
    return found
