"""Independent tasks on some processes, results in the order of the tasks; an interruption ends the processes at once."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import TypeVar

from stream.errors import BacktestError
from stream.interrupts import interrupts_held

T = TypeVar("T")
Told = Callable[[str, int, int], None]
"""Called with a stage, its tasks done and their number."""


class Pool:
    """Carries out tasks; each has its own seed, so that the results do not depend on the number of processes."""

    def __init__(self, executor: ProcessPoolExecutor | None, told: Told) -> None:
        self._executor = executor
        self._told = told

    def run(self, stage: str, tasks: Sequence[Callable[[], T]]) -> list[T]:
        """Results of the tasks, in their order; what a task needs must be picklable where there are processes."""
        self._told(stage, 0, len(tasks))
        if self._executor is None:
            results = []
            for done, task in enumerate(tasks, 1):
                results.append(task())
                self._told(stage, done, len(tasks))
            return results
        with interrupts_held(), _interrupts_left_to_parent():
            futures = [self._executor.submit(task) for task in tasks]
        for done, future in enumerate(as_completed(futures), 1):
            future.result()
            self._told(stage, done, len(tasks))
        return [future.result() for future in futures]


def _silent(_stage: str, _done: int, _tasks: int) -> None:
    pass


@contextmanager
def pool(jobs: int, told: Told = _silent) -> Iterator[Pool]:
    """A pool of so many processes, or of none for one job; they end with the block, at once where it ends with an error."""
    if jobs == 1:
        yield Pool(None, told)
        return
    before = set(multiprocessing.active_children())
    executor = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"))
    try:
        yield Pool(executor, told)
    except BrokenProcessPool:
        raise BacktestError(
            "a process of the backtest was ended from outside, perhaps for want of memory; try again with fewer --jobs"
        ) from None
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        children = set(multiprocessing.active_children()) - before
        for child in children:
            child.terminate()
        for child in children:
            child.join()
        raise
    finally:
        executor.shutdown()


@contextmanager
def _interrupts_left_to_parent() -> Iterator[None]:
    """Processes that are started in the block never see a Ctrl-C, which a terminal sends to all, not even while they begin."""
    resource_tracker.ensure_running()  # at its start it would unblock what is blocked here
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
