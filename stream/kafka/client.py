"""Kafka clients as the settings say: they connect within seconds or say which address did not answer."""

import logging
import math
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError
from kafka.net import inet, manager
from kafka.net.compat import KafkaNetClient
from kafka.net.inet import KafkaNetSocket
from kafka.net.transport import KafkaSSLTransport

from stream.config import KafkaSettings
from stream.errors import BrokerError
from stream.interrupts import interrupts_held

CONNECT_WITHIN = 3.0
"""Seconds for a TCP connection."""

ANSWER_WITHIN_MS = 6_000
"""Milliseconds for the first answer: with CONNECT_WITHIN, a wrong address is reported in less than ten seconds."""

# At DEBUG kafka-python writes whole records, hence prompts and responses, to the log; and what it would print as an error
# is raised to us anyway.
logging.getLogger("kafka").setLevel(logging.WARNING)
logging.getLogger("kafka").addHandler(logging.NullHandler())
logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)  # it warns whenever the machine is busy
logging.getLogger("kafka.coordinator.consumer").setLevel(logging.CRITICAL)

Options = dict[str, str | int | list[str] | None]
MakeNet = Callable[..., KafkaNetClient]
"""What kafka-python makes the network client of a client by."""

Client = TypeVar("Client", KafkaAdminClient, KafkaConsumer, KafkaProducer)


class _Socket(KafkaNetSocket):  # type: ignore[misc] # kafka-python has no types
    """Closes what is still connecting when its client is closed, or cannot connect: kafka-python 3.0 forgets that socket, open."""

    SCHEMES = ()

    async def sock_connect(self, net: object, sock: socket.socket, *arguments: object, **options: object) -> object:
        try:
            return await super().sock_connect(net, sock, *arguments, **options)
        except BaseException:
            sock.close()
            raise


class _Transport(KafkaSSLTransport):  # type: ignore[misc] # kafka-python has no types
    """Closes a connection whose TLS handshake fails, or is given up: kafka-python 3.0 forgets that one too."""

    async def handshake(self) -> None:
        try:
            await super().handshake()
        except BaseException:
            self.close()
            raise


inet.KafkaNetSocket = _Socket
manager.KafkaSSLTransport = _Transport


@contextmanager
def open_admin(settings: KafkaSettings) -> Iterator[KafkaAdminClient]:
    """A client that manages topics; closed afterwards. Kafka's errors inside the block become BrokerError.

    Raises:
        BrokerError: no server answers, or one refuses.
    """

    def make(net: MakeNet) -> KafkaAdminClient:
        return KafkaAdminClient(**_options(settings), kafka_client=net, request_timeout_ms=15_000)

    with _opened(settings, make) as client:
        yield client


@contextmanager
def open_consumer(settings: KafkaSettings, *, group: str | None = None) -> Iterator[KafkaConsumer]:
    """A client that reads partitions which are assigned by hand, or as a member of `group`, and commits only when told; closed afterwards.

    A member that is killed loses its partitions to the others within ten seconds.

    Raises:
        BrokerError: no server answers, or one refuses.
    """

    def make(net: MakeNet) -> KafkaConsumer:
        client = KafkaConsumer(
            **_options(settings),
            kafka_client=net,
            group_id=group,
            session_timeout_ms=10_000,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
        )
        # While a heartbeat is overdue, as when the broker hangs, kafka-python 3 lets `poll` wait 0 ms, over and over, at full load
        # of the processor. There is no need to hurry: heartbeats are sent by a thread of the client's own.
        client._coordinator.time_to_next_poll = lambda: math.inf
        _finish_joining(client)
        return client

    with _opened(settings, make) as client:
        yield client


def _finish_joining(client: KafkaConsumer) -> None:
    """Lets every joining of the group come to its end.

    A joining that new metadata has caused counts in kafka-python 3.0 as done as soon as the partitions are shared out. Where the time of
    a `poll` is up between that and the group's answer, nobody takes the answer: the consumer has no partitions for ever, and
    sends no heartbeats.
    """
    coordinator = client._coordinator
    must_rejoin = coordinator.need_rejoin
    coordinator.need_rejoin = lambda: coordinator.rejoining or must_rejoin()


