"""Threads share the C library's heaps."""

import subprocess
import sys

PROGRAM = """
import ctypes, threading
from stream.worker.heap import share_heaps
share_heaps()
gathered = threading.Barrier(9)

def allocate():
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc(20_000)
    gathered.wait(60)

threads = [threading.Thread(target=allocate) for _ in range(8)]
for each in threads:
    each.start()
gathered.wait(60)
ctypes.CDLL(None).malloc_stats()
"""


def test_eight_threads_allocate_from_two_heaps() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stderr.count("Arena ") in (0, 1, 2), "none where the C library is not glibc"
