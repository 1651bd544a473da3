"""A small HTTP collector: what is posted is in Kafka before the answer goes out.

Every format that is recognised may be posted: one JSON object, an array of them, or JSON lines; CloudEvents in all their HTTP
modes. So an application can post its OpenAI-style pairs, and LiteLLM its StandardLoggingPayloads (its generic API callback).

Without a token it listens on loopback only, and answers only requests that name a loopback host and bring JSON: no page in a browser can
post to it.
"""

import asyncio
import hmac
import ipaddress
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import msgspec
from aiohttp import web
from kafka import KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError
from pydantic import SecretStr

from stream.core.records import Reject, ResponseEvent, Source, SourceRecord
from stream.errors import BrokerError, SettingsError
from stream.formats.missing_time import Spaced
from stream.formats.recognise import decode
from stream.naming import monitor_name

MAX_BODY = 16 * 1024 * 1024
"""Bytes of one post, unpacked."""

MAX_AT_ONCE = 32
"""Posts that wait for Kafka at the same time; more are answered 503, so that memory stays bounded."""

ANSWER_SECONDS = 30.0
_LINES = frozenset({"application/x-ndjson", "application/jsonl", "application/x-jsonlines"})
_JSON = frozenset({"application/json", "application/cloudevents+json", "application/cloudevents-batch+json", *_LINES})


@dataclass(frozen=True, slots=True)
class Posted:
    """One record on its way: its key (the monitor; None where it cannot be read), its bytes, and Kafka headers."""

    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


class TooLargeError(Exception):
    """A record is larger than the topic takes."""


Send = Callable[[Sequence[Posted]], None]
"""Returns when Kafka has acknowledged every record; raises BrokerError or TooLargeError. Runs in a thread."""


def sender(producer: KafkaProducer, topic: str) -> Send:
    """Returns what sends to this topic."""

    def send(records: Sequence[Posted]) -> None:
        try:
            futures = [producer.send(topic, each.value, key=each.key, headers=list(each.headers)) for each in records]
            for future in futures:
                future.get(timeout=ANSWER_SECONDS)
        except MessageSizeTooLargeError:
            raise TooLargeError from None
        except KafkaError as error:
            raise BrokerError(f"Kafka did not take a record: {error}") from None

    return send


