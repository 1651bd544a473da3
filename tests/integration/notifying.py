"""Running `valuedrift notify` in tests: its settings, its alerts, and what it left."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from stream.codec.alert import encode_alert
from stream.config import KafkaSettings
from stream.core.events import AlertEvent, Status
from stream.core.records import SourceRecord
from stream.kafka.client import open_producer
from stream.kafka.read import read_topic
from stream.kafka.topics import create_missing
from tests.integration.processes import valuedrift
from tests.integration.receivers import ROUTING_KEY, SLACK_PATH, WEBHOOK_SECRET, Tools
from tests.unit.histories import alert

PAGERDUTY = """
[[notify.receivers]]
name = "oncall"
type = "pagerduty"
url = "{url}/v2/enqueue"
routing_key_env = "PAGERDUTY_KEY"
timeout_s = 3
per_minute = 6000
"""
SLACK = """
[[notify.receivers]]
name = "channel"
type = "slack"
url_env = "SLACK_URL"
"""
WEBHOOK = """
[[notify.receivers]]
name = "hook"
type = "webhook"
url = "{url}/hook"
secret_env = "HOOK_SECRET"
"""
STDOUT = """
[[notify.receivers]]
name = "screen"
type = "stdout"
"""

FIRING = alert("support-bot")
RESOLVED = alert("support-bot", seq=900, status=Status.RESOLVED)
KEY = FIRING.dedup_key


def prepare(kafka: KafkaSettings, environment: Mapping[str, str], tools: Tools) -> dict[str, str]:
    """Makes the topics, and returns an environment with the secrets set and with names that are this test's own."""
    create_missing(kafka)
    prefix = kafka.topics.alerts.split(".", maxsplit=1)[0]
    return {
        **environment,
        "PAGERDUTY_KEY": ROUTING_KEY,
        "SLACK_URL": tools.url + SLACK_PATH,
        "HOOK_SECRET": WEBHOOK_SECRET,
        "VALUEDRIFT_NOTIFY__GROUP": f"{prefix}.notify",
        "VALUEDRIFT_NOTIFY__NOTIFIED": f"{prefix}.notified",
        "VALUEDRIFT_NOTIFY__UNDELIVERED": f"{prefix}.undelivered",
    }


def configure(text: str, tools: Tools) -> None:
    """Writes the settings file into the working folder."""
    Path("valuedrift.toml").write_text(text.replace("{url}", tools.url))


def send(kafka: KafkaSettings, *alerts: AlertEvent | bytes) -> None:
    """Puts alerts (or bytes that are none) into the topic, keyed by monitor."""
    with open_producer(kafka, max_request_size=1_000_000) as producer:
        for each in alerts:
            value, key = (each, b"?") if isinstance(each, bytes) else (encode_alert(each), each.monitor.encode())
            producer.send(kafka.topics.alerts, value, key=key).get(timeout=10)


def once(env: Mapping[str, str], *options: str) -> subprocess.CompletedProcess[bytes]:
    return valuedrift("notify", "--once", *options, environment=env)


def undelivered(kafka: KafkaSettings, env: Mapping[str, str]) -> list[SourceRecord]:
    return list(read_topic(kafka, env["VALUEDRIFT_NOTIFY__UNDELIVERED"]))
