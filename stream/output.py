"""Folders of results whose files appear complete or not at all."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream.errors import OutputError
from stream.interrupts import interrupts_held

STAGING = ".valuedrift-partial"
"""Where files grow inside the folder they are meant for: the same file system, so that moving them is a rename."""

SCORED, DRIFT, ALERTS, DEAD_LETTERS = "scored.jsonl", "drift.jsonl", "alerts.jsonl", "deadletter.jsonl"
SUMMARY, REPORT, PLOT = "summary.json", "report.html", "trajectory.png"
"""The files that a run leaves."""


@contextmanager
def output_folder(out: Path) -> Iterator[Path]:
    """A place to write files that move into `out`, replacing their namesakes, when the block ends without an error.

    An error or interruption inside the block leaves `out` as it was: earlier files untouched, no partial ones, and no
    new folder. `out` is locked meanwhile, so that two runs cannot mix their files; what a killed run left behind is removed.

    Raises:
        OutputError: `out` is no folder, cannot be written, or another run is writing into it.
    """
    created = _create(out)
    handle = _lock(out)
    staging = out / STAGING
    try:
        shutil.rmtree(staging, ignore_errors=True)
        try:
            staging.mkdir()
        except OSError as error:
            raise OutputError(f"cannot write into {out}: {error.strerror}; choose another folder with --out") from None
        yield staging
        with interrupts_held():  # half of the files must not be new and half old
            for file in sorted(staging.iterdir()):
                os.replace(file, out / file.name)  # noqa: PTH105 - the promise is this call's: atomic, and it replaces
        created = []
    finally:
        with interrupts_held():
            shutil.rmtree(staging, ignore_errors=True)
            for folder in created:
                if not any(folder.iterdir()):
                    folder.rmdir()
            os.close(handle)


def _create(out: Path) -> list[Path]:
    """Makes the folder and returns what had to be made for it, innermost first."""
    missing = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise OutputError(f"{out} is a file, not a folder; choose another place with --out") from None
    except OSError as error:
        raise OutputError(
            f"cannot create the folder {out}: {error.strerror}; choose another place with --out"
        ) from None
    return missing


def _lock(out: Path) -> int:
    """Takes the folder for this process; the lock goes with the process, however it ends."""
    handle = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise OutputError(
            f"another run is writing into {out}; wait for it, or choose another folder with --out"
        ) from None
    return handle
