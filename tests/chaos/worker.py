"""The worker of `tests.integration.rule_worker` with switches: `python -m tests.chaos.worker FOLDER NUMBER`.

A switch is a file in FOLDER. Worker NUMBER takes `raise-NUMBER`, `hang-NUMBER` or `hog-NUMBER` away and does it, in the classifier;
`freeze-NUMBER` stops the process when drift events and alerts are delivered and states are not. `clock-NUMBER` holds seconds by
which `time.time` of this worker is wrong from then on (what C libraries read of the clock is not moved). Its producer has room
for little, and it takes a moment before states are written, so that faults find something in flight.
"""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import click

from models.classifier import Classification, Pair
from stream import logs
from stream.config import load
from stream.core.taxonomy import PAPER
from stream.errors import ValueDriftError
from stream.worker import run
from stream.worker.app import new_app
from stream.worker.driver import WorkerApp
from stream.worker.table import StateTable
from tests.integration.rule_worker import RuleClassifier

BATCH_SECONDS = 0.03
STATE_SECONDS = 0.1
PRODUCER_BYTES = 4096
SESSION = "CHAOS_SESSION_SECONDS"
HOG_BYTES = 16 * 1024 * 1024


class FaultyClassifier(RuleClassifier):
    """Reads the label from the text, unless a switch says otherwise."""

    def __init__(self, folder: Path, number: int) -> None:
        super().__init__(delay=BATCH_SECONDS)
        self._folder = folder
        self._number = number
        self._clock = folder / f"clock-{number}"
        self._wrong = 0.0
        true_time = time.time
        time.time = lambda: true_time() + self._wrong

    def classify(self, pairs: Sequence[Pair]) -> Classification:
        if self._clock.exists():
            self._wrong = float(self._clock.read_text())
        if took(self._folder / f"raise-{self._number}"):
            raise RuntimeError("the model is gone")
        if took(self._folder / f"hang-{self._number}"):
            time.sleep(3600)
        if took(self._folder / f"hog-{self._number}"):
            taken = []
            while True:
                taken.append(b"x" * HOG_BYTES)
                time.sleep(0.1)
        return super().classify(pairs)


def took(switch: Path) -> bool:
    """Whether the switch was there; it no longer is."""
    try:
        switch.unlink()
    except FileNotFoundError:
        return False
    return True


def late(write: Callable[..., Awaitable[Any]], *, freeze: Path) -> Callable[..., Awaitable[Any]]:
    async def write_late(*args: Any) -> Any:
        await asyncio.sleep(random.random() * STATE_SECONDS)
        if took(freeze):
            os.kill(os.getpid(), signal.SIGSTOP)
        return await write(*args)

    return write_late


def narrow_app(*args: Any) -> WorkerApp:
    app = new_app(*args)
    app.conf.producer_max_batch_size = PRODUCER_BYTES
    app.conf.broker_session_timeout = float(os.environ.get(SESSION, app.conf.broker_session_timeout))
    return app


def main(folder: Path, number: int) -> None:
    logs.set_up(debug=False)
    run.new_app = narrow_app  # type: ignore[attr-defined,assignment]
    StateTable.write = late(StateTable.write, freeze=folder / f"freeze-{number}")  # type: ignore[method-assign,assignment]
    job = run.Job(settings=load(), taxonomy=PAPER, classifier=FaultyClassifier(folder, number), detects=True)
    try:
        run.run_worker(job, say=click.echo)
    except ValueDriftError as error:
        click.echo(f"valuedrift: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
