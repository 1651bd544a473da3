"""Standard output: one line an alert."""

from typing import Literal

from stream import times
from stream.codec.alert import encode_alert
from stream.core.events import AlertEvent, Status
from stream.sinks.texts import headline


def compose(alert: AlertEvent, *, form: Literal["text", "json"]) -> str:
    """The line: time, severity or "resolved", and the sentence; or the alert record."""
    if form == "json":
        return encode_alert(alert).decode()
    word = "resolved" if alert.status is Status.RESOLVED else alert.severity.value
    return f"{times.render(alert.ts)} {word:8} {headline(alert)}"
