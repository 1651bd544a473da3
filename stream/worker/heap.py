"""The C library's heaps: few, so that what one thread has freed serves another."""

import ctypes

_M_ARENA_MAX = -8
MOST = 2


def share_heaps() -> None:
    """Lets all threads allocate from two heaps; call it before they are started.

    glibc would make up to eight heaps a core, each keeping holes of its own between records of many sizes: under three times the
    capacity a worker then grew by some MB a minute without holding one object more (`python -m tests.bench pressure`). Other C libraries
    have no such call, and are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, MOST)
