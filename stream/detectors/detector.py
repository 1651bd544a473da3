"""What every detector is: river's contract (`update`, `drift_detected`), and with it the evidence, the onset and what moved.

`x` is the category of one response, an index into the taxonomy. What is said of a detection is said until the next update; a detector that
learns then begins anew. `stream.detectors.contract` checks all of this for any detector.
"""

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Categories = npt.NDArray[np.uint8]


class Contributor(NamedTuple):
    """A category and its part of the change; the parts of a detection add up to 1."""

    category: int
    part: float


class Detector(Protocol):
    """Judges responses one by one."""

    @property
    def drift_detected(self) -> bool:
        """Whether the last update raised an alarm."""

    @property
    def statistic(self) -> float | None:
        """The evidence for a change after the last update; None where there is none to tell."""

    @property
    def threshold(self) -> float | None:
        """What the statistic has to reach for an alarm; None where there is none to tell."""

    @property
    def onset(self) -> int | None:
        """At a detection the response at which the change began, counted from 0; None otherwise, and where the detector cannot tell."""

    @property
    def contributors(self) -> tuple[Contributor, ...]:
        """At a detection what moved, largest part first; empty otherwise, and where the detector cannot tell."""

    def update(self, x: int) -> None:
        """Counts the category of one response.

        Raises:
            ValueError: x is no category.
        """


@runtime_checkable
class Scanning(Protocol):
    """A detector that judges many responses at once, faster than one by one and to the same result."""

    def scan(self, categories: Categories) -> int:
        """Updates up to and including the first response that raises an alarm; returns how many were taken."""


def scan(detector: Detector, categories: Categories) -> int:
    """Updates a detector up to and including the first response that raises an alarm; returns how many were taken.

    `drift_detected` then says whether the last one did.
    """
    if isinstance(detector, Scanning):
        return detector.scan(categories)
    for taken, category in enumerate(categories.tolist(), 1):
        detector.update(category)
        if detector.drift_detected:
            return taken
    return len(categories)


def require_category(x: int, categories: int) -> int:
    """The category as an int.

    Raises:
        ValueError: it is none of `categories`.
    """
    if isinstance(x, bool) or not isinstance(x, (int, np.integer)) or not 0 <= x < categories:
        raise ValueError(f"x must be a category from 0 to {categories - 1}, got {x!r}")
    return int(x)


def largest_first(parts: npt.NDArray[np.float64]) -> tuple[Contributor, ...]:
    """Contributors from the parts (k,) of the categories."""
    return tuple(Contributor(place, float(parts[place])) for place in np.argsort(-parts, kind="stable").tolist())
