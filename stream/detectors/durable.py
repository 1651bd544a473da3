"""Detectors of river as rules of a monitor, which must say the same live, in a replay, and when the monitor is taken up again.

river's detectors cannot be written down: ADWIN's state lies in compiled code that shows none of it, KSWIN's holds a random generator. A
monitor keeps the numbers instead (`stream.core.watchers`) and gives them to a new detector. So only detectors are taken that say the same
of the same numbers, and whose memory the numbers kept cover.
"""

from dataclasses import dataclass
from importlib.metadata import version
from typing import cast

from stream.core.watchers import Watching
from stream.detectors.from_river import RiverDetector, river_detector

NAMES = ("ADWIN", "KSWIN", "PageHinkley")
"""The detectors of river that watch a number of any size; those of `river.drift.binary` watch single errors of 0 and 1."""
_NEEDS = {"KSWIN": "window_size", "PageHinkley": "min_instances", "ADWIN": "grace_period"}
"""What a detector must have seen before it can find anything."""

Parameters = tuple[tuple[str, float | int | str], ...]


class _River:
    """One detector of river at work."""

    __slots__ = ("_inner",)

    def __init__(self, inner: RiverDetector) -> None:
        self._inner = inner

    def update(self, x: float) -> bool:
        """Takes a number, says whether it is a change."""
        self._inner.update(x)
        return bool(self._inner.drift_detected)


@dataclass(frozen=True, slots=True)
class River:
    """Makes one of river's detectors; `release` is river's, for another one may decide otherwise."""

    name: str
    parameters: Parameters
    release: str

    def begin(self) -> Watching:
        """A detector that has seen nothing."""
        return _River(river_detector(self.name, dict(self.parameters)))


def durable(name: str, parameters: dict[str, float | int | str], *, memory: int) -> River:
    """The detector of this name with these parameters; KSWIN draws from a generator whose `seed` is 0 unless it is given.

    Raises:
        ValueError: it cannot be a rule, does not take a parameter, or needs more numbers than `memory` before it can find anything.
    """
    if name not in NAMES:
        raise ValueError(
            f"detector must be one of {', '.join(NAMES)}, got {name!r}: others watch errors of 0 and 1, or nothing"
        )
    chosen = {"seed": 0, **parameters} if name == "KSWIN" else parameters
    if chosen.get("window"):
        raise ValueError("KSWIN cannot be given a window to begin with")
    needed = cast("int", getattr(river_detector(name, chosen), _NEEDS[name]))
    if needed > memory:
        raise ValueError(f"memory must be at least {name}'s {_NEEDS[name]} of {needed}, got {memory}")
    return River(name, tuple(sorted(chosen.items())), version("river"))
