"""One receiver's round: read alerts, tell the receiver, write down that it was told, commit; in that order."""

import logging
import threading
import time
from dataclasses import dataclass
from functools import partial

from stream.codec.alert import decode_alert, encode_alert
from stream.config import Settings
from stream.core.events import AlertEvent
from stream.errors import RecordError
from stream.notify.inbox import Inbox, Reassigned
from stream.notify.incidents import Incidents, Name, Told, identity, incident
from stream.notify.ledger import Ledger
from stream.notify.retry import persist
from stream.notify.routes import wants
from stream.sinks.outcome import Delivered, Later, Outcome
from stream.sinks.settings import AnyReceiver, Posted
from stream.sinks.sink import Repeating, Sink
from stream.sinks.texts import headline

log = logging.getLogger(__name__)

TURN = 0.5
"""Seconds after which an order to stop is noticed at the latest, unless a receiver is just being spoken to."""

MAKE_GOOD_EVERY = 60.0
"""Seconds between attempts to tell what was given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What holds for all couriers: when to stop, whether what is there now is all, and whether replayed alerts leave."""

    stop: threading.Event
    once: bool = False
    page_replays: bool = False


@dataclass(slots=True)
class Health:
    """How a receiver is doing: alerts it was told, alerts it could not be told, and why it is failing now (None: it is not)."""

    delivered: int = 0
    undelivered: int = 0
    failing: str | None = None


class _Stopped(Exception):  # noqa: N818 - an order, not an error
    """Notify is to stop; what is under way stays uncommitted."""


