"""Who is told about alerts: `[notify]` of the settings, one table for each receiver.

A secret never stands in the settings: a receiver names the environment variable (`…_env`) or the file (`…_file`) that holds it.
Addresses come from these settings alone, never from an alert.
"""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from stream.core.events import Severity
from stream.section import Section

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
TopicName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,200}$")]


def _is_no_setting(name: str) -> str:
    if name.startswith("VALUEDRIFT_"):
        raise ValueError("a variable for a secret must not begin with VALUEDRIFT_: those are settings")
    return name


Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$"), AfterValidator(_is_no_setting)]
"""Name of an environment variable that holds a secret."""

LabelName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]
Globs = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
Severities = Annotated[tuple[Severity, ...], Field(min_length=1)]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
"""This machine: the only hosts that a secret may be sent to unencrypted without further ado."""

RESERVED_LABELS = frozenset({"alertname", "monitor", "rule", "severity", "replay"})


class Receiver(Section):
    """What every receiver has: a name, the alerts that are for it, and how long a delivery is tried.

    An alert is for it if the monitor matches one of `monitors`, the rule one of `rules` (shell patterns, in which case counts),
    and its severity is listed. `from_beginning` tells a new receiver the whole past too, not only what is open now.
    """

    name: Name
    monitors: Globs = ("*",)
    rules: Globs = ("*",)
    severities: Severities = tuple(Severity)
    from_beginning: bool = False
    give_up_after_s: Annotated[float, Field(gt=0, le=86_400)] = 3600

    def _one_place(self, secret: str) -> None:
        """Requires that the secret is named in exactly one way."""
        named = [way for way in ("env", "file") if getattr(self, f"{secret}_{way}") is not None]
        if len(named) != 1:
            raise ValueError(f"say where the secret is: either {secret}_env (a variable's name) or {secret}_file")


class Posted(Receiver):
    """A receiver that is reached by HTTP."""

    timeout_s: Annotated[float, Field(gt=0, le=120)] = 10
    per_minute: Annotated[float, Field(gt=0)] = 60
    allow_plaintext: bool = False


class PagerDuty(Posted):
    """PagerDuty Events API v2: one alert for each monitor and rule, opened and closed by its deduplication key."""

    type: Literal["pagerduty"]
    url: str = "https://events.pagerduty.com/v2/enqueue"
    routing_key_env: Variable | None = None
    routing_key_file: Path | None = None
    severities: Severities = (Severity.WARNING, Severity.CRITICAL)
    per_minute: Annotated[float, Field(gt=0)] = 120

    @model_validator(mode="after")
    def _complete(self) -> Self:
        self._one_place("routing_key")
        check_url(self.url, secret=True, allow_plaintext=self.allow_plaintext)
        return self


class Alertmanager(Posted):
    """Prometheus Alertmanager, API v2: what is open is sent again every `resend_s`.

    An incident that notify no longer speaks of closes after `hold_s`: it must outlast a restart of notify.
    """

    type: Literal["alertmanager"]
    url: str
    authorization_env: Variable | None = None
    authorization_file: Path | None = None
    labels: dict[LabelName, str] = Field(default_factory=dict)
    resend_s: Annotated[float, Field(ge=1, le=180)] = 60
    hold_s: Annotated[float, Field(ge=1, le=86_400)] = 3600
    per_minute: Annotated[float, Field(gt=0)] = 600

    @field_validator("labels")
    @classmethod
    def _own(cls, labels: dict[str, str]) -> dict[str, str]:
        if taken := RESERVED_LABELS.intersection(labels):
            raise ValueError(f"the labels {', '.join(sorted(taken))} are ValueDrift's own; choose other names")
        return labels

    @model_validator(mode="after")
    def _complete(self) -> Self:
        secret = bool(self.authorization_env or self.authorization_file)
        if secret:
            self._one_place("authorization")
        check_url(self.url, secret=secret, allow_plaintext=self.allow_plaintext)
        if self.hold_s < 2 * self.resend_s:
            raise ValueError(f"hold_s must be at least twice resend_s ({self.resend_s:g}), or incidents flap")
        return self


class Slack(Posted):
    """A Slack incoming webhook; its address is a secret."""

    type: Literal["slack"]
    url_env: Variable | None = None
    url_file: Path | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        self._one_place("url")
        return self


class Webhook(Posted):
    """Any HTTP endpoint, signed as Standard Webhooks has it (HMAC-SHA256 over id, timestamp and body)."""

    type: Literal["webhook"]
    url: str
    secret_env: Variable | None = None
    secret_file: Path | None = None
    authorization_env: Variable | None = None
    authorization_file: Path | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        self._one_place("secret")
        authorized = bool(self.authorization_env or self.authorization_file)
        if authorized:
            self._one_place("authorization")
        check_url(self.url, secret=authorized, allow_plaintext=self.allow_plaintext)
        return self


class CloudEvents(Receiver):
    """CloudEvents 1.0 on a topic of the same Kafka, keyed by monitor."""

    type: Literal["cloudevents"]
    topic: TopicName
    mode: Literal["binary", "structured"] = "binary"
    source: Annotated[str, Field(min_length=1)] = "/valuedrift"


class Stdout(Receiver):
    """Standard output, one line an alert: a sentence, or the alert record."""

    type: Literal["stdout"]
    format: Literal["text", "json"] = "text"


AnyReceiver = Annotated[PagerDuty | Alertmanager | Slack | Webhook | CloudEvents | Stdout, Field(discriminator="type")]


class NotifySettings(Section):
    """Receivers, and what notify keeps in Kafka: the log of what was told, and what could not be told.

    Each receiver has a consumer group of its own, named `group`, a dot and its name, so that one that is down holds up no other.
    `runbooks` is the folder of the runbooks as people reach it in a browser; alerts then carry a link into it.
    """

    group: Name = "valuedrift-notify"
    notified: TopicName = "valuedrift.notified"
    undelivered: TopicName = "valuedrift.undelivered"
    runbooks: Annotated[str, StringConstraints(pattern=r"^https?://[^\s<>|\"]+$")] | None = None
    receivers: tuple[AnyReceiver, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [receiver.name for receiver in self.receivers]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"receivers must have distinct names; {', '.join(twice)} is there more than once")
        return self


def check_url(url: str, *, secret: bool, allow_plaintext: bool) -> None:
    """Accepts the address of a receiver.

    Raises:
        ValueError: it is no http or https address, holds a user name or password, or would send a secret unencrypted to
            another machine without `allow_plaintext`. The address is not quoted: it may itself be the secret.

    Examples:
        >>> check_url("http://127.0.0.1:9093", secret=True, allow_plaintext=False)
        >>> check_url("http://example.com", secret=True, allow_plaintext=False)
        Traceback (most recent call last):
        ...
        ValueError: a secret would travel unencrypted; use https, or set allow_plaintext = true
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("the url is not valid") from None
    if parts.scheme not in ("https", "http") or not host or not url.isprintable() or " " in url:
        raise ValueError("the url must begin with https:// or http:// and name a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the url must hold no user name or password; use authorization_env or authorization_file")
    if parts.scheme == "http" and secret and not allow_plaintext and host not in LOOPBACK:
        raise ValueError("a secret would travel unencrypted; use https, or set allow_plaintext = true")
