"""Addresses and what is said about a Kafka that cannot be used."""

import errno
import logging
import socket
import ssl
import threading
import types
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from stream.config import KafkaSettings
from stream.errors import BrokerError
from stream.kafka import client
from stream.kafka.client import addresses, open_admin, open_consumer, open_producer


@pytest.fixture
def port() -> int:
    """A loopback port on which nothing listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        free: int = holder.getsockname()[1]
        return free


@pytest.mark.parametrize("servers", ["host:port", "host:99999", ":9092", "a:1,", "http://host:9092/x"])
def test_what_is_no_address_is_refused_with_an_example(servers: str) -> None:
    with pytest.raises(BrokerError, match="write host:port, for example"):
        addresses(servers)


def test_an_address_where_nothing_listens_is_named_with_what_to_do(port: int) -> None:
    settings = KafkaSettings(bootstrap_servers=f"127.0.0.1:{port}")
    with (
        pytest.raises(BrokerError, match=rf"127\.0\.0\.1:{port}.*valuedrift broker.*--bootstrap-servers"),
        open_admin(settings),
    ):
        pass


def test_a_certificate_file_that_does_not_exist_is_named(port: int) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        settings = KafkaSettings(
            bootstrap_servers=f"127.0.0.1:{listener.getsockname()[1]}",
            security_protocol="SSL",
            ssl_cafile=Path("/none/ca.pem"),
        )
        with pytest.raises(BrokerError, match=r"ssl_cafile names /none/ca\.pem"), open_admin(settings):
            pass


def test_the_library_never_logs_records() -> None:
    assert not logging.getLogger("kafka.producer").isEnabledFor(logging.DEBUG)


@pytest.mark.parametrize("opened", [open_admin, open_consumer, partial(open_producer, max_request_size=1)])
def test_a_client_that_gets_no_answer_leaves_nothing_open(
    opened: Callable[[KafkaSettings], AbstractContextManager[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ANSWER_WITHIN_MS", 50)
    before = set(threading.enumerate())
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        settings = KafkaSettings(bootstrap_servers=f"127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(BrokerError, match="does not answer"), opened(settings):
            pass
    assert set(threading.enumerate()) <= before


class _Connecting:
    """A socket whose connection is not made yet, and the loop in which that is waited for."""

    closed = False

    def connect_ex(self, _: object) -> int:
        return errno.EINPROGRESS

    def close(self) -> None:
        self.closed = True

    @types.coroutine
    def wait_write(self, *_: object, **__: object) -> Generator[None, None, None]:
        yield


def test_a_connection_that_is_given_up_while_it_is_made_is_closed() -> None:
    sock = _Connecting()
    making = client._Socket().sock_connect(sock, cast("socket.socket", sock), ("127.0.0.1", 1))
    making.send(None)
    assert not sock.closed
    making.close()
    assert sock.closed


class _Loop:
    """A loop in which nothing is waited for."""

    def unregister_event(self, *_: object) -> None:
        pass


def test_a_connection_whose_tls_handshake_fails_is_closed() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0)
        theirs.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        transport = client._Transport(_Loop(), ours, host="localhost")
        wrapped = transport._sock
        with pytest.raises(ssl.SSLError):
            transport.handshake().send(None)
        assert wrapped.fileno() == -1