class Courier:
    """Tells one receiver of the alerts that are for it: none is lost, and each is told once as far as that can be known.

    An offset is committed after the receiver has the alert and the ledger says so, or after the alert lies among the undelivered.
    Killed between delivery and ledger, the alert is delivered again: PagerDuty, Alertmanager, webhooks and CloudEvents recognise it
    by its key; Slack and standard output cannot.
    """

    def __init__(
        self, receiver: AnyReceiver, sink: Sink, *, settings: Settings, ledger: Ledger, orders: Orders
    ) -> None:
        self.receiver = receiver
        self.health = Health()
        self._sink = sink
        self._settings = settings
        self._ledger = ledger
        self._orders = orders
        self._incidents = Incidents()
        self._told = Told()
        self._given_up: set[Name] = set()
        self._make_good_at = 0.0
        self._interval = 60 / receiver.per_minute if isinstance(receiver, Posted) else 0.0
        self._ready_at = 0.0
        self._repeat_at = 0.0
        self._inbox: Inbox

    def run(self) -> None:
        """Returns when told to stop, or with `once` when everything that was there is dealt with.

        Raises:
            BrokerError: Kafka cannot be reached, or does not take what must be written down.
        """
        group = f"{self._settings.notify.group}.{self.receiver.name}"
        with Inbox.open(self._settings.kafka, group=group, from_beginning=self.receiver.from_beginning) as self._inbox:
            while not self._orders.stop.is_set():
                try:
                    self._turn()
                except Reassigned:
                    self._orders.stop.wait(TURN)  # the group may need many rounds until it agrees
                    continue
                except _Stopped:
                    return
                if self._orders.once and self._inbox.exhausted:
                    return

    def _turn(self) -> None:
        records = self._inbox.fetch()
        if self._inbox.given:
            self._catch_up()
        for record in records:
            self._handle(record.key, record.value)
            self._inbox.done(record)
        self._make_good()
        self._repeat()

    def _catch_up(self) -> None:
        """Learns from the log what is open and what this receiver was told, and tells it what it should know and does not."""
        self._incidents = Incidents()
        for record in self._inbox.take_over():
            try:
                alert = self._decode(record.value)
            except RecordError:
                continue  # it was buried when it was new
            if alert is not None:
                self._incidents.take(alert)
        self._told = self._ledger.told(self.receiver.name)
        self._repeat_at = 0.0
        self._settle()
        self._inbox.begin()

    def _settle(self) -> None:
        for alert in self._incidents.owed(self._told):
            if wants(self.receiver, alert):
                self._deliver(alert)

    def _handle(self, key: bytes | None, value: bytes | None) -> None:
        try:
            alert = self._decode(value)
        except RecordError as error:
            self._bury(key, value, why=str(error), attempts=0)
            return
        if alert is None:
            return
        alert = self._incidents.take(alert)
        if wants(self.receiver, alert) and not self._told.knows(alert):
            self._deliver(alert)

    def _decode(self, value: bytes | None) -> AlertEvent | None:
        """The alert, None where there is none or it must not leave."""
        alert = None if value is None else decode_alert(value)
        return None if alert is None or (alert.replay and not self._orders.page_replays) else alert

    def _deliver(self, alert: AlertEvent) -> None:
        tried = persist(
            partial(self._attempt, alert),
            give_up_after=self.receiver.give_up_after_s,
            sleep=self._pause,
            report=self._report,
        )
        if isinstance(tried.outcome, Delivered):
            self._note(alert, tried.attempts)
            self._make_good_at = 0.0
            return
        if isinstance(tried.outcome, Later):
            self._given_up.add(identity(alert))
            self._make_good_at = time.monotonic() + MAKE_GOOD_EVERY
        self._bury(alert.monitor.encode(), encode_alert(alert), why=tried.outcome.why, attempts=tried.attempts)

    def _make_good(self) -> None:
        """Tells what was given up while the receiver was away, as far as it still matters, once the receiver is back."""
        if not self._given_up or time.monotonic() < self._make_good_at:
            return
        owed = [alert for alert in self._incidents.owed(self._told) if identity(alert) in self._given_up]
        for alert in owed:
            if not isinstance(self._attempt(alert), Delivered):
                self._make_good_at = time.monotonic() + MAKE_GOOD_EVERY
                return
            self._note(alert, 1)
        self._given_up.clear()

    def _note(self, alert: AlertEvent, attempts: int) -> None:
        self._ledger.note(self.receiver.name, alert, attempts=attempts, at=time.time_ns() // 1000)
        self._told.add(identity(alert), of=incident(alert), status=alert.status)
        self.health.delivered += 1
        log.info("%s: told (%s) %s", self.receiver.name, alert.status.value, headline(alert))

    def _attempt(self, alert: AlertEvent) -> Outcome:
        self._pause(self._ready_at - time.monotonic())
        outcome = self._sink.deliver(alert, at=time.time())
        self._ready_at = time.monotonic() + self._interval
        self._judge(outcome)
        return outcome

    def _repeat(self) -> None:
        if not isinstance(self._sink, Repeating) or time.monotonic() < self._repeat_at:
            return
        if not self._inbox.exhausted:
            return  # the end of an incident may wait there, told already by a process that was killed: this would open it again
        self._repeat_at = time.monotonic() + self._sink.repeat_every
        mine = [alert for alert in self._incidents.open() if wants(self.receiver, alert)]
        self._judge(self._sink.repeat(mine, at=time.time()))

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while True:
            if self._orders.stop.is_set():
                raise _Stopped
            left = until - time.monotonic()
            if left <= 0:
                return
            self._inbox.idle(min(left, TURN))

    def _judge(self, outcome: Outcome) -> None:
        failing = None if isinstance(outcome, Delivered) else outcome.why
        if failing is None and self.health.failing is not None:
            log.info("%s: works again", self.receiver.name)
        elif failing is not None and self.health.failing is None:
            log.warning("%s: %s", self.receiver.name, failing)
        self.health.failing = failing

    def _report(self, why: str, attempts: int, seconds: float) -> None:
        log.warning("%s: %s; attempt %d, the next in %.1f s", self.receiver.name, why, attempts, seconds)

    def _bury(self, key: bytes | None, value: bytes | None, *, why: str, attempts: int) -> None:
        self._ledger.dead_letter(self.receiver.name, key=key, value=value, why=why, attempts=attempts)
        self.health.undelivered += 1
        log.error(
            "%s: NOT TOLD, after %d attempts: %s; the alert is in %s",
            self.receiver.name,
            attempts,
            why,
            self._settings.notify.undelivered,
        )
