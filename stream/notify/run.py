"""All receivers at once, each with a courier of its own, until told to stop."""

import logging
from collections.abc import Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack

from stream.codec.alert import decode_alert
from stream.config import Settings
from stream.errors import RecordError, SettingsError
from stream.kafka.client import open_producer
from stream.kafka.presence import watched
from stream.kafka.read import read_topic
from stream.kafka.topics import MAX_OUTPUT_BYTES, require_topics
from stream.notify.courier import Courier, Orders
from stream.notify.incidents import Incidents
from stream.notify.ledger import Ledger
from stream.notify.routes import wants
from stream.sinks.build import build
from stream.sinks.secrets import ReadSecret, placeholder, read_secret
from stream.sinks.settings import CloudEvents
from stream.sinks.sink import Sink

log = logging.getLogger(__name__)

HEALTH_EVERY = 60.0
"""Seconds between two lines about each receiver."""


def notify(settings: Settings, orders: Orders) -> bool:
    """Tells every receiver until `orders.stop` is set, or with `once` until what is there is told; False if something could not be.

    Raises:
        SettingsError: there is no receiver, or a secret is missing.
        TopicError: a topic is missing and cannot be made.
        BrokerError: Kafka cannot be reached, or does not take what must be written down.
    """
    _require(settings)
    with open_producer(settings.kafka, max_request_size=MAX_OUTPUT_BYTES) as producer, ExitStack() as stack:
        stack.enter_context(watched(settings.kafka, meanwhile="alerts wait there, none is lost"))
        ledger = Ledger(settings, producer)
        sinks = _sinks(settings, read_secret, producer, stack)
        ledger.create_topics()
        couriers = [
            Courier(receiver, sink, settings=settings, ledger=ledger, orders=orders)
            for receiver, sink in zip(settings.notify.receivers, sinks, strict=True)
        ]
        named = ", ".join(f"{receiver.name} ({receiver.type})" for receiver in settings.notify.receivers)
        log.info("telling %s of alerts in %s", named, settings.kafka.topics.alerts)
        _run(couriers, orders)
    for courier in couriers:
        _say(courier)
    return not any(courier.health.undelivered for courier in couriers)


def preview(settings: Settings, *, page_replays: bool) -> Iterator[str]:
    """What would be sent for every alert that is in the topic now, to receivers that know none of them; nothing is sent.

    Raises:
        SettingsError: there is no receiver.
        TopicError: the topic of alerts is missing.
        BrokerError: Kafka cannot be reached.
    """
    _require(settings)
    incidents = Incidents()
    with open_producer(settings.kafka, max_request_size=MAX_OUTPUT_BYTES) as producer, ExitStack() as stack:
        sinks = _sinks(settings, placeholder, producer, stack)
        for record in read_topic(settings.kafka, settings.kafka.topics.alerts):
            place = f"{record.source.topic}[{record.source.partition}]@{record.offset}"
            try:
                alert = decode_alert(record.value or b"")
            except RecordError as error:
                yield f"{place}: cannot be read: {error}\n"
                continue
            if alert.replay and not page_replays:
                yield f"{place}: a replay, goes to nobody\n"
                continue
            alert = incidents.take(alert)
            for receiver, sink in zip(settings.notify.receivers, sinks, strict=True):
                if wants(receiver, alert):
                    at = record.timestamp / 1e6
                    yield f"{place}: to {receiver.name} ({receiver.type})\n{sink.preview(alert, at=at)}\n"


def _require(settings: Settings) -> None:
    if not settings.notify.receivers:
        raise SettingsError(
            "nobody is to be told: add a receiver to valuedrift.toml, for example\n"
            '  [[notify.receivers]]\n  name = "screen"\n  type = "stdout"\n'
            "docs/route-alerts.md has one for each tool"
        )
    bridged = [receiver.topic for receiver in settings.notify.receivers if isinstance(receiver, CloudEvents)]
    require_topics(settings.kafka, [settings.kafka.topics.alerts, *bridged])


def _sinks(settings: Settings, read: ReadSecret, producer: object, stack: ExitStack) -> list[Sink]:
    return [
        build(receiver, runbooks=settings.notify.runbooks, read_secret=read, producer=producer, stack=stack)
        for receiver in settings.notify.receivers
    ]


def _run(couriers: list[Courier], orders: Orders) -> None:
    """Returns when every courier has; one that fails stops the others, and its error is raised."""
    with ThreadPoolExecutor(len(couriers), thread_name_prefix="courier") as pool:
        waiting = {pool.submit(courier.run) for courier in couriers}
        try:
            while waiting:
                done, waiting = wait(waiting, timeout=HEALTH_EVERY, return_when=FIRST_EXCEPTION)
                for each in done:
                    each.result()
                if waiting and not done:
                    for courier in couriers:
                        _say(courier)
        finally:
            orders.stop.set()


def _say(courier: Courier) -> None:
    health = courier.health
    state = "ok" if health.failing is None else f"failing: {health.failing}"
    log.info(
        "%s: %s; %d told, %d not told since the start",
        courier.receiver.name,
        state,
        health.delivered,
        health.undelivered,
    )
