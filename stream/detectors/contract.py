"""The contract of detectors as checks that anyone can run on a detector of their own; pytest is not needed.

    import pytest
    from stream.detectors.contract import CHECKS

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_my_detector_keeps_the_contract(check):
        check(MyDetector)

Each check takes what makes a new detector, and raises `ContractError` with a sentence that says what was promised and what was found. The
detector must take the five categories of the paper, and must be made so that it finds within `PATIENCE` responses that a model which
helped 19 times in 20 goes off-topic in every second answer.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np

from stream.detectors.detector import Categories, Detector, scan

PATIENCE = 2_000
CALM = 3_000
"""Responses before the change of the checks."""
_BEFORE = np.array([0.95, 0.01, 0.02, 0.01, 0.01])
_AFTER = np.array([0.45, 0.01, 0.02, 0.01, 0.51])

Make = Callable[[], Detector]
Check = Callable[[Make], None]


class ContractError(AssertionError):
    """A detector does not do what the contract promises."""


def _log(seed: int) -> Categories:
    random = np.random.default_rng(seed)
    parts = [random.choice(5, n, p=shares) for n, shares in ((CALM, _BEFORE), (PATIENCE, _AFTER))]
    return np.concatenate(parts).astype(np.uint8)


def _require(condition: object, promise: str, found: object) -> None:
    if not condition:
        raise ContractError(f"{promise}; found {found!r}")


def _said(detector: Detector) -> tuple[object, ...]:
    return (
        detector.drift_detected,
        detector.statistic,
        detector.threshold,
        detector.onset,
        detector.contributors,
    )


def _detections(make: Make) -> Iterator[tuple[int, Detector]]:
    """The detections in some logs: after how many responses, and the detector at that moment."""
    for seed in range(3):
        detector = make()
        for taken, category in enumerate(_log(seed).tolist(), 1):
            detector.update(category)
            if detector.drift_detected:
                yield taken, detector


def starts_without_an_alarm(make: Make) -> None:
    """A new detector has found nothing, and says so in every way."""
    detector = make()
    _require(
        detector.drift_detected is False, "drift_detected is False before the first update", detector.drift_detected
    )
    _require(detector.onset is None, "onset is None before the first update", detector.onset)
    _require(detector.contributors == (), "contributors are empty before the first update", detector.contributors)


def finds_a_gross_change(make: Make) -> None:
    """A gross change is found within `PATIENCE` responses in every log."""
    for seed in range(3):
        detector, log = make(), _log(seed)
        found = []
        for taken, category in enumerate(log.tolist(), 1):
            detector.update(category)
            if detector.drift_detected:
                found.append(taken)
        _require(
            any(taken > CALM for taken in found),
            f"a gross change after {CALM} responses is found within {PATIENCE} more",
            found,
        )


def says_the_same_again(make: Make) -> None:
    """The same responses give the same verdicts, response by response."""
    one, other = make(), make()
    for category in _log(1).tolist():
        one.update(category)
        other.update(category)
        _require(
            _said(one) == _said(other), "equal detectors say the same of equal responses", (_said(one), _said(other))
        )


def scans_as_it_updates(make: Make) -> None:
    """Judging many responses at once alarms at the same responses, with the same onset and contributors, wherever the log is cut."""
    log = _log(2)
    single, many = make(), make()
    expected = []
    for taken, category in enumerate(log.tolist(), 1):
        single.update(category)
        if single.drift_detected:
            expected.append((taken, single.onset, single.contributors))
    found, place = [], 0
    for size in np.random.default_rng(3).integers(1, 400, len(log)).tolist():
        end = min(place + size, len(log))
        while place < end:
            place += scan(many, log[place:end])
            if many.drift_detected:
                found.append((place, many.onset, many.contributors))
    _require(found == expected, "scan and update alarm at the same responses and say the same", (found, expected))


def refuses_what_is_no_category(make: Make) -> None:
    """What is no category is refused with a ValueError, and is not counted."""
    for wrong in (-1, 5, 1.5, math.nan, True, None, "1"):
        detector, other = make(), make()
        for category in (0, 1, 0):
            detector.update(category)
            other.update(category)
        try:
            detector.update(wrong)  # type: ignore[arg-type]  # this is what it must refuse
        except ValueError:
            _require(_said(detector) == _said(other), "a refused value changes nothing", wrong)
        else:
            raise ContractError(f"update refuses what is no category with a ValueError; found that it takes {wrong!r}")


def has_numbers_that_mean_something(make: Make) -> None:
    """Statistic and threshold are told together or not, finite, and an alarm is the statistic reaching the threshold."""
    detector = make()
    for category in _log(0).tolist():
        detector.update(category)
        statistic, threshold = detector.statistic, detector.threshold
        if statistic is None or threshold is None:
            continue
        _require(math.isfinite(statistic), "the statistic is finite", statistic)
        _require(math.isfinite(threshold), "the threshold is finite", threshold)
        if detector.drift_detected:
            _require(
                statistic >= threshold, "at an alarm the statistic has reached the threshold", (statistic, threshold)
            )
        else:
            _require(
                statistic <= threshold, "without an alarm the statistic is below the threshold", (statistic, threshold)
            )


def dates_what_it_finds(make: Make) -> None:
    """An onset is a response that was seen, and is told at a detection only."""
    for taken, detector in _detections(make):
        onset = detector.onset
        _require(onset is None or 0 <= onset < taken, f"the onset is one of the {taken} responses seen, or None", onset)
    detector = make()
    for category in _log(0)[:CALM].tolist():
        detector.update(category)
        if not detector.drift_detected:
            _require(detector.onset is None, "without an alarm the onset is None", detector.onset)
            _require(detector.contributors == (), "without an alarm there are no contributors", detector.contributors)


def names_what_moved(make: Make) -> None:
    """Contributors are distinct categories, largest part first, and their parts add up to 1."""
    for _, detector in _detections(make):
        told = detector.contributors
        if not told:
            continue
        categories, parts = [each.category for each in told], [each.part for each in told]
        _require(len(set(categories)) == len(categories), "contributors are distinct", categories)
        _require(set(categories) <= set(range(5)), "contributors are categories", categories)
        _require(parts == sorted(parts, reverse=True), "contributors come largest part first", parts)
        _require(math.isclose(math.fsum(parts), 1, abs_tol=1e-9), "the parts of contributors add up to 1", parts)


def goes_on_after_an_alarm(make: Make) -> None:
    """An alarm is said once: after ten more updates there is none unless the detector found another change."""
    for seed in range(3):
        detector, log = make(), _log(seed)
        alarms = 0
        for category in log.tolist():
            detector.update(category)
            alarms += detector.drift_detected
        _require(
            alarms <= len(log) // 10, "an alarm is said at the response that raises it, not again and again", alarms
        )


CHECKS: tuple[Check, ...] = (
    starts_without_an_alarm,
    finds_a_gross_change,
    says_the_same_again,
    scans_as_it_updates,
    refuses_what_is_no_category,
    has_numbers_that_mean_something,
    dates_what_it_finds,
    names_what_moved,
    goes_on_after_an_alarm,
)
"""Every check, in the order in which failures explain each other best."""
