"""The real `valuedrift worker` as a subprocess that never outlives its owner."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import tomli_w

from stream.config import PREFIX, Settings
from stream.errors import WorkerError
from stream.kafka import supervisor

READY = "ready"
READY_WITHIN = 90.0
"""Seconds; the first start on a machine compiles the core's loop."""


class WorkerProcess:
    """A worker with exactly these settings, from `with` to its end; its log and its settings lie in `folder`."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        file = self._folder / "worker.toml"
        wanted = {"kafka", "classifier", "worker", "monitor", "reference", "rules"}
        content = self._settings.model_dump(mode="json", exclude_none=True, include=wanted)
        content["kafka"].pop("sasl_password", None)
        file.write_text(tomli_w.dumps(content), encoding="utf-8")
        command = [sys.executable, "-c", "from stream.cli import main; main()", "worker", "--config", str(file)]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", supervisor.__file__, "", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # out of reach of the terminal's Ctrl-C: the order of stopping is decided here
                env=self._environment(),
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def log(self) -> Path:
        """What the worker says."""
        return self._folder / "worker.log"

    def await_ready(self) -> None:
        """Returns when the worker reads its topics.

        Raises:
            WorkerError: it ended or took too long; the message has the end of its log.
        """
        deadline = time.monotonic() + READY_WITHIN
        while READY not in self._said().splitlines():
            self.check()
            if time.monotonic() > deadline:
                raise self._failure(f"was not ready within {READY_WITHIN:.0f} s")
            time.sleep(0.05)

    def check(self) -> None:
        """Does nothing while the worker runs.

        Raises:
            WorkerError: it ended.
        """
        if self._process is None or self._process.poll() is not None:
            raise self._failure("ended though nobody stopped it")

    def stop(self) -> None:
        """Returns when the worker has delivered what it had in flight, and is gone. Stopping twice is fine."""
        if self._process is not None:
            supervisor.close(self._process)
            self._process = None

    def _environment(self) -> dict[str, str]:
        """This process's, without settings: the file has all of them, but for the password, which must not lie on disk."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        if self._settings.kafka.sasl_password is not None:
            environment[f"{PREFIX}KAFKA__SASL_PASSWORD"] = self._settings.kafka.sasl_password.get_secret_value()
        return environment

    def _said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def _failure(self, what: str) -> WorkerError:
        said = "\n".join(self._said().strip().splitlines()[-15:]) or "(nothing)"
        return WorkerError(f"the worker {what}; it said last:\n{said}")
