"""The nested yes/no streams into which a taxonomy's likelihood factors exactly.

A response walks down a tree of two-way splits: off-topic or not, then harmful or benign request, then one behaviour against the rest
of its kind. The probability of its category is the product over the splits on its way, so each split can change, be learned and be
watched on its own (docs/statistics.md, "Nested streams").
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream.core.settings import Watch
from stream.core.taxonomy import RequestKind, Taxonomy

TRAFFIC = "traffic"
"""Name of the split between harmful and benign requests: the one that users move, not the model."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One split: the categories of its upper branch (a rise of it is "up") and of its lower one; others do not meet it."""

    name: str
    up: tuple[int, ...]
    down: tuple[int, ...]


def nested_streams(taxonomy: Taxonomy) -> tuple[Stream, ...]:
    """Splits whose product is the taxonomy's likelihood: one fewer than categories, traffic's named `TRAFFIC`.

    Examples:
        >>> from stream.core.taxonomy import PAPER
        >>> [(stream.name, stream.up, stream.down) for stream in nested_streams(PAPER)]  # doctest: +NORMALIZE_WHITESPACE
        [('off_topic', (4,), (0, 1, 2, 3)), ('traffic', (1, 2), (0, 3)),
         ('refusal_excessive', (3,), (0,)), ('helpful_misaligned', (1,), (2,))]
    """
    kinds = {kind: _of_kind(taxonomy, kind) for kind in (None, RequestKind.HARMFUL, RequestKind.BENIGN)}
    neither, harmful, benign = kinds[None], kinds[RequestKind.HARMFUL], kinds[RequestKind.BENIGN]
    streams: list[Stream] = []
    if neither and (harmful or benign):
        streams.append(Stream("off_topic", neither, tuple(sorted(harmful + benign))))
    if harmful and benign:
        streams.append(Stream(TRAFFIC, harmful, benign))
    for group in (benign, harmful, neither):
        streams.extend(_peel(taxonomy, group))
    return tuple(streams)


def watched(streams: Sequence[Stream], watch: Watch) -> tuple[Stream, ...]:
    """Streams that the drift rule judges: all, or all but the traffic mix.

    Raises:
        ValueError: nothing is left to watch.
    """
    chosen = tuple(stream for stream in streams if watch == "all" or stream.name != TRAFFIC)
    if not chosen:
        raise ValueError(
            "watch must be 'all': this taxonomy tells kinds of request apart, but no behaviours within a kind"
        )
    return chosen


def sides(streams: Sequence[Stream], categories: int) -> npt.NDArray[np.int8]:
    """Which branch of each stream a category takes, shape (streams, categories): 1 up, 0 down, -1 where it does not meet the stream."""
    table = np.full((len(streams), categories), -1, np.int8)
    for row, stream in zip(table, streams, strict=True):
        row[list(stream.up)] = 1
        row[list(stream.down)] = 0
    return table


def _of_kind(taxonomy: Taxonomy, kind: RequestKind | None) -> tuple[int, ...]:
    return tuple(index for index, behaviour in enumerate(taxonomy.behaviours) if behaviour.request is kind)


def _peel(taxonomy: Taxonomy, group: Sequence[int]) -> list[Stream]:
    """Split a kind's behaviours off one by one, unwanted ones first, until one is left."""
    order = sorted(group, key=lambda index: taxonomy.behaviours[index].wanted)
    return [
        Stream(taxonomy.names[index], (index,), tuple(sorted(order[depth + 1 :])))
        for depth, index in enumerate(order[:-1])
    ]
