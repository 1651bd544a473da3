"""Incident tools on the loopback interface: as strict as the documentation of each, and misbehaving on demand."""

import json
import socket
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Annotated, Literal

import msgspec
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

ROUTING_KEY = "e93facc04764012d7bfb002500d5d1a6"
SLACK_PATH = "/services/T00000000/B00000000/abcdefghijklmnopqrstuvwx"
WEBHOOK_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
"""Keys of the shape that the documentation of each tool shows."""

Text = Annotated[str, msgspec.Meta(min_length=1)]
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
RoutingKey = Annotated[str, msgspec.Meta(min_length=32, max_length=32)]


class _Payload(msgspec.Struct, forbid_unknown_fields=True, rename={"kind": "class"}):
    summary: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
    source: Text
    severity: Literal["critical", "error", "warning", "info"]
    timestamp: datetime | msgspec.UnsetType = msgspec.UNSET
    component: str | msgspec.UnsetType = msgspec.UNSET
    group: str | msgspec.UnsetType = msgspec.UNSET
    kind: str | msgspec.UnsetType = msgspec.UNSET
    custom_details: dict[str, str | int | float] | msgspec.UnsetType = msgspec.UNSET


class _Link(msgspec.Struct, forbid_unknown_fields=True):
    href: Text
    text: str | msgspec.UnsetType = msgspec.UNSET


class Trigger(msgspec.Struct, forbid_unknown_fields=True, tag_field="event_action", tag="trigger"):
    """PagerDuty Events API v2, as its OpenAPI description and its limits have it."""

    routing_key: RoutingKey
    payload: _Payload
    dedup_key: Key | msgspec.UnsetType = msgspec.UNSET
    client: str | msgspec.UnsetType = msgspec.UNSET
    links: list[_Link] | msgspec.UnsetType = msgspec.UNSET


class Resolve(msgspec.Struct, forbid_unknown_fields=True, tag_field="event_action", tag="resolve"):
    routing_key: RoutingKey
    dedup_key: Key


PAGERDUTY = msgspec.json.Decoder(Trigger | Resolve)


class _Plain(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="plain_text"):
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=3000)]
    emoji: bool = True


class _Mrkdwn(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="mrkdwn"):
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=3000)]
    verbatim: bool = False


class _Section(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="section"):
    text: _Plain | _Mrkdwn


class _Context(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="context"):
    elements: Annotated[list[_Plain | _Mrkdwn], msgspec.Meta(min_length=1, max_length=10)]


class SlackMessage(msgspec.Struct, forbid_unknown_fields=True):
    """An incoming webhook's message: fallback text, and blocks with the limits of Block Kit."""

    text: Text
    blocks: Annotated[list[_Section | _Context], msgspec.Meta(max_length=50)]
    mrkdwn: bool = True
    unfurl_links: bool = True
    unfurl_media: bool = True


SLACK = msgspec.json.Decoder(SlackMessage)


@dataclass(frozen=True)
class Request:
    """One request as it arrived, and when (monotonic seconds)."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float


Fault = Callable[[BaseHTTPRequestHandler], None]
"""Answers a request badly, instead of the proper answer."""


def status(code: int, *, retry_after: str | None = None, location: str | None = None) -> Fault:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        named = {"retry-after": retry_after, "location": location}
        _reply(handler, code, b"not now", {name: value for name, value in named.items() if value is not None})

    return answer


def reset(handler: BaseHTTPRequestHandler) -> None:
    """Breaks the connection with a TCP reset."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def slow(handler: BaseHTTPRequestHandler) -> None:
    """Says nothing until whoever asked hangs up."""
    handler.connection.settimeout(None)
    handler.connection.recv(1)
    handler.close_connection = True


@dataclass
class Tools:
    """What the server has seen. `opened` counts the incidents of each PagerDuty key: a page is one more."""

    url: str
    requests: list[Request] = field(default_factory=list)
    accepted: list[Request] = field(default_factory=list)
    faults: deque[Fault] = field(default_factory=deque)
    after: Callable[[Request], None] = lambda _: None
    opened: Counter[str] = field(default_factory=Counter)
    open_now: set[str] = field(default_factory=set)

    def bodies(self, path: str) -> list[dict[str, object]]:
        return [json.loads(request.body) for request in self.accepted if request.path == path]


@contextmanager
def serving() -> Iterator[Tools]:
    """PagerDuty at /v2/enqueue, Slack at its path, a signed webhook at /hook; /sink and Alertmanager's path take anything."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    tools = Tools(f"http://127.0.0.1:{server.server_address[1]}")
    server.tools = tools  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield tools
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        tools: Tools = self.server.tools  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.path, headers, body, time.monotonic())
        tools.requests.append(request)
        if tools.faults:
            tools.faults.popleft()(self)
            return
        code, said = _answer(tools, request)
        if code < 300:
            tools.accepted.append(request)
        _reply(self, code, said, {})
        tools.after(request)

    def log_message(self, *_: object) -> None:
        pass


def _reply(handler: BaseHTTPRequestHandler, code: int, said: bytes, headers: dict[str, str]) -> None:
    handler.send_response(code)
    for name, value in {"content-length": str(len(said)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(said)
    handler.wfile.flush()


def _answer(tools: Tools, request: Request) -> tuple[int, bytes]:
    if request.headers.get("content-type") != "application/json":
        return 415, b"not json"
    try:
        match request.path:
            case "/v2/enqueue":
                return _pagerduty(tools, PAGERDUTY.decode(request.body), len(request.body))
            case path if path == SLACK_PATH:
                SLACK.decode(request.body)
            case "/hook":
                Webhook(WEBHOOK_SECRET).verify(request.body, request.headers)
            case "/sink" | "/api/v2/alerts":
                pass
            case _:
                return 404, b"no_service"
    except (msgspec.ValidationError, WebhookVerificationError) as error:
        return 400, str(error).encode()
    return 200, b"ok"


def _pagerduty(tools: Tools, event: Trigger | Resolve, size: int) -> tuple[int, bytes]:
    if event.routing_key != ROUTING_KEY or size > 512_000:
        return 400, b'{"status":"invalid event"}'
    key = event.dedup_key if isinstance(event.dedup_key, str) else f"new {len(tools.opened)}"
    if isinstance(event, Resolve):
        tools.open_now.discard(key)
    elif key not in tools.open_now:
        tools.open_now.add(key)
        tools.opened[key] += 1
    return 202, b'{"status":"success","message":"Event processed","dedup_key":"..."}'