def require_token(host: str, token: SecretStr | None) -> None:
    """Returns if so much openness is safe.

    Raises:
        SettingsError: others can reach the host, and there is no token.
    """
    if token is None and not is_loopback(host):
        raise SettingsError(
            f"on {host} others can post too: set a token (in the variable that --token-env names), or listen on 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Says whether only this machine can reach the host.

    Examples:
        >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("::1"), is_loopback("0.0.0.0")
        (True, True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def application(send: Send, *, monitor_by: tuple[str, ...], token: SecretStr | None) -> web.Application:
    """Returns the web application: `POST /` takes records, `GET /healthz` says that it runs."""
    collector = _Collector(send, monitor_by, token)
    app = web.Application(client_max_size=MAX_BODY)
    app.add_routes([web.post("/{any:.*}", collector.post), web.get("/healthz", _healthy)])
    return app


async def _healthy(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


class _Collector:
    def __init__(self, send: Send, monitor_by: tuple[str, ...], token: SecretStr | None) -> None:
        self._send = send
        self._monitor_by = monitor_by
        self._token = token
        self._under_way = 0

    async def post(self, request: web.Request) -> web.Response:
        """Takes the records of one post."""
        refusal = self._refuse(request)
        if refusal is not None:
            return refusal
        headers = tuple(
            (f"ce_{name[3:].lower()}", content.encode())
            for name, content in request.headers.items()
            if name.lower().startswith("ce-")
        )
        try:
            items = _items(await request.read(), lines=request.content_type in _LINES)
        except UNREADABLE as error:
            return _error(400, f"the body is no JSON: {error}")
        if not items:
            return _error(400, "the body holds no record")
        posted = [self._posted(item, headers) for item in items]
        unreadable = [why for _, why in posted if why]
        if len(unreadable) == len(posted):
            return _error(422, "no record can be read; nothing was taken", reasons=sorted(set(unreadable))[:5])
        failed = await self._deliver([record for record, _ in posted])
        return failed or web.json_response({"accepted": len(posted), "unreadable": len(unreadable)})

    def _refuse(self, request: web.Request) -> web.Response | None:
        if self._token is not None:
            given = request.headers.get("Authorization", "").removeprefix("Bearer ").encode()
            if not hmac.compare_digest(given, self._token.get_secret_value().encode()):
                return _error(401, "the token is wrong or missing: send Authorization: Bearer TOKEN")
        elif not is_loopback((request.url.host or "").strip("[]")):
            return _error(403, "without a token only this machine may post, to a loopback address")
        if request.content_type not in _JSON:
            return _error(415, "send JSON: Content-Type application/json, or application/x-ndjson for lines")
        if self._under_way >= MAX_AT_ONCE:
            return _error(503, "too many posts wait for Kafka; try again", headers={"Retry-After": "1"})
        return None

    def _posted(self, item: bytes, headers: tuple[tuple[str, bytes], ...]) -> tuple[Posted, str]:
        """The record, and why it cannot be read, empty where it can."""
        record = SourceRecord(
            source=Source("collect", 0), offset=0, key=None, value=item, headers=headers, timestamp=-1
        )
        found = decode(record, missing_time=Spaced(every=1))
        event = next((each for each in found if isinstance(each, ResponseEvent)), None)
        bad = [each for each in found if isinstance(each, Reject) and not each.reason.skipped]
        why = f"{bad[0].reason}: {bad[0].detail}" if bad and event is None else ""
        return Posted(monitor_name(event, self._monitor_by).encode() if event else None, item, headers), why

    async def _deliver(self, records: Sequence[Posted]) -> web.Response | None:
        self._under_way += 1
        try:
            await asyncio.to_thread(self._send, records)
        except TooLargeError:
            return _error(413, "a record is larger than the topic takes; those before it may have been taken")
        except BrokerError as error:
            return _error(503, str(error), headers={"Retry-After": "5"})
        finally:
            self._under_way -= 1
        return None


UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What a body that is no JSON, no UTF-8, or nested absurdly makes `_items` raise."""


def _items(body: bytes, *, lines: bool) -> list[bytes]:
    """The records in a body, each with its own bytes."""
    if not lines and body.lstrip().startswith(b"["):
        return list(map(bytes, msgspec.json.decode(body, type=list[msgspec.Raw])))
    if not lines:
        try:
            return [bytes(msgspec.json.decode(body, type=msgspec.Raw))]
        except msgspec.DecodeError:
            if not body.lstrip().startswith(b"{") or b"\n" not in body.strip():
                raise
            # LiteLLM's log_format ndjson sends lines and calls them application/json.
    found = [line.strip() for line in body.split(b"\n") if line.strip()]
    for line in found:
        msgspec.json.decode(line, type=msgspec.Raw)
    return found


def _error(status: int, message: str, *, headers: dict[str, str] | None = None, **more: object) -> web.Response:
    return web.Response(
        status=status, text=json.dumps({"error": message, **more}), content_type="application/json", headers=headers
    )


async def serve(
    app: web.Application, host: str, port: int, *, ready: Callable[[str], None], stop: Awaitable[object]
) -> None:
    """Answers posts until `stop` is done, and then those that are under way; `ready` is told the address.

    Raises:
        SettingsError: the address cannot be listened on.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=ANSWER_SECONDS)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise SettingsError(f"cannot listen on {host}:{port}: {error.strerror}; choose another --port") from None
        bound = runner.addresses[0]
        ready(f"http://{f'[{bound[0]}]' if ':' in bound[0] else bound[0]}:{bound[1]}")
        await stop
    finally:
        await runner.cleanup()
