"""Ctrl-C at a moment of our choosing."""

import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from stream.interrupts import NUMBERS, interrupts_held, is_interrupted, set_on_signals


def interrupted(block: Callable[[], None]) -> KeyboardInterrupt:
    """What is raised when the block runs with interrupts held."""
    with pytest.raises(KeyboardInterrupt) as caught, interrupts_held():
        block()
    return caught.value


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_waits_for_the_end_of_the_block(number: signal.Signals) -> None:
    done = []

    def block() -> None:
        signal.raise_signal(number)
        done.append("after the signal")

    before = signal.signal(number, signal.default_int_handler)
    try:
        interrupted(block)
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, before)
    assert done == ["after the signal"]


def test_a_second_interrupt_does_not_wait() -> None:
    done = []

    def block() -> None:
        signal.raise_signal(signal.SIGINT)
        done.append("after the first")
        signal.raise_signal(signal.SIGINT)
        done.append("after the second")

    interrupted(block)
    assert done == ["after the first"]


def test_it_waits_for_the_outermost_block() -> None:
    done = []

    def block() -> None:
        with interrupts_held():
            signal.raise_signal(signal.SIGINT)
        done.append("after the inner block")

    interrupted(block)
    assert done == ["after the inner block"]


def test_an_error_of_an_interrupted_block_is_the_context_of_the_interrupt() -> None:
    def block() -> None:
        signal.raise_signal(signal.SIGINT)
        raise ValueError("half done")

    assert isinstance(interrupted(block).__context__, ValueError)


def test_a_program_with_a_handler_of_its_own_keeps_it() -> None:
    seen = []
    before = signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
    try:
        with interrupts_held():
            signal.raise_signal(signal.SIGTERM)
            assert seen == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_another_thread_has_nothing_to_hold() -> None:
    entered = []

    def run() -> None:
        with interrupts_held():
            entered.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert entered == [signal.default_int_handler]


@pytest.fixture
def handlers() -> Iterator[None]:
    """The handlers of before come back after the test."""
    before = {number: signal.getsignal(number) for number in NUMBERS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_sets_an_event_though_the_main_thread_is_inside_its_wait(
    number: signal.Signals, handlers: None
) -> None:
    stop = threading.Event()
    set_on_signals(stop)
    with stop._cond:  # type: ignore[attr-defined] # as `wait` holds it before and after it waits
        signal.raise_signal(number)
    assert stop.wait(30)


def test_further_signals_change_nothing(handlers: None) -> None:
    stop = threading.Event()
    set_on_signals(stop)
    for number in (*NUMBERS, *NUMBERS):
        signal.raise_signal(number)
    assert stop.wait(30)


def test_an_error_that_an_interrupt_has_become_is_told_from_others() -> None:
    def failing(*, interrupted: bool) -> BaseException:
        try:
            try:
                try:
                    if interrupted:
                        raise KeyboardInterrupt
                finally:
                    raise TimeoutError("cannot flush")
            except TimeoutError as error:
                raise ValueError("does not answer") from error
        except ValueError as error:
            return error

    assert is_interrupted(failing(interrupted=True))
    assert is_interrupted(KeyboardInterrupt())
    assert not is_interrupted(failing(interrupted=False))
    assert not is_interrupted(None)
