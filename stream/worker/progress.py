"""Whether a stage gets on: records wait, and nothing was committed for long."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Progress:
    """Says since when records have waited without a commit. Times are seconds of a clock that never goes back.

    It looks whenever it is asked, so the answer is as old as the first question after the last commit: probes ask every few seconds.
    """

    lag: Callable[[], float]
    last_commit: Callable[[], float | None]
    waiting_since: float | None = None

    def stuck(self, now: float, *, after: float) -> str | None:
        """In words what is wrong, None while all is well: nothing waits, or something was committed in the last `after` seconds."""
        lag = self.lag()
        if not lag:
            self.waiting_since = None
            return None
        if self.waiting_since is None:
            self.waiting_since = now
        idle = now - max(self.waiting_since, self.last_commit() or 0.0)
        return f"{lag:,.0f} records wait, and nothing was committed for {idle:.0f} s" if idle > after else None
