"""Detectors from outside the core: each is given one number a stride, and says whether that is a change.

Such a detector has no state that can be written down, so the numbers that it was given are kept instead, and a monitor that is taken up
again gives them to a new one. They are bounded: of twice `memory` numbers the older half is forgotten, and a new detector goes on with
the rest, whether the monitor was put down in between or not.
"""

import struct
from dataclasses import dataclass
from typing import Protocol

from stream.core.events import Severity

MEMORY = (1, 10_000)
"""Fewest and most numbers that a detector may be told to remember."""
_LENGTH = struct.Struct("<I")


class Watching(Protocol):
    """A detector at work."""

    def update(self, x: float) -> bool:
        """Takes a number, says whether it is a change; after one the detector is not used any more."""


class Maker(Protocol):
    """Makes detectors that say the same of the same numbers; its `repr` says everything that decides what they say."""

    def begin(self) -> Watching:
        """A detector that has seen nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """A rule called `name`: its detector, and what it is given at each stride.

    That is the entropy of the window once it is full or, with a `category`, the share of this category in the stride. The detector is
    given at least the last `memory` numbers, and at most twice as many, since its last detection.

    Raises:
        ValueError: `memory` is out of range.
    """

    name: str
    detector: Maker
    category: int | None = None
    memory: int = 256
    severity: Severity = Severity.WARNING

    def __post_init__(self) -> None:
        low, high = MEMORY
        if not low <= self.memory <= high:
            raise ValueError(f"memory must be {low} to {high:,} numbers, got {self.memory}")


class Series:
    """What a watcher's detector was given since its last detection, and the detector, which is made again when it is needed."""

    __slots__ = ("_detector", "values")

    def __init__(self) -> None:
        self.values: list[float] = []
        self._detector: Watching | None = None

    def take(self, watcher: Watcher, x: float) -> bool:
        """Give the detector one more number; says whether it found a change, after which it begins anew."""
        if self._detector is None:
            self._detector = watcher.detector.begin()
            for value in self.values:
                if self._detector.update(value):
                    self._detector = watcher.detector.begin()
        self.values.append(x)
        if self._detector.update(x):
            self.values, self._detector = [], None
            return True
        if len(self.values) >= 2 * watcher.memory:
            self.values, self._detector = self.values[-watcher.memory :], None
        return False

    def pack(self) -> bytes:
        """The numbers as bytes."""
        return _LENGTH.pack(len(self.values)) + struct.pack(f"<{len(self.values)}d", *self.values)

    def unpack(self, data: bytes, place: int) -> int:
        """Take up what `pack` wrote at this place; gives the place after it.

        Raises:
            struct.error: the bytes end too early.
        """
        n: int = _LENGTH.unpack_from(data, place)[0]
        self.values = list(struct.unpack_from(f"<{n}d", data, place + _LENGTH.size))
        return place + _LENGTH.size + 8 * n
