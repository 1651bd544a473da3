"""Rules that a person sets limits for: how high a number may be, and how long a monitor may be silent."""

from dataclasses import dataclass
from enum import StrEnum

from stream.core.events import Rule, Severity
from stream.core.records import Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Bounds for one number of the window: its entropy, the share of `category`, or that of responses with little confidence.

    It fires when the number is beyond a bound with this `confidence`, by a window of `min_n` responses or more, and resolves when the
    number itself is back within it: between the two it is pending, or holds. `critical_at` is a bound further out that makes an alert
    critical.

    Raises:
        ValueError: a bound or another value is out of range, or there is no bound; the message names it.
    """

    rule: Rule
    category: int | None = None
    above: float | None = None
    below: float | None = None
    confidence: float = 0.99
    min_n: int = 200
    severity: Severity = Severity.WARNING
    critical_at: float | None = None

    def __post_init__(self) -> None:
        bounds = [bound for bound in (self.below, self.above, self.critical_at) if bound is not None]
        most = float("inf") if self.rule is Rule.ENTROPY_LEVEL else 1.0
        if self.above is None and self.below is None:
            raise ValueError("above or below must be set: without a bound the rule could never fire")
        if not all(0 <= bound <= most for bound in bounds):
            raise ValueError(f"above, below and critical_at must lie between 0 and {most:g}, got {bounds}")
        if self.above is not None and self.below is not None:
            if self.below >= self.above:
                raise ValueError(f"below must be less than above, got {self.below} and {self.above}")
            if self.critical_at is not None:
                raise ValueError(
                    "critical_at needs a single bound: it lies further out than above, or further down than below"
                )
        if self.critical_at is not None and not (
            self.critical_at > self.above if self.above is not None else self.critical_at < (self.below or 0.0)
        ):
            raise ValueError(f"critical_at must lie further out than the bound, got {self.critical_at}")
        if not 0.5 < self.confidence < 1:
            raise ValueError(f"confidence must lie between 0.5 and 1, got {self.confidence}")
        if self.min_n < 1:
            raise ValueError(f"min_n must be at least 1 response, got {self.min_n}")


class Silence(StrEnum):
    """What is done when a monitor has been silent for too long: raise an alert, or resolve those that are open."""

    ALERT = "alert"
    RESOLVE = "resolve"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoData:
    """How long a monitor may be silent (microseconds), and what is done then.

    Raises:
        ValueError: the time is not positive.
    """

    after: Micros
    policy: Silence
    severity: Severity = Severity.WARNING

    def __post_init__(self) -> None:
        if self.after <= 0:
            raise ValueError(f"after must be above 0, got {self.after}")
