"""Every detector that ships keeps the contract; and the checks of the contract catch detectors that do not."""

from collections.abc import Callable

import pytest

from stream.core.settings import EngineSettings
from stream.detectors.calibrated import Calibrated
from stream.detectors.contract import (
    CHECKS,
    Check,
    ContractError,
    dates_what_it_finds,
    finds_a_gross_change,
    goes_on_after_an_alarm,
    has_numbers_that_mean_something,
    names_what_moved,
    refuses_what_is_no_category,
    says_the_same_again,
    scans_as_it_updates,
    starts_without_an_alarm,
)
from stream.detectors.cusum import Cusum
from stream.detectors.detector import Categories, Contributor, Detector
from stream.detectors.epsilon import Epsilon
from stream.detectors.from_river import OnEntropy, OnShares

SHIPPED: dict[str, Callable[[], Detector]] = {
    "calibrated": Calibrated,
    "calibrated, all streams": lambda: Calibrated(EngineSettings(watch="all", window=100, stride=10, learn_from=300)),
    "calibrated, reference given": lambda: Calibrated(reference=[9_500, 100, 200, 100, 100]),
    "epsilon": lambda: Epsilon(epsilon=0.2, window=100, stride=50),
    "CUSUM": lambda: Cusum([0.95, 0.01, 0.02, 0.01, 0.01], [0.45, 0.01, 0.02, 0.01, 0.51], limit=6.0),
    "ADWIN on S": lambda: OnEntropy("ADWIN", {"delta": 1e-4}),
    "ADWIN on shares": lambda: OnShares("ADWIN", {"delta": 1e-4}),
    "PageHinkley on S": lambda: OnEntropy("PageHinkley", {"threshold": 30}),
    "PageHinkley on shares": lambda: OnShares("PageHinkley", {"threshold": 20}),
    "DDM on shares": lambda: OnShares("DDM"),
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_detector_keeps_the_contract(name: str, check: Check) -> None:
    check(SHIPPED[name])


class Broken(Calibrated):
    """Keeps the contract but for one promise, which `flaw` names."""

    flaw = ""
    made = 0

    def __init__(self) -> None:
        super().__init__(reference=[9_500, 100, 200, 100, 100])
        Broken.made += 1
        self.number = Broken.made
        self.alarmed = False

    @property
    def drift_detected(self) -> bool:
        if self.flaw == "blind":
            return False
        return super().drift_detected or self.flaw == "eager" or (self.flaw == "stuck" and self.alarmed)

    @property
    def statistic(self) -> float:
        value = super().statistic
        return {"moody": value + self.number, "not a number": float("nan"), "weak": value / 100}.get(self.flaw, value)

    @property
    def onset(self) -> int | None:
        onset = super().onset
        return None if onset is None else onset + (100_000 if self.flaw == "ahead" else 0)

    @property
    def contributors(self) -> tuple[Contributor, ...]:
        told = super().contributors
        return tuple(Contributor(category, part / 2) for category, part in told) if self.flaw == "half" else told

    def update(self, x: int) -> None:
        super().update(0 if self.flaw == "careless" and not isinstance(x, int) else x)
        self.alarmed = self.alarmed or super().drift_detected


@pytest.mark.parametrize(
    ("flaw", "check"),
    [
        ("eager", starts_without_an_alarm),
        ("blind", finds_a_gross_change),
        ("moody", says_the_same_again),
        ("careless", refuses_what_is_no_category),
        ("not a number", has_numbers_that_mean_something),
        ("weak", has_numbers_that_mean_something),
        ("ahead", dates_what_it_finds),
        ("half", names_what_moved),
        ("stuck", goes_on_after_an_alarm),
    ],
)
def test_a_flaw_is_caught(flaw: str, check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Broken, "flaw", flaw)
    with pytest.raises(ContractError):
        check(Broken)


def test_a_scan_that_differs_from_updates_is_caught() -> None:
    class Skips(Calibrated):
        def scan(self, categories: Categories) -> int:
            return super().scan(categories) if len(categories) == 1 else len(categories)

    with pytest.raises(ContractError, match="scan and update"):
        scans_as_it_updates(lambda: Skips(reference=[9_500, 100, 200, 100, 100]))
