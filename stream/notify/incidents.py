"""What is open by the log of alerts alone, and what a receiver knows of it: pure folds over alerts and deliveries in their order."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from stream.core.events import AlertEvent, Status

Name = tuple[bool, str]
"""Whether it is a replay, and an id or deduplication key: a replay has the ids of what it replays, and must never be taken for it."""


def identity(alert: AlertEvent) -> Name:
    """What tells this alert apart from every other."""
    return alert.replay, alert.alert_id


def incident(alert: AlertEvent) -> Name:
    """What all alerts of one incident have in common."""
    return alert.replay, alert.dedup_key


class Told:
    """What one receiver was told."""

    def __init__(self) -> None:
        self._alerts: set[Name] = set()
        self._open: set[Name] = set()

    def add(self, alert: Name, *, of: Name, status: Status) -> None:
        """Counts in that the receiver was told this alert of this incident, after all that was counted before."""
        self._alerts.add(alert)
        (self._open.add if status is Status.FIRING else self._open.discard)(of)

    def knows(self, alert: AlertEvent) -> bool:
        """Whether the receiver was told of this alert."""
        return identity(alert) in self._alerts

    def believes_open(self, alert: AlertEvent) -> bool:
        """Whether the last that the receiver was told of the alert's incident was that it is open."""
        return incident(alert) in self._open


@dataclass(frozen=True, slots=True)
class _Latest:
    opened: AlertEvent | None
    alert: AlertEvent


class Incidents:
    """The latest alert of each incident."""

    def __init__(self) -> None:
        self._latest: dict[Name, _Latest] = {}

    def take(self, alert: AlertEvent) -> AlertEvent:
        """Counts the alert in, and returns it as receivers must see it.

        A resolution carries the severity under which its incident opened: it must reach the receivers that know the incident, and
        to Alertmanager another severity is another alert.
        """
        before = self._latest.get(incident(alert))
        opened = alert if alert.status is Status.FIRING else before.opened if before is not None else None
        seen = alert if opened is None else replace(alert, severity=opened.severity)
        self._latest[incident(alert)] = _Latest(opened, seen)
        return seen

    def open(self) -> Iterator[AlertEvent]:
        """Alerts whose incident is open, in the order in which their incidents were first seen."""
        return (latest.alert for latest in self._latest.values() if latest.alert.status is Status.FIRING)

    def owed(self, told: Told) -> list[AlertEvent]:
        """What a receiver still has to hear, in the order of the alerts' times: what is open and new to it, and the end of what it
        believes to be open. Incidents that came and went without it are past.
        """
        owed = [
            latest.alert
            for latest in self._latest.values()
            if not told.knows(latest.alert)
            and (latest.alert.status is Status.FIRING or told.believes_open(latest.alert))
        ]
        return sorted(owed, key=lambda alert: (alert.ts, alert.alert_id))
