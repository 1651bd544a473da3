"""Whether Kafka is there: one line when it goes and one when it is back, whatever its clients log meanwhile."""

import logging
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from stream.config import KafkaSettings
from stream.kafka.client import addresses, ssl_context

LOOK_SECONDS = 2.0
ANSWER_SECONDS = 5.0
MISSES = 2
"""Looks in a row without an answer until Kafka counts as away: a machine under load may miss one."""

_API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 0, -1)
"""The request that every server answers, also before a client has said who it is: size, key, version, correlation, no client's name."""

log = logging.getLogger(__name__)


class Presence:
    """Remembers since when Kafka has not answered; `meanwhile` says in the log what this process does about it."""

    def __init__(self, servers: str, *, meanwhile: str) -> None:
        self._servers = servers
        self._meanwhile = meanwhile
        self._misses = 0
        self._since = 0.0

    def away(self) -> str | None:
        """In words since when Kafka is away, None while it is there."""
        if self._misses < MISSES:
            return None
        return f"Kafka at {self._servers} is away since {time.strftime('%H:%M:%S', time.localtime(self._since))}"

    def note(self, *, there: bool, now: float) -> None:
        """Takes what a look has found at this time, in seconds since 1970, and says so if that is news."""
        if there:
            if self._misses >= MISSES:
                log.info("Kafka at %s is back after %.0f s", self._servers, now - self._since)
            self._misses = 0
            return
        self._misses += 1
        if self._misses == 1:
            self._since = now
        if self._misses == MISSES:
            log.warning("%s; %s", self.away(), self._meanwhile)


@contextmanager
def watched(settings: KafkaSettings, *, meanwhile: str) -> Iterator[Presence]:
    """Looks for Kafka every few seconds in a thread of its own, until the block ends."""
    presence, over = Presence(settings.bootstrap_servers, meanwhile=meanwhile), threading.Event()
    look = _looker(settings)

    def run() -> None:
        while not over.wait(LOOK_SECONDS):
            now = time.time()
            there = look()
            if not over.is_set():
                presence.note(there=there, now=now)

    threading.Thread(
        target=run, name="presence", daemon=True
    ).start()  # a look at a broker that hangs must not hold up an exit
    try:
        yield presence
    finally:
        over.set()


def _looker(settings: KafkaSettings) -> Callable[[], bool]:
    servers, context = addresses(settings.bootstrap_servers), ssl_context(settings)

    def answers(host: str, port: int) -> bool:
        try:
            with (
                socket.create_connection((host, port), timeout=ANSWER_SECONDS) as plain,
                closing(context.wrap_socket(plain, server_hostname=host) if context else plain) as connection,
            ):
                connection.sendall(_API_VERSIONS)
                return bool(connection.recv(1))
        except OSError:
            return False

    return lambda: any(answers(host, port) for host, port in servers)
