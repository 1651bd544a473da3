"""Any drift detector of river, on the entropy of a window or on the share of each category.

river's detectors watch one number. What they are here for is comparison: on the same responses, behind the same contract.
"""

import inspect
import math
from collections import deque
from collections.abc import Mapping
from typing import Protocol, cast

import numpy as np
from river import drift
from river.drift import binary

from stream.detectors.detector import Categories, Contributor, require_category

_MODULES = (drift, binary)


class RiverDetector(Protocol):
    """What river promises of a drift detector."""

    drift_detected: bool

    def update(self, x: float) -> object:
        """Counts one number."""


def river_detector(name: str, parameters: Mapping[str, float | int | str] | None = None) -> RiverDetector:
    """The detector that `river.drift` or `river.drift.binary` has under this name, made with these parameters.

    Raises:
        ValueError: there is none of this name, or it does not take such a parameter or value.

    Examples:
        >>> river_detector("ADWIN", {"delta": 0.01}).drift_detected
        False
    """
    for module in _MODULES:
        made = getattr(module, name, None)
        if inspect.isclass(made) and hasattr(made, "drift_detected") and not name.startswith("_"):
            try:
                return cast("RiverDetector", made(**(parameters or {})))
            except (TypeError, ValueError) as error:
                raise ValueError(f"{name} cannot be made with {dict(parameters or {})}: {error}") from None
    known = (each for module in _MODULES for each in module.__all__)
    raise ValueError(f"river has no drift detector {name!r}; it has {', '.join(sorted(known))}")


class _Reticent:
    """What river's detectors do not tell, and the contract asks for."""

    @property
    def statistic(self) -> None:
        """None: river's detectors do not tell."""

    @property
    def threshold(self) -> None:
        """None: river's detectors do not tell."""

    @property
    def onset(self) -> None:
        """None: river's detectors do not tell."""


class OnEntropy(_Reticent):
    """A detector of river's that watches S of the last `window` responses, one value a response once the window is full.

    It cannot see a change that leaves S as it is, such as two categories that change places.

    Raises:
        ValueError: the window is shorter than two responses.
    """

    def __init__(
        self,
        name: str = "ADWIN",
        parameters: Mapping[str, float | int | str] | None = None,
        *,
        window: int = 100,
        categories: int = 5,
    ) -> None:
        if window < 2:
            raise ValueError(f"window must be at least 2 responses, got {window}")
        self._inner = river_detector(name, parameters)
        self._last: deque[int] = deque(maxlen=window)
        self._counts = [0] * categories
        self._terms = [0.0, *(-count / window * math.log(count / window) for count in range(1, window + 1))]

    @property
    def drift_detected(self) -> bool:
        """Whether the last update raised an alarm."""
        return bool(self._inner.drift_detected)

    @property
    def contributors(self) -> tuple[Contributor, ...]:
        """Empty: S alone does not say what moved."""
        return ()

    def update(self, x: int) -> None:
        """Counts the category of one response.

        Raises:
            ValueError: x is no category.
        """
        category = require_category(x, len(self._counts))
        if len(self._last) == self._last.maxlen:
            self._counts[self._last[0]] -= 1
        self._last.append(category)
        self._counts[category] += 1
        if len(self._last) == self._last.maxlen:
            terms = self._terms
            self._inner.update(math.fsum([terms[count] for count in self._counts]))


class OnShares(_Reticent):
    """One detector of river's for each category, which watches whether a response is of it (1) or not (0); any of them raises the alarm.

    After a detection all of them begin anew.
    """

    def __init__(
        self, name: str = "ADWIN", parameters: Mapping[str, float | int | str] | None = None, *, categories: int = 5
    ) -> None:
        self._name = name
        self._parameters = dict(parameters or {})
        self._categories = categories
        self._detected = False
        self._inner = self._made()

    @property
    def drift_detected(self) -> bool:
        """Whether the last update raised an alarm."""
        return self._detected

    @property
    def contributors(self) -> tuple[Contributor, ...]:
        """At a detection the categories whose detectors found it, in equal parts."""
        found = [category for category, inner in enumerate(self._inner) if inner.drift_detected]
        return tuple(Contributor(category, 1 / len(found)) for category in found)

    def update(self, x: int) -> None:
        """Counts the category of one response.

        Raises:
            ValueError: x is no category.
        """
        self.scan(np.array([require_category(x, self._categories)], np.uint8))

    def scan(self, categories: Categories) -> int:
        """Updates up to and including the first response that raises an alarm; returns how many were taken."""
        if self._detected and len(categories):
            self._inner = self._made()
            self._detected = False
        inner = self._inner
        places = list(enumerate(each.update for each in inner))
        for taken, category in enumerate(categories.tolist(), 1):
            for place, update in places:
                update(1 if place == category else 0)
            if any([each.drift_detected for each in inner]):  # noqa: C419 - a list is built faster than a generator
                self._detected = True
                return taken
        return len(categories)

    def _made(self) -> list[RiverDetector]:
        return [river_detector(self._name, self._parameters) for _ in range(self._categories)]
