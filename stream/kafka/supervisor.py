"""Runs one program and never lets it outlive the process that asked for it: `python supervisor.py SCRATCH COMMAND…`.

The process that asked keeps the other end of standard input. When that closes (it said stop, or was killed, be it by
SIGKILL), the program is stopped: with SIGTERM, and SIGKILL after GRACE seconds; at once where its data is thrown away anyway.
SCRATCH is the folder to remove then, or empty. The supervisor stands in a session of its own, out of reach of the terminal's
Ctrl-C, so that the order of a shutdown is decided by the process that asked. If the supervisor itself is killed, the kernel
kills the program.

This file is run by itself, before anything is installed or imported: it needs the standard library only.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

GRACE = 20.0
"""Seconds that an orderly stop may take."""

_PR_SET_PDEATHSIG = 1


def main(scratch: str, command: list[str]) -> int:
    """Runs the command until it ends or standard input closes; its exit status, negative for a signal."""
    set_death_signal = ctypes.CDLL(None).prctl
    asked = threading.Event()

    def die_with_supervisor() -> None:
        set_death_signal(_PR_SET_PDEATHSIG, signal.SIGKILL)

    # No thread exists yet, so running Python between fork and exec is safe.
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=die_with_supervisor)  # noqa: PLW1509

    def stop() -> None:
        asked.set()
        os.kill(child.pid, signal.SIGKILL if scratch else signal.SIGTERM)

    def stop_when_input_closes() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        stop()
        time.sleep(GRACE)
        os.kill(child.pid, signal.SIGKILL)

    signal.signal(signal.SIGTERM, lambda *_: stop())
    threading.Thread(target=stop_when_input_closes, daemon=True).start()
    status = child.wait()
    if asked.is_set() and scratch:
        shutil.rmtree(scratch, ignore_errors=True)
    return status


def close(process: "subprocess.Popen[bytes]") -> None:
    """Returns when a supervisor (started with a pipe as its standard input) and its program are gone: asked first, killed after a while."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(GRACE + 5)
    except subprocess.TimeoutExpired:
        process.kill()  # the kernel then kills the program
        process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
