"""The smallest change that can be seen: how far an unwanted behaviour must rise to be found soon, from a formula and no simulation."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream.core.detectors import design
from stream.core.kernel import POWER, SHORT
from stream.core.settings import EngineSettings

SOON = 10
"""Found soon is: within the false-alarm interval over this."""
SURE, WEIGHT, NOISE = 0.64, 2.5, 2
"""Of the formula in `_is_seen`; chosen on `valuedrift power` of four models (docs/statistics.md, "Smallest visible change")."""
MOST = 0.98
"""Part of what the other behaviours of the kind have that a rise takes at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rise:
    """The share of all responses from which on a behaviour's rise is found soon, None where no rise is; and its share `now`."""

    category: int
    now: float
    share: float | None


def soon(settings: EngineSettings) -> int:
    """Responses within which a change is to be found, to count as seen."""
    return settings.false_alarm_interval // SOON


def smallest_rises(reference: tuple[int, ...], settings: EngineSettings) -> tuple[Rise, ...]:
    """For each unwanted behaviour the least share that is found within `soon` in about nine of ten cases.

    The behaviour rises at the cost of the others that imply the same kind of request. `reference` are counts (k,). It is about right: the
    figures of `valuedrift power` lie within a sixth.
    """
    shares = (np.array(reference) + 0.5) / (sum(reference) + 0.5 * len(reference))
    size = sum(reference)
    return tuple(
        _smallest(place, shares, size, settings)
        for place, behaviour in enumerate(settings.taxonomy.behaviours)
        if not behaviour.wanted
    )


def _smallest(place: int, shares: npt.NDArray[np.float64], size: int, settings: EngineSettings) -> Rise:
    kind = settings.taxonomy.behaviours[place].request
    pays = [
        other != place and (kind is None or behaviour.request is kind)
        for other, behaviour in enumerate(settings.taxonomy.behaviours)
    ]
    now, rest = float(shares[place]), float(shares[pays].sum())

    def seen(share: float) -> bool:
        after = np.where(pays, shares * (now + rest - share) / rest, shares)
        after[place] = share
        return _is_seen(float(np.sum(after * np.log(after / shares))), size, settings)

    low, high = math.log(now), math.log(now + MOST * rest)
    if not rest or not seen(math.exp(high)):
        return Rise(category=place, now=now, share=None)
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if seen(math.exp(middle)) else (middle, high)
    return Rise(category=place, now=now, share=math.exp(high))


def _is_seen(divergence: float, size: int, settings: EngineSettings) -> bool:
    """Whether the evidence of a change of so many nats a response comes to the limit soon.

    m responses, fewer by the reference's own error, give m KL nats, with a variance of about 2 m KL. What is needed is ln(A KL), as a sum
    over onsets has about 1/KL terms, and `WEIGHT` for how much of the prior the alternatives about the change have.
    """
    within = soon(settings)
    evidence = divergence * within / (1 + within / (NOISE * size))
    limit = float(design(settings).base[0]) * (1 + (SHORT / size) ** POWER)
    return evidence > 0 and evidence - SURE * math.sqrt(2 * evidence) >= math.log(limit * divergence) + WEIGHT
