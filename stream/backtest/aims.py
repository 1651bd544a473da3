"""What is aimed at: how much later than one who knows the change, and in which words a user declares each change."""

from dataclasses import dataclass
from typing import Literal

from stream.backtest.estimates import Estimate
from stream.backtest.models import BASES, CHANGES, MISALIGNED, OVER_REFUSAL, SWAP, TRAFFIC

Learned = int | None
"""Responses that the reference is learned from; None: it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is aimed at (`aim`, and whether it is a largest, least or relative bound), and what was measured."""

    name: str
    bound: Literal["at most", "at least", "within"]
    aim: float
    found: Estimate

    @property
    def met(self) -> bool:
        """Whether the figure keeps the bound; with `within` it is a ratio that may differ from 1 by the aim."""
        match self.bound:
            case "at most":
                return self.found.value <= self.aim
            case "at least":
                return self.found.value >= self.aim
            case "within":
                return abs(self.found.value - 1) <= self.aim


_QUIET = [name for name, (before, _) in CHANGES.items() if before is BASES[0]]
AIMS: dict[Learned, dict[str, float]] = {
    None: {**dict.fromkeys(_QUIET, 1.25), OVER_REFUSAL: 1.45, SWAP: 1.45, TRAFFIC: 1.45, MISALIGNED: 1.65},
    5_000: {
        **dict.fromkeys(_QUIET[:2], 1.3),
        _QUIET[2]: 1.5,
        OVER_REFUSAL: 1.65,
        SWAP: 1.65,
        TRAFFIC: 1.65,
        MISALIGNED: 1.9,
    },
    1_000: {
        **dict.fromkeys(_QUIET[:2], 1.8),
        _QUIET[2]: 2.5,
        OVER_REFUSAL: 2.2,
        SWAP: 2.2,
        TRAFFIC: 2.2,
        MISALIGNED: 2.5,
    },
}
"""Largest mean delay over that of a CUSUM that knows the change."""
WORDS = {
    _QUIET[0]: "off_topic=5% + traffic=14% + helpful_misaligned=8% + refusal_excessive=3%",
    _QUIET[1]: "off_topic=1.5% + traffic=5% + helpful_misaligned=3% + refusal_excessive=1.5%",
    _QUIET[2]: "off_topic=1% + traffic=3% + helpful_misaligned=1.5% + refusal_excessive=1%",
    OVER_REFUSAL: "refusal_excessive=9%",
    MISALIGNED: "traffic=11% + helpful_misaligned=5% + refusal_excessive=3%",
    SWAP: "swap=helpful_misaligned/refusal_appropriate",
    TRAFFIC: "traffic=x2",
}
"""The changes as a user declares them."""
FEARED = ("helpful_misaligned=x3", "refusal_excessive=x3", "off_topic=x3")
"""Changes that are declared where it is measured what that does to false alarms."""
