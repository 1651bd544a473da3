"""Single keys from a terminal."""

import os
import select
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def keys(at_end: str) -> Iterator[Callable[[], str]]:
    """Yields what waits for a key, `at_end` where no more can come.

    The terminal hands each on at once and keeps those typed ahead; Ctrl-C still interrupts.
    """
    stdin = sys.stdin.fileno()

    def read_key() -> str:
        key = os.read(stdin, 1)
        if key == b"\x1b":  # an arrow or function key: the letters that follow are none of ours
            while select.select([stdin], [], [], 0)[0]:
                os.read(stdin, 1)
        return key.decode("ascii", "replace") or at_end

    before = termios.tcgetattr(stdin)
    tty.setcbreak(stdin)
    try:
        yield read_key
    finally:
        termios.tcsetattr(stdin, termios.TCSADRAIN, before)
