"""The changes that are looked for: which streams move together, by how much, and how much weight each has beforehand."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from stream.core.scenarios import Move
from stream.core.streams import Stream

RISES = (1.8, 3.0, 6.0)
"""Factors by which the odds of upper branches rise, of one stream or of several together."""
FALLS = (1 / 3, 1 / 9)
"""Factors by which the odds of a single stream fall; two streams fall together by the first."""
EXCHANGES = (2.0, 3.5)
"""Factors by which the odds of one stream rise while those of another fall."""
ALONE, TOGETHER, SOME, FALL, EXCHANGE = 1.0, 1.0, 0.4, 0.15, 0.2
"""Weights beforehand of a rise of one stream, of all and of some; of a fall of one or two; of an exchange."""
MOST_SUBSETS = 4
"""Up to this many streams every subset may rise together; above it singles, pairs and all, so that state stays small."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Alternatives: by how much each multiplies the odds of each stream's upper branch, and its weight beforehand.

    Shapes: `odds` float64 (alternatives, streams), 1 where a stream does not move, NaN where the factor follows from the reference;
    `weight` float64 (alternatives,), in any unit, 0 for a declared change, which has another.
    """

    odds: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]


def grid(streams: Sequence[Stream], chosen: Sequence[Stream]) -> Grid:
    """Alternatives that move streams of `chosen` and leave the others of `streams` alone.

    Examples:
        >>> from stream.core.streams import nested_streams, watched
        >>> from stream.core.taxonomy import PAPER
        >>> every = nested_streams(PAPER)
        >>> grid(every, watched(every, "behaviour")).odds.shape, grid(every, every).odds.shape
        ((42, 4), (83, 4))
    """
    places = [index for index, stream in enumerate(streams) if stream in chosen]
    sizes = range(1, len(places) + 1) if len(places) <= MOST_SUBSETS else (1, 2, len(places))
    odds: list[list[float]] = []
    weight: list[float] = []
    for size in sizes:
        for subset in combinations(places, size):
            for factors, share in _shifts(size, len(places)):
                shift = dict(zip(subset, factors, strict=True))
                odds.append([shift.get(index, 1.0) for index in range(len(streams))])
                weight.append(share)
    return Grid(np.array(odds), np.array(weight))


def moved(
    streams: Sequence[Stream], chosen: Sequence[Stream], scenarios: Sequence[Sequence[Move]]
) -> list[list[float]]:
    """Odds of declared changes in the form of `Grid`: NaN for the streams of `chosen` that a change moves."""
    return [
        [
            float("nan") if stream in chosen and any(_touches(move, stream) for move in scenario) else 1.0
            for stream in streams
        ]
        for scenario in scenarios
    ]


def _touches(move: Move, stream: Stream) -> bool:
    """Whether a move shifts weight between the branches of a stream, whatever the shares."""
    rise, pays = set(move.rise), set(move.pays)
    meets = {*stream.up, *stream.down}
    within = rise | pays <= set(stream.up) or rise | pays <= set(stream.down)
    alike = any(meets <= side for side in (rise, pays)) or not meets & (rise | pays)
    return not (within or alike)


def _shifts(size: int, watched: int) -> list[tuple[tuple[float, ...], float]]:
    """Factors for a subset of this size, and the weight of each shift."""
    share = ALONE if size == 1 else TOGETHER if size == watched else SOME
    shifts = [((rise,) * size, share) for rise in RISES]
    if size == 1:
        shifts.extend(((fall,), FALL) for fall in FALLS)
    if size == 2:
        shifts.append(((FALLS[0],) * 2, FALL))
        for factor in EXCHANGES:
            shifts.extend((pair, EXCHANGE) for pair in ((factor, 1 / factor), (1 / factor, factor)))
    return shifts
