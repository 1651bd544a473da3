"""Prometheus Alertmanager, API v2: identity is the label set, an alert stays open while it is sent again, and `endsAt` closes it.

Times of responses stand in the annotations. `startsAt` and `endsAt` are read by Alertmanager against its own clock, so an onset in the
future (a source whose clock is wrong) is brought back to now, and an end is the moment at which it is told.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from stream.core.events import AlertEvent, Status
from stream.sinks.message import HttpMessage
from stream.sinks.texts import details, headline, printable, runbook

PATH = "/api/v2/alerts"
REPEAT_ENDED_FOR = 900.0
"""Seconds for which an end is told again, as Prometheus does, in case Alertmanager restarts in between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Which Alertmanager, and what every alert sent there carries."""

    url: str
    labels: Mapping[str, str]
    hold_s: float
    runbooks: str | None
    authorization: str | None = None


def compose(alerts: Sequence[tuple[AlertEvent, float]], *, to: Address, at: float) -> HttpMessage:
    """One request for several alerts; with each stands the wall time (Unix seconds) at which it ended, for those that did."""
    headers = [("content-type", "application/json")]
    secrets: tuple[str, ...] = ()
    if to.authorization is not None:
        headers.append(("authorization", to.authorization))
        secrets = (to.authorization,)
    body = json.dumps([_postable(alert, to, at, ended) for alert, ended in alerts], ensure_ascii=False).encode()
    return HttpMessage(to.url.rstrip("/") + PATH, body, tuple(headers), secrets)


def _postable(alert: AlertEvent, to: Address, at: float, ended: float) -> dict[str, object]:
    ends = ended if alert.status is Status.RESOLVED else at + to.hold_s
    starts = min(alert.starts_at / 1e6, ends - 0.001, at)
    annotations = {"summary": headline(alert)}
    annotations |= {name: str(value) for name, value in details(alert).items()}
    if (link := runbook(alert, to.runbooks)) is not None:
        annotations["runbook_url"] = link
    return {
        "labels": labels(alert, to.labels),
        "annotations": annotations,
        "startsAt": _rfc3339(starts),
        "endsAt": _rfc3339(ends),
    }


def labels(alert: AlertEvent, extra: Mapping[str, str]) -> dict[str, str]:
    """What makes the alert the same alert to Alertmanager: names only, never a number or a time."""
    own = {
        "alertname": "ValueDrift",
        "monitor": printable(alert.monitor),
        "rule": alert.rule.value,
        "severity": alert.severity.value,
    }
    return {**extra, **own, **({"replay": "true"} if alert.replay else {})}


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