@contextmanager
def open_producer(settings: KafkaSettings, *, max_request_size: int) -> Iterator[KafkaProducer]:
    """A client that sends in order, each record once, acknowledged by all replicas; closed afterwards.

    `max_request_size` is the largest record in bytes.

    Raises:
        BrokerError: no server answers, or one refuses, or records were still under way 10 s after the block.
    """

    def make(net: MakeNet) -> KafkaProducer:
        return KafkaProducer(
            **_options(settings),
            kafka_client=net,
            acks="all",
            enable_idempotence=True,
            linger_ms=20,
            batch_size=256 * 1024,
            max_request_size=max_request_size,
            max_block_ms=10_000,
            allow_auto_create_topics=False,
        )

    with _opened(settings, make, timeout=10) as client:
        yield client


def addresses(servers: str) -> list[tuple[str, int]]:
    """Host and port of each server in a comma-separated list; without a port it is Kafka's 9092.

    Raises:
        BrokerError: a port is no number.

    Examples:
        >>> addresses("a:1, b,[::1]:9093")
        [('a', 1), ('b', 9092), ('::1', 9093)]
    """
    found = []
    for server in map(str.strip, servers.split(",")):
        host, colon, port = server.rpartition(":")
        if not colon or "]" in port:
            host, port = server, "9092"
        if not host or not port.isdecimal() or int(port) > 65_535:
            raise BrokerError(f"{server!r} is no Kafka address; write host:port, for example 127.0.0.1:9092")
        found.append((host.strip("[]"), int(port)))
    return found


def ssl_context(settings: KafkaSettings) -> ssl.SSLContext | None:
    """What verifies the server, and names the client where it has a certificate; None where TLS is not spoken."""
    if "SSL" not in settings.security_protocol:
        return None
    context = ssl.create_default_context(cafile=settings.ssl_cafile)
    if settings.ssl_certfile is not None:
        context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile)
    return context


def _options(settings: KafkaSettings) -> Options:
    """What every kafka-python client is told: addresses, security, and time limits that a person can wait for."""
    _require_reachable(settings.bootstrap_servers)
    chosen: Options = {
        "bootstrap_servers": [server.strip() for server in settings.bootstrap_servers.split(",")],
        "security_protocol": settings.security_protocol,
        "client_id": "valuedrift",
        "bootstrap_timeout_ms": ANSWER_WITHIN_MS,
    }
    if settings.sasl_password is not None:
        chosen["sasl_mechanism"] = settings.sasl_mechanism
        chosen["sasl_plain_username"] = settings.sasl_username
        chosen["sasl_plain_password"] = settings.sasl_password.get_secret_value()
    for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
        file: Path | None = getattr(settings, name)
        if file is not None and not file.is_file():
            raise BrokerError(
                f"{name} names {file}, which is no file; correct it in valuedrift.toml or the environment"
            )
        chosen[name] = str(file) if file else None
    return chosen


def _require_reachable(servers: str) -> None:
    """One server must accept a connection: kafka-python would retry a wrong address in silence."""
    listed = addresses(servers)
    reasons = []
    for host, port in listed:
        try:
            socket.create_connection((host, port), timeout=CONNECT_WITHIN / len(listed)).close()
        except OSError as error:
            reasons.append(f"{host}:{port}: {error.strerror or error}")
        else:
            return
    raise BrokerError(
        f"no Kafka answers at {servers} ({'; '.join(reasons)}). Start one with `valuedrift broker`, or name yours with "
        "--bootstrap-servers"
    )


@contextmanager
def _opened(settings: KafkaSettings, make: Callable[[MakeNet], Client], **closing: float) -> Iterator[Client]:
    """A client from its beginning to its end; of one that cannot begin, the connections, which kafka-python would leave open.

    Its threads do not survive Ctrl-C in the middle of either, hence the holding; `closing` is what its `close` is told.
    """
    nets: list[KafkaNetClient] = []

    def make_net(**options: object) -> KafkaNetClient:
        nets.append(KafkaNetClient(**options))
        return nets[-1]

    client = None
    with _translated(settings):
        try:
            with interrupts_held():
                client = make(make_net)
            yield client
        finally:
            with interrupts_held():
                if client is not None:
                    client.close(**closing)
                else:
                    for net in nets:
                        net.close()


@contextmanager
def _translated(settings: KafkaSettings) -> Iterator[None]:
    try:
        yield
    except (KafkaTimeoutError, KafkaConnectionError) as error:
        raise BrokerError(
            f"Kafka at {settings.bootstrap_servers} does not answer ({error}); check the address, that it is Kafka which listens "
            f"there, and security_protocol ({settings.security_protocol})"
        ) from error
    except KafkaError as error:
        raise BrokerError(f"Kafka at {settings.bootstrap_servers} refused: {error}") from error
