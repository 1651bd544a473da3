"""Which alerts are for whom."""

from fnmatch import fnmatchcase

from stream.core.events import AlertEvent
from stream.sinks.settings import Receiver


def wants(receiver: Receiver, alert: AlertEvent) -> bool:
    """Whether the alert is for the receiver: its monitor, rule and severity all match."""
    return (
        alert.severity in receiver.severities
        and any(fnmatchcase(alert.rule.value, pattern) for pattern in receiver.rules)
        and any(fnmatchcase(alert.monitor, pattern) for pattern in receiver.monitors)
    )
