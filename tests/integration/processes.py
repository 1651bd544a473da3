"""Looking at processes and waiting for them, by way of /proc."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

VALUEDRIFT = (sys.executable, "-c", "from stream.cli import main; main()")
"""The program, as a subprocess of this interpreter."""

PATIENCE = 120.0
"""Seconds that a test waits for anything that must come: only a failure takes so long, and a busy machine does not make one."""


def valuedrift(
    *arguments: str, environment: Mapping[str, str] = os.environ, stdin: bytes = b"", timeout: float = PATIENCE
) -> subprocess.CompletedProcess[bytes]:
    """Runs the program to its end, at most `timeout` seconds."""
    return subprocess.run(
        [*VALUEDRIFT, *arguments], env=environment, input=stdin, capture_output=True, timeout=timeout, check=False
    )


def start(*arguments: str, environment: Mapping[str, str] = os.environ) -> subprocess.Popen[str]:
    """Starts the program in a session of its own, as a terminal would: its process group is its foreground group."""
    return subprocess.Popen(
        [*VALUEDRIFT, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def descendants(pid: int) -> set[int]:
    """Process numbers of all children of the process, theirs, and so on."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (status := _read(entry / "stat")):
            parents[int(entry.name)] = int(status.rpartition(")")[2].split()[1])
    found: set[int] = set()
    fresh = {pid}
    while fresh:
        fresh = {child for child, parent in parents.items() if parent in fresh}
        found |= fresh
    return found


def alive(pids: Sequence[int] | set[int]) -> set[int]:
    """Those that run; one that has ended and is not yet fetched by its parent does not."""
    return {
        pid
        for pid in pids
        if (status := _read(Path(f"/proc/{pid}/stat"))) and status.rpartition(")")[2].split()[0] != "Z"
    }


def eventually(condition: Callable[[], bool], *, within: float = PATIENCE) -> bool:
    """Whether the condition comes true in time (seconds)."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def end(process: subprocess.Popen[str]) -> None:
    """Makes sure that a started program is gone, whatever the test found."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
