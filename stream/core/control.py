"""What stands in the scored log beside responses, because it changes a decision: a level that a person accepted, and a silence.

Such a record is applied where it lies in the log, so that a replay of the log decides as the worker did.
"""

from dataclasses import dataclass
from enum import StrEnum

from stream.core.records import Micros, Scored, Source


class Learn(StrEnum):
    """What the new reference is made of: the window of responses before the record, or the next responses after it."""

    WINDOW = "window"
    NEXT = "next"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept:
    """A person accepts the present level of a monitor as the new normal.

    `ts` is when the person said so, by the clock; it decides nothing, for a monitor lives in the time of its responses.
    `source` and `offset` are the record's place in the log.
    """

    control_id: str
    monitor: str
    ts: Micros
    learn: Learn
    source: Source
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Nothing has come of a monitor until `ts`: the time of its last response and the time that was waited since."""

    monitor: str
    ts: Micros
    source: Source
    offset: int


Order = Accept | Tick
"""What is no response."""
Entry = Scored | Order
"""What one record of the scored log holds."""
