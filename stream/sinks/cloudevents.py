"""CloudEvents 1.0 on Kafka, binary (attributes in `ce_` headers, the value is the alert record) or structured (all in the value)."""

from typing import Literal

import msgspec

from stream import times
from stream.codec.alert import encode_alert
from stream.core.events import AlertEvent
from stream.sinks.message import KafkaMessage

JSON = "application/json"
STRUCTURED = "application/cloudevents+json; charset=UTF-8"


def compose(alert: AlertEvent, *, topic: str, mode: Literal["binary", "structured"], source: str) -> KafkaMessage:
    """The record that carries the alert as an event; `source` and `id` together name it for good."""
    attributes = {
        "specversion": "1.0",
        "id": alert.alert_id,
        "source": source + ("/replay" if alert.replay else ""),
        "type": f"valuedrift.alert.{alert.status.value}",
        "subject": alert.monitor,
        "time": times.render(alert.ts),
        "partitionkey": alert.monitor,
    }
    attributes = {name: value for name, value in attributes.items() if value}  # an attribute must not be empty
    key = alert.monitor.encode()
    if mode == "binary":
        headers = [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
        return KafkaMessage(topic, key, encode_alert(alert), (*headers, ("content-type", JSON.encode())))
    value = msgspec.json.encode({**attributes, "datacontenttype": JSON, "data": msgspec.Raw(encode_alert(alert))})
    return KafkaMessage(topic, key, value, (("content-type", STRUCTURED.encode()),))
