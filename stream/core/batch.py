"""The responses of a scored record that a monitor still has to count, checked and in the form that the kernel takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
import numpy.typing as npt

from stream.core.kernel import extremes
from stream.core.records import Scored
from stream.core.settings import EngineSettings

STEPS = 10_000
"""Of confidence: a record on the wire has four decimals, and one that never was on the wire must be judged alike."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Columns of the responses that are counted, who labelled them, and the last offset counted after them.

    `doubts` (n + 1, 2), where confidence plays a part, is how many up to each place were low in confidence, and how many have one at all.
    `attributes` are the columns of those that are contrasted, in the settings' order.
    """

    categories: npt.NDArray[np.uint8]
    times: npt.NDArray[np.int64]
    event_ids: tuple[str, ...]
    classifier: str
    last: int
    doubts: npt.NDArray[np.int64] | None
    attributes: tuple[Sequence[str | None], ...]

    def __len__(self) -> int:
        return len(self.event_ids)


def fresh(scored: Scored, counted: int, settings: EngineSettings) -> Batch:
    """The responses of a record whose offset is above the last one counted, checked, for the kernel trusts its input.

    Columns are copied: the kernel is compiled for arrays that may be written to, and those of a decoded record may not.

    Raises:
        ValueError: a category is outside the taxonomy, or the columns differ in length.
    """
    categories, confident_from = len(settings.taxonomy), settings.confident_from
    n = len(scored.event_id)
    if not (len(scored.category) == len(scored.ts) == len(scored.offset) == n):
        raise ValueError(
            f"columns of a scored record must have one length, got {n} ids for {len(scored.category)} categories"
        )
    category, times = np.array(scored.category, np.uint8), np.array(scored.ts, np.int64)
    ids, last, confidence = scored.event_id, counted, scored.confidence
    absent: Sequence[str | None] = (None,) * n
    attributes = tuple(scored.attributes.get(name, absent) for name in settings.contrast)
    if n:
        largest, low, high = extremes(category, np.array(scored.offset, np.int64))
        if largest >= categories:
            raise ValueError(f"category must be below {categories}, got {largest}")
        if low <= counted:
            new = scored.offset > counted
            category, times = category[new], times[new]
            ids = tuple(event_id for event_id, keep in zip(ids, new.tolist(), strict=True) if keep)
            confidence = None if confidence is None else confidence[new]
            attributes = tuple(tuple(compress(column, new.tolist())) for column in attributes)
        last = max(high, counted)
    return Batch(
        categories=category,
        times=times,
        event_ids=ids,
        classifier=scored.classifier,
        last=last,
        doubts=None if confident_from is None else _doubts(confidence, len(ids), confident_from),
        attributes=attributes,
    )


def _doubts(confidence: npt.NDArray[np.float32] | None, n: int, confident_from: float) -> npt.NDArray[np.int64]:
    """Running totals (n + 1, 2): low in confidence, and known; a response without one (or with NaN) is neither."""
    totals = np.zeros((n + 1, 2), np.int64)
    if confidence is not None:
        known = np.isfinite(confidence)
        steps = np.rint(np.where(known, confidence, 1.0).astype(np.float64) * STEPS)
        low = known & (steps < round(confident_from * STEPS))
        np.cumsum(np.stack([low, known], axis=1), axis=0, out=totals[1:])
    return totals
