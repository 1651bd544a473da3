"""PagerDuty Events API v2: a trigger opens or updates the alert of a deduplication key, a resolve closes it.

Limits are those of PagerDuty's documentation: summary 1,024 characters, dedup_key 255, the whole event 512 kB.
"""

import hashlib
import json

from stream import times
from stream.core.events import AlertEvent, Status
from stream.sinks.message import HttpMessage
from stream.sinks.texts import clip, details, headline, printable, runbook

SUMMARY = 1024
DEDUP_KEY = 255


def compose(alert: AlertEvent, *, url: str, routing_key: str, runbooks: str | None) -> HttpMessage:
    """The event that tells PagerDuty of the alert."""
    event: dict[str, object] = {"routing_key": routing_key, "dedup_key": dedup_key(alert)}
    if alert.status is Status.RESOLVED:
        event["event_action"] = "resolve"
    else:
        event["event_action"] = "trigger"
        event["client"] = "ValueDrift"
        event["payload"] = {
            "summary": clip(headline(alert), SUMMARY),
            "source": printable(alert.monitor) or "(unnamed)",
            "severity": alert.severity.value,
            "timestamp": times.render(alert.ts),
            "component": printable(alert.monitor),
            "group": "ValueDrift",
            "class": alert.rule.value,
            "custom_details": details(alert),
        }
        if (link := runbook(alert, runbooks)) is not None:
            event["links"] = [{"href": link, "text": f"Runbook: {alert.rule.value}"}]
    return HttpMessage(url, json.dumps(event, ensure_ascii=False).encode(), secrets=(routing_key,))


def dedup_key(alert: AlertEvent) -> str:
    """The alert's own key, or where that is longer than PagerDuty takes, a hash of it; a replay has an incident of its own."""
    key = f"replay:{alert.dedup_key}" if alert.replay else alert.dedup_key
    return key if len(key) <= DEDUP_KEY else f"vd:{hashlib.sha256(key.encode()).hexdigest()}"
