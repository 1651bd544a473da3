"""Posting to a receiver: TLS verified, redirects not followed, answers read only as far as they are needed, secrets never shown."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from stream.sinks.message import HttpMessage, mask
from stream.sinks.outcome import Delivered, Later, Outcome, Refused
from stream.sinks.settings import LOOPBACK

ANSWER_BYTES = 2048
LONGEST_WAIT = 900.0
"""Seconds of Retry-After that are honoured at most: a receiver must not be able to silence its alerts for a day."""

_RETRIED = frozenset({408, 425, 429})

# These write whole addresses, hence Slack's secret, into the log at INFO.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class Post:
    """Sends messages, each over a connection of its own: an idle one that the receiver has closed would look like a failure."""

    def __init__(self, client: httpx.Client, *, timeout: float) -> None:
        self._client = client
        self._timeout = timeout

    def send(self, message: HttpMessage) -> Outcome:
        """Posts the message and says what came of it: 2xx is delivered; 408, 425, 429, 5xx and network errors are for later."""
        try:
            with self._client.stream(
                "POST", message.url, content=message.body, headers=list(message.headers)
            ) as response:
                if response.is_success:
                    return Delivered()
                return _judge(response, _beginning(response, within=self._timeout), message.secrets)
        except httpx.TimeoutException as error:
            return Later(f"no answer in time ({type(error).__name__})")
        except httpx.TransportError as error:
            return Later(mask(f"the connection failed: {type(error).__name__}: {error}", message.secrets))


@contextmanager
def open_post(*, timeout: float) -> Iterator[Post]:
    """A Post whose connections are closed afterwards; `timeout` in seconds holds for connecting and for each wait for an answer.

    A proxy and authorities of the environment (HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE) are used, as by every other program.
    """
    limits = httpx.Limits(max_keepalive_connections=0)
    headers = {"user-agent": "valuedrift", "accept-encoding": "identity"}
    # What is meant for this machine must not leave it for a proxy: a secret may go there unencrypted.
    direct = dict.fromkeys(f"all://[{host}]" if ":" in host else f"all://{host}" for host in LOOPBACK)
    with httpx.Client(timeout=timeout, limits=limits, headers=headers, mounts=direct, follow_redirects=False) as client:
        yield Post(client, timeout=timeout)


def _judge(response: httpx.Response, said: str, secrets: tuple[str, ...]) -> Outcome:
    code = response.status_code
    why = mask(f"answered {code}{f': {said}' if said else ''}", secrets)
    if code in _RETRIED or code >= 500:
        return Later(why, retry_after(response.headers.get("retry-after"), now=time.time()))
    if response.is_redirect:
        return Refused(f"answered {code}, a redirect, and those are not followed; set the url to the final address")
    return Refused(why)


def _beginning(response: httpx.Response, *, within: float) -> str:
    """The first two kilobytes of the answer, on one line; an answer may be endless, or compressed to be, or drip."""
    content, until = b"", time.monotonic() + within
    for chunk in response.iter_raw():
        content += chunk
        if len(content) >= ANSWER_BYTES or time.monotonic() > until:
            break
    text = content[:ANSWER_BYTES].decode(errors="replace")
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())[:300]


def retry_after(header: str | None, *, now: float) -> float | None:
    """Seconds that a Retry-After header asks for, at most 15 minutes; None without one that can be read. `now` is Unix time.

    Examples:
        >>> retry_after("7", now=0), retry_after("Thu, 01 Jan 1970 00:01:00 GMT", now=20), retry_after("soon", now=0)
        (7.0, 40.0, None)
    """
    if header is None:
        return None
    if header.strip().isdecimal():
        return min(float(header), LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.fromtimestamp(now, UTC)
    return min(max(seconds.total_seconds(), 0.0), LONGEST_WAIT)
