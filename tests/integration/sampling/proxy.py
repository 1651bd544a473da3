"""A proxy in front of a real endpoint that injects what networks and providers do to people."""

import json
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

Json = dict[str, Any]


class Reset:
    """Break the connection in the middle."""


class Hang:
    """Say nothing until the test is over."""


Reply = tuple[int, Mapping[str, str], bytes]
Fault = Reply | Reset | Hang | None
"""What happens to a request; None passes it on."""
Injected = Callable[[int, Json], Fault]
"""What happens to the request of this number (counted from 0) and body."""


class Proxy:
    """Forwards to an endpoint, asking `fault` about each request first."""

    def __init__(self, upstream: str, fault: Injected) -> None:
        self.upstream = upstream
        self.fault = fault
        self.requests: list[Json] = []
        self.answered: Counter[str] = Counter()
        self.at_once = 0
        self.most_at_once = 0
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        self.server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def handle(self, handler: "_Handler", sent: Json) -> None:
        with self.lock:
            number = len(self.requests)
            self.requests.append(sent)
            handler.counted = True
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            self._answer(self.fault(number, sent), handler, sent)
        finally:
            self.leave(handler)

    def leave(self, handler: "_Handler") -> None:
        """The request of this handler no longer counts as under way: to be said before its answer is, or the next one overlaps."""
        with self.lock:
            self.at_once -= handler.counted
            handler.counted = False

    def _answer(self, fault: Fault, handler: "_Handler", sent: Json) -> None:
        match fault:
            case None:
                self.pass_on(handler, sent)
            case Hang():
                self.over.wait(60)
            case Reset():
                handler.reset()
            case (status, headers, body):
                handler.reply(status, headers, body)

    def pass_on(self, handler: "_Handler", sent: Json | None) -> None:
        content = json.dumps(sent).encode() if sent is not None else None
        headers = {"Authorization": handler.headers.get("Authorization", ""), "Content-Type": "application/json"}
        request = Request(self.upstream + handler.path.removeprefix("/v1"), data=content, headers=headers)  # noqa: S310 - http, of this test
        try:
            with urlopen(request, timeout=30) as response:  # noqa: S310 - as above
                status, body = response.status, response.read()
        except HTTPError as error:
            with error:
                status, body = error.code, error.read()
        if sent is not None and status == 200:
            with self.lock:
                self.answered[sent["messages"][-1]["content"]] += len(json.loads(body)["choices"])
        handler.reply(status, {"Content-Type": "application/json"}, body)


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    counted = False

    def do_POST(self) -> None:
        self.proxy.handle(self, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def do_GET(self) -> None:
        self.proxy.pass_on(self, None)

    def reset(self) -> None:
        linger = struct.pack("ii", 1, 0)  # closing then resets instead of ending politely
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.proxy.leave(self)
        self.rfile.close()
        self.connection.close()

    def reply(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.proxy.leave(self)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def nothing(_number: int, _sent: Json) -> Fault:
    """Lets every request pass."""
    return None


def always(fault: Fault) -> Injected:
    """Meets every request with this."""
    return lambda _number, _sent: fault


def between(first: int, last: int, fault: Fault) -> Injected:
    """Meets the requests numbered `first` to `last` (excluded) with this."""
    return lambda number, _sent: fault if first <= number < last else None


@contextmanager
def proxied(upstream: str, fault: Injected = nothing) -> Iterator[Proxy]:
    """A proxy that runs while the block does."""
    proxy = Proxy(upstream, fault)
    thread = threading.Thread(target=proxy.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.over.set()
        proxy.server.shutdown()
        proxy.server.server_close()
        thread.join()
