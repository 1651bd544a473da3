"""When enough answers were asked for: k by the data instead of by habit.

The rule, looked at after every `LOOK` answers of a prompt from `least` on: its distribution is settled when the 95 % interval of its
entropy, the one that drift events carry (`stream.core.entropy`), is at most `tolerance` nats on either side, half its width. At 0.2
nats a prompt whose answers all agree is settled after 40, one with a single exception in 50, and one that is answered five ways needs 80.

Stopping when the interval is short prefers samples that look less uncertain than the truth. What that costs, and what it saves, is
measured in docs/sampling.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stream.core.entropy import measure

LOOK = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The rule: half the width of the interval in nats, and the fewest answers that are believed.

    Raises:
        ValueError: the tolerance is not above 0, or `least` is below 2.
    """

    tolerance: float = 0.2
    least: int = 20

    def __post_init__(self) -> None:
        if not self.tolerance > 0:
            raise ValueError(f"tolerance must be above 0 nats, got {self.tolerance}")
        if self.least < 2:
            raise ValueError(f"least must be at least 2 answers, got {self.least}")

    def holds(self, counts: Sequence[int]) -> bool:
        """Says whether a prompt with these answers by behaviour needs no more of them.

        Examples:
            >>> rule = Settled()
            >>> rule.holds([40, 0, 0, 0, 0]), rule.holds([30, 0, 0, 0, 0]), rule.holds([39, 1, 0, 0, 0])
            (True, False, False)
        """
        if sum(counts) < self.least:
            return False
        measured = measure(np.array(counts, np.int64), np.zeros(len(counts), np.int8))
        return (measured.high - measured.low) / 2 <= self.tolerance
