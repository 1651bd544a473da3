"""What a receiver is to the courier: a place that alerts are delivered to, one at a time."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import click
from kafka import KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError

from stream.core.events import AlertEvent, Status
from stream.sinks import alertmanager
from stream.sinks.http import Post
from stream.sinks.message import HttpMessage, KafkaMessage
from stream.sinks.outcome import Delivered, Later, Outcome, Refused

KAFKA_WITHIN = 60.0
"""Seconds for Kafka to take a record."""


class Sink(Protocol):
    """Delivers alerts; `at` is the present in Unix seconds."""

    def deliver(self, alert: AlertEvent, *, at: float) -> Outcome:
        """Tells the receiver, once."""

    def preview(self, alert: AlertEvent, *, at: float) -> str:
        """What `deliver` would send, secrets masked."""


@runtime_checkable
class Repeating(Sink, Protocol):
    """A receiver for which an incident stays open only while it is told again, every `repeat_every` seconds."""

    repeat_every: float

    def repeat(self, alerts: Sequence[AlertEvent], *, at: float) -> Outcome:
        """Tells the receiver that these are open."""


class HttpSink:
    """One POST for each alert."""

    def __init__(self, compose: Callable[[AlertEvent, float], HttpMessage], post: Post) -> None:
        self._compose = compose
        self._post = post

    def deliver(self, alert: AlertEvent, *, at: float) -> Outcome:
        """Posts what is composed of the alert."""
        return self._post.send(self._compose(alert, at))

    def preview(self, alert: AlertEvent, *, at: float) -> str:
        """The request, secrets masked."""
        return self._compose(alert, at).preview()


class AlertmanagerSink:
    """Posts what is open again and again, and what has ended for a quarter of an hour more."""

    def __init__(self, to: alertmanager.Address, post: Post, *, repeat_every: float) -> None:
        self.repeat_every = repeat_every
        self._to = to
        self._post = post
        self._ended: dict[tuple[bool, str], tuple[AlertEvent, float]] = {}

    def deliver(self, alert: AlertEvent, *, at: float) -> Outcome:
        """Opens or closes the alert."""
        key = (alert.replay, alert.dedup_key)
        self._ended.pop(key, None)
        if alert.status is Status.RESOLVED:
            self._ended[key] = (alert, at)
        return self._post.send(self._compose([(alert, at)], at))

    def repeat(self, alerts: Sequence[AlertEvent], *, at: float) -> Outcome:
        """Posts all that is open in one request, and with it what ended in the last 15 minutes, each with its own end."""
        self._ended = {
            key: ended for key, ended in self._ended.items() if at - ended[1] < alertmanager.REPEAT_ENDED_FOR
        }
        told = [*((alert, at) for alert in alerts), *self._ended.values()]
        return self._post.send(self._compose(told, at)) if told else Delivered()

    def preview(self, alert: AlertEvent, *, at: float) -> str:
        """The request, secrets masked."""
        return self._compose([(alert, at)], at).preview()

    def _compose(self, alerts: Sequence[tuple[AlertEvent, float]], at: float) -> HttpMessage:
        return alertmanager.compose(alerts, to=self._to, at=at)


class KafkaSink:
    """One record for each alert, acknowledged by all replicas."""

    def __init__(self, compose: Callable[[AlertEvent], KafkaMessage], producer: KafkaProducer) -> None:
        self._compose = compose
        self._producer = producer

    def deliver(self, alert: AlertEvent, *, at: float) -> Outcome:  # noqa: ARG002 - Kafka stamps its records itself
        """Produces the record and waits until Kafka has it."""
        message = self._compose(alert)
        try:
            self._producer.send(message.topic, message.value, key=message.key, headers=list(message.headers)).get(
                timeout=KAFKA_WITHIN
            )
        except MessageSizeTooLargeError as error:
            return Refused(f"the record is too large for the topic: {error}")
        except KafkaError as error:
            return Later(f"Kafka did not take the record: {type(error).__name__}: {error}")
        return Delivered()

    def preview(self, alert: AlertEvent, *, at: float) -> str:  # noqa: ARG002
        """The record as text."""
        return self._compose(alert).preview()


class StdoutSink:
    """One line for each alert on standard output."""

    def __init__(self, compose: Callable[[AlertEvent], str]) -> None:
        self._compose = compose

    def deliver(self, alert: AlertEvent, *, at: float) -> Outcome:  # noqa: ARG002 - the line carries the alert's own time
        """Prints the line; whoever reads has it when this returns."""
        click.echo(self._compose(alert))
        return Delivered()

    def preview(self, alert: AlertEvent, *, at: float) -> str:  # noqa: ARG002
        """The line."""
        return self._compose(alert)
