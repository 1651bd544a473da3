"""Independent tasks on some processes, results in the order of the tasks; an interruption ends the processes at once."""

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

T = TypeVar("T")
Told = Callable[[int, int], None]
"""Called with the tasks done and their number."""


def run_all(tasks: Sequence[Callable[[], T]], *, jobs: int, told: Told) -> list[T]:
    """Results of the tasks, in their order; what a task needs must be picklable where `jobs` is more than 1.

    Each task has its own seed, so that the results do not depend on the number of jobs.
    """
    told(0, len(tasks))
    if jobs == 1 or len(tasks) < 2:
        results = []
        for done, task in enumerate(tasks, 1):
            results.append(task())
            told(done, len(tasks))
        return results
    before = set(multiprocessing.active_children())
    executor = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), initializer=_leave_interrupts_to_parent)
    try:
        futures = [executor.submit(task) for task in tasks]
        for done, future in enumerate(as_completed(futures), 1):
            future.result()
            told(done, len(tasks))
        return [future.result() for future in futures]
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - before:
            child.terminate()
        raise
    finally:
        executor.shutdown()


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
