"""Trying until it works, is refused, or has taken too long: exponential backoff with full jitter, and what a receiver asks for."""

from collections.abc import Callable
from dataclasses import dataclass

from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_delay, wait_random_exponential

from stream.sinks.outcome import Later, Outcome

SHORTEST = 0.2
LONGEST = 60.0
"""Seconds between two attempts, at least and at most, unless the receiver asks for more."""


@dataclass(frozen=True, slots=True)
class Tried:
    """How it ended, and after how many attempts; `Later` if time was up first."""

    outcome: Outcome
    attempts: int


def persist(
    attempt: Callable[[], Outcome],
    *,
    give_up_after: float,
    sleep: Callable[[float], None],
    report: Callable[[str, int, float], None],
) -> Tried:
    """Attempts again as long as the outcome is `Later`, for at most `give_up_after` seconds.

    `report` is told why, after which attempt, and for how many seconds `sleep` is about to wait. What `sleep` raises ends it.
    """
    retrying = Retrying(
        retry=retry_if_result(lambda outcome: isinstance(outcome, Later)),
        wait=_wait,
        stop=stop_after_delay(give_up_after),
        sleep=sleep,
        before_sleep=lambda state: _report(state, report),
        retry_error_callback=_outcome,
    )
    outcome = retrying(attempt)
    return Tried(outcome, int(retrying.statistics["attempt_number"]))


_backoff = wait_random_exponential(multiplier=1, min=SHORTEST, max=LONGEST)


def _wait(state: RetryCallState) -> float:
    outcome = _outcome(state)
    asked = outcome.wait if isinstance(outcome, Later) and outcome.wait is not None else 0.0
    return max(asked, _backoff(state))


def _report(state: RetryCallState, report: Callable[[str, int, float], None]) -> None:
    outcome = _outcome(state)
    if isinstance(outcome, Later):
        report(outcome.why, state.attempt_number, state.upcoming_sleep)


def _outcome(state: RetryCallState) -> Outcome:
    if state.outcome is None:
        raise ValueError("an attempt that has not ended has no outcome")
    outcome: Outcome = state.outcome.result()
    return outcome
