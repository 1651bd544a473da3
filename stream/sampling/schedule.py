"""When rounds begin: at even intervals with jitter, so that probes neither bunch up nor meet another job at the full hour."""

import math
import random
import re
from dataclasses import dataclass

_FORM = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def seconds(text: str) -> float:
    """Returns the length of time that a text names.

    Raises:
        ValueError: it is not a number with ms, s, m, h or d.

    Examples:
        >>> seconds("1h"), seconds("90s"), seconds("1.5m")
        (3600.0, 90.0, 90.0)
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no length of time; write for example 30s, 10m or 1h")
    return float(match[1]) * _SECONDS[match[2]]


@dataclass(frozen=True, slots=True)
class Start:
    """The beginning of one round: its place in the schedule, when (seconds), and how many places before it were missed."""

    slot: int
    at: float
    missed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A round every `every` seconds, each up to `jitter` of that late; `rounds` in all, None for no end.

    Raises:
        ValueError: a number is out of range; the message names it.
    """

    every: float
    jitter: float = 0.1
    rounds: int | None = None

    def __post_init__(self) -> None:
        if not self.every > 0:
            raise ValueError(f"every must be above 0 seconds, got {self.every}")
        if not 0 <= self.jitter < 1:
            raise ValueError(f"jitter must be at least 0 and below 1, got {self.jitter}")
        if self.rounds is not None and self.rounds < 1:
            raise ValueError(f"rounds must be at least 1, got {self.rounds}")

    def following(self, start: Start, *, first: float, now: float, rng: random.Random) -> Start:
        """Returns the start that comes after this one, for a round that ended at `now`; `first` is when slot 0 began.

        Places are counted from `first`, so that delays do not add up. Those that a long round ran over are missed, not made
        up for: two rounds in one hour would be no picture of two hours.

        Examples:
            >>> Schedule(every=60, jitter=0).following(Start(0, 0.0, 0), first=0.0, now=130.0, rng=random.Random(1))
            Start(slot=3, at=180.0, missed=2)
        """
        slot = max(start.slot + 1, math.ceil((now - first) / self.every))
        late = rng.random() * self.jitter * self.every
        return Start(slot, first + slot * self.every + late, slot - start.slot - 1)
