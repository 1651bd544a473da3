"""Any HTTP endpoint, signed as Standard Webhooks (https://www.standardwebhooks.com) has it, so that existing libraries verify it."""

import base64
import binascii
import hashlib
import hmac
import re

import msgspec

from stream import times
from stream.codec.alert import encode_alert
from stream.core.events import AlertEvent
from stream.sinks.message import HttpMessage
from stream.sinks.texts import headline, runbook

PREFIX = "whsec_"
_SAFE = re.compile(r"[A-Za-z0-9_-]{1,100}")
SHORTEST = 24
"""Bytes of a signing secret, at least, as the standard asks."""


def compose(
    alert: AlertEvent, *, url: str, secret: str, authorization: str | None, runbooks: str | None, at: float
) -> HttpMessage:
    """The request: type, time, sentence and the whole alert record, with its id, its time (`at`, Unix seconds) and signature.

    `webhook-id` is the alert's id, whatever the attempt: an endpoint that remembers it takes no alert twice.
    """
    body = msgspec.json.encode(
        {
            "type": f"valuedrift.alert.{alert.status.value}",
            "timestamp": times.render(alert.ts),
            "summary": headline(alert),
            "runbook": runbook(alert, runbooks),
            "data": msgspec.Raw(encode_alert(alert)),
        }
    )
    identifier, timestamp = _identifier(alert), str(int(at))
    headers = [
        ("content-type", "application/json"),
        ("webhook-id", identifier),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", sign(body, identifier=identifier, timestamp=timestamp, key=signing_key(secret))),
    ]
    if authorization is not None:
        headers.append(("authorization", authorization))
    return HttpMessage(url, body, tuple(headers), (secret, authorization or ""))


def _identifier(alert: AlertEvent) -> str:
    """The alert's id, a hash where it could not stand in a header or would make the signed text ambiguous."""
    safe = _SAFE.fullmatch(alert.alert_id) is not None
    name = alert.alert_id if safe else hashlib.sha256(alert.alert_id.encode()).hexdigest()
    return f"replay-{name}" if alert.replay else name


def sign(body: bytes, *, identifier: str, timestamp: str, key: bytes) -> str:
    """Signature `v1,` and the base64 of the HMAC-SHA256 of identifier, timestamp and body with points between them."""
    signed = b".".join((identifier.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def signing_key(secret: str) -> bytes:
    """The bytes of a secret as the standard writes it: base64, with or without `whsec_` before it.

    Raises:
        ValueError: it is no base64, or shorter than 24 bytes.
    """
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if len(key) < SHORTEST:
        raise ValueError(
            f"a webhook secret must be base64 of at least {SHORTEST} bytes, such as `openssl rand -base64 32` writes"
        )
    return key
