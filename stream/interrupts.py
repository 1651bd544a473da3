"""Ctrl-C at a moment of our choosing: Python raises it between any two steps, also in the middle of a library's."""

import queue
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

NUMBERS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Ctrl-C inside the block is raised at its end, so that nothing is left half done; a second one is raised at once.

    The same holds for SIGTERM where it raises KeyboardInterrupt, as in our commands that are not asynchronous. A signal that
    has another handler keeps it, and in another thread than the main one there is nothing to hold: Python raises nothing there.
    (Blocking the signals would not do: the system then hands them to another thread, and Python raises them here all the same.)

    Raises:
        KeyboardInterrupt: at the end of the block, whether it ended well or with an error (which is then its context).
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        if caught:
            signal.default_int_handler(number, frame)
        caught.append(number)

    ours = [number for number in NUMBERS if signal.getsignal(number) is signal.default_int_handler]
    try:
        for number in ours:
            signal.signal(number, remember)
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.default_int_handler)
        if caught:
            raise KeyboardInterrupt


def set_on_signals(stop: threading.Event) -> None:
    """From now on Ctrl-C and SIGTERM set the event and raise nothing, whatever the main thread is doing.

    A handler that set the event itself would wait for ever for the event's own lock where the signal finds the main thread inside
    `stop.wait()`. So the handler only says so to a queue, which cannot be held up, and a thread sets the event.
    """
    asked: queue.SimpleQueue[int] = queue.SimpleQueue()

    def run() -> None:
        asked.get()
        stop.set()

    threading.Thread(target=run, name="signals", daemon=True).start()
    for number in NUMBERS:
        signal.signal(number, lambda number, _frame: asked.put(number))


def is_interrupted(error: BaseException | None) -> bool:
    """Says whether Ctrl-C stands behind an error: it is that, or was raised while something was being left because of it."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None
