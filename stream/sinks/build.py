"""From the settings of a receiver to the sink that reaches it."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from kafka import KafkaProducer

from stream.core.events import AlertEvent
from stream.errors import SettingsError
from stream.sinks import alertmanager, cloudevents, pagerduty, slack, stdout, webhook
from stream.sinks.http import open_post
from stream.sinks.message import HttpMessage
from stream.sinks.secrets import ReadSecret
from stream.sinks.settings import Alertmanager, AnyReceiver, CloudEvents, PagerDuty, Slack, Stdout, Webhook, check_url
from stream.sinks.sink import AlertmanagerSink, HttpSink, KafkaSink, Sink, StdoutSink

ROUTING_KEY = 32
"""Characters in PagerDuty's integration key."""


def build(
    receiver: AnyReceiver, *, runbooks: str | None, read_secret: ReadSecret, producer: KafkaProducer, stack: ExitStack
) -> Sink:
    """The sink of a receiver; the connections that it opens are closed with `stack`.

    Raises:
        SettingsError: a secret is missing or cannot be one; the message names the receiver and never quotes the secret.
    """
    match receiver:
        case CloudEvents(topic=topic, mode=mode, source=source):
            return KafkaSink(partial(cloudevents.compose, topic=topic, mode=mode, source=source), producer)
        case Stdout(format=form):
            return StdoutSink(partial(stdout.compose, form=form))
    post = stack.enter_context(open_post(timeout=receiver.timeout_s))
    try:
        match receiver:
            case Alertmanager():
                return AlertmanagerSink(_address(receiver, runbooks, read_secret), post, repeat_every=receiver.resend_s)
            case PagerDuty():
                return HttpSink(_pagerduty(receiver, runbooks, read_secret), post)
            case Slack():
                return HttpSink(_slack(receiver, runbooks, read_secret), post)
            case Webhook():
                return HttpSink(_webhook(receiver, runbooks, read_secret), post)
    except ValueError as error:
        raise SettingsError(f"receiver {receiver.name}: {error}") from None


Compose = Callable[[AlertEvent, float], HttpMessage]


def _pagerduty(receiver: PagerDuty, runbooks: str | None, read_secret: ReadSecret) -> Compose:
    key = read_secret(receiver, "routing_key")
    if len(key) != ROUTING_KEY:
        raise ValueError(
            f"PagerDuty's integration key has {ROUTING_KEY} characters, this one {len(key)}; "
            "copy it from the service's Events API V2 integration"
        )
    return lambda alert, _: pagerduty.compose(alert, url=receiver.url, routing_key=key, runbooks=runbooks)


def _slack(receiver: Slack, runbooks: str | None, read_secret: ReadSecret) -> Compose:
    url = read_secret(receiver, "url")
    check_url(url, secret=True, allow_plaintext=receiver.allow_plaintext)
    return lambda alert, _: slack.compose(alert, url=url, runbooks=runbooks)


def _webhook(receiver: Webhook, runbooks: str | None, read_secret: ReadSecret) -> Compose:
    secret = read_secret(receiver, "secret")
    webhook.signing_key(secret)  # a wrong one must stop the start, not the first alert
    authorization = _authorization(receiver, read_secret)
    return lambda alert, at: webhook.compose(
        alert, url=receiver.url, secret=secret, authorization=authorization, runbooks=runbooks, at=at
    )


def _address(receiver: Alertmanager, runbooks: str | None, read_secret: ReadSecret) -> alertmanager.Address:
    return alertmanager.Address(
        url=receiver.url,
        labels=receiver.labels,
        hold_s=receiver.hold_s,
        runbooks=runbooks,
        authorization=_authorization(receiver, read_secret),
    )


def _authorization(receiver: Alertmanager | Webhook, read_secret: ReadSecret) -> str | None:
    if receiver.authorization_env is None and receiver.authorization_file is None:
        return None
    value = read_secret(receiver, "authorization")
    if not (value.isascii() and value.isprintable()):
        raise ValueError("the authorization must be one line of printable ASCII, such as `Bearer …`")
    return value
