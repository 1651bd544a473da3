"""How many monitors one partition may hold: names come from log lines, and memory must not be theirs to fill."""

import logging
from collections.abc import Callable, Mapping

from stream.core.records import Reject, RejectReason

log = logging.getLogger(__name__)


class Crowd:
    """Admits the first `most` monitors of each partition of the scored topic, in the order of the log, and no others.

    By partition, so that the answer follows from the log alone, however partitions are spread over workers. `places` gives the
    partition of each monitor that has a state.
    """

    def __init__(self, most: int, places: Callable[[], Mapping[bytes, int]]) -> None:
        self.most = most
        self.refused = Reject(
            RejectReason.TOO_MANY_MONITORS,
            f"a new monitor, beyond the {most:,} that one partition may hold ([worker] max_monitors)",
        )
        self._places = places
        self._members: dict[int, set[bytes]] | None = None
        self._full: set[int] = set()

    async def forget(self) -> None:
        """Looks again who is there: called when states were recovered."""
        self._members = None

    def admits(self, monitor: bytes, partition: int) -> bool:
        """Whether the monitor is one of those of its partition; a new one becomes one while there is room."""
        if self._members is None:
            self._members = {}
            for known, place in self._places().items():
                self._members.setdefault(place, set()).add(known)
        members = self._members.setdefault(partition, set())
        if monitor in members:
            return True
        if len(members) >= self.most:
            self._warn(partition)
            return False
        members.add(monitor)
        return True

    def _warn(self, partition: int) -> None:
        if partition not in self._full:
            self._full.add(partition)
            log.warning(
                "partition %d of the scored topic has %d monitors; new ones become dead letters: look whether names of models are what "
                "you think (`/monitors`), and at [monitor] monitor_by; [worker] max_monitors allows more",
                partition,
                self.most,
            )
