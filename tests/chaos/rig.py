"""What chaos strikes: a broker, worker processes that a supervisor starts again, and a stream of numbered responses with known labels."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
from typing import Self

from stream.config import KafkaSettings, Settings
from stream.errors import BrokerError
from tests.chaos.broker import ChaosBroker
from tests.integration.processes import eventually
from tests.integration.workers import labels, response, send, worker_settings, worker_variables

WORKERS = 3
RESTART_AFTER = 1.0
"""Seconds after which the supervisor starts a worker again."""

WEIGH_EVERY = 50
"""Rounds of the supervisor, a tenth of a second each, between looks at the workers' memory."""

MONITORS = tuple(f"model-{letter}" for letter in "abcdef")
USUAL = {"helpful_aligned": 350, "refusal_appropriate": 35, "refusal_excessive": 10, "off_topic": 5}
CHANGED = {"helpful_aligned": 60, "refusal_appropriate": 20, "refusal_excessive": 70}
PIECE = 120
"""Responses that are sent at a time."""


@dataclass(slots=True)
class Slot:
    """A place for a worker: its number and wire, whether one should run there, and the process that does."""

    number: int
    wanted: bool = False
    process: subprocess.Popen[bytes] | None = None
    ended_at: float = 0.0
    starts: int = 0
    exits: list[int] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.alive:
            os.killpg(self.process.pid, number)

    def memory(self) -> int:
        """Bytes of memory that the process holds; 0 if there is none."""
        if self.process is None or not self.alive:
            return 0
        try:
            pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        except OSError:
            return 0  # it has just ended
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


class Rig:
    """Runs in `folder`: `switches` for the workers, their output in `worker-N.log`, Kafka's data in `kafka`.

    `memory` has the seconds and bytes of each process, `happened` what happened when.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], broker: ChaosBroker, kafka: KafkaSettings) -> None:
        self.folder = folder
        self.broker = broker
        self.kafka = kafka
        self.settings: Settings = worker_settings(kafka)
        self.slots = [Slot(number) for number in range(WORKERS)]
        self.happened: list[str] = []
        self.switches = folder / "switches"
        self.switches.mkdir()
        self._variables = {
            **worker_variables(environment, kafka),
            "VALUEDRIFT_CLASSIFIER__BATCH_SIZE": "16",
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        self._began = time.monotonic()
        self.memory: dict[int, list[tuple[float, int]]] = {}
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise)
        self._supervisor.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._supervisor.join()
        for slot in self.slots:
            slot.wanted = False
            slot.signal(signal.SIGKILL)
            if slot.process is not None:
                slot.process.wait()

    @property
    def running(self) -> list[Slot]:
        """The places where a worker should run."""
        return [slot for slot in self.slots if slot.wanted]

    def note(self, what: str) -> None:
        """Remembers what happened and when, for who reads the artefacts."""
        line = f"{time.monotonic() - self._began:7.2f} {what}"
        self.happened.append(line)
        with (self.folder / "events.log").open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def start(self, slot: Slot) -> None:
        """Starts a worker there; from now on one should run."""
        wire = f"127.0.0.1:{self.broker.wires[slot.number].port}"
        with self._lock, self._log(slot).open("ab") as log:
            slot.wanted = True
            slot.starts += 1
            slot.process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.worker", str(self.switches), str(slot.number)],
                env={**self._variables, "VALUEDRIFT_KAFKA__BOOTSTRAP_SERVERS": wire},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            self.note(f"worker {slot.number} started, process {slot.process.pid}")

    def stop(self, slot: Slot, *, within: float = 60.0) -> int | None:
        """SIGTERM; the exit status, or None if it had to be killed."""
        with self._lock:
            slot.wanted = False
        if slot.process is None:
            return 0
        slot.signal(signal.SIGTERM)
        try:
            return slot.process.wait(within)
        except subprocess.TimeoutExpired:
            slot.signal(signal.SIGKILL)
            slot.process.wait()
            return None

    def await_ready(self, slot: Slot, *, within: float = 180.0) -> None:
        """Returns when the newest worker there has said that it is ready."""
        log = self._log(slot)

        def ready() -> bool:
            text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
            return "\nready\n" in text[text.rfind("kafka: ") :]

        assert eventually(ready, within=within), f"worker {slot.number} is not ready; see {log}"

    def _log(self, slot: Slot) -> Path:
        return self.folder / f"worker-{slot.number}.log"

    def _supervise(self) -> None:
        """Starts again what ended though it should run, as a service manager does."""
        for turn in count():
            if self._over.wait(0.1):
                return
            with self._lock:
                for slot in self.slots:
                    self._look_after(slot)
                    if turn % WEIGH_EVERY == 0 and slot.process is not None and slot.alive:
                        weight = (time.monotonic() - self._began, slot.memory())
                        self.memory.setdefault(slot.process.pid, []).append(weight)

    def _look_after(self, slot: Slot) -> None:
        if slot.process is None or slot.process.poll() is None:
            return
        if not slot.ended_at:
            slot.ended_at = time.monotonic()
            slot.exits.append(slot.process.returncode)
            self.note(f"worker {slot.number} ended with {slot.process.returncode}")
        if slot.wanted and time.monotonic() - slot.ended_at > RESTART_AFTER:
            slot.ended_at = 0.0
            self.start(slot)
        elif not slot.wanted:
            slot.process, slot.ended_at = None, 0.0


class Feed:
    """Sends responses of all monitors in pieces: the usual, a change, and the usual again, `turns` of them.

    A piece that Kafka did not take is sent again whole: the input topic says what there is to count.
    """

    def __init__(self, kafka: KafkaSettings, *, seed: int, turns: int = 3) -> None:
        self._kafka = kafka
        self._random = random.Random(seed)
        self._story = story(seed, turns)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def finish(self, *, within: float, rest: bool = True) -> None:
        """Returns when the rest is sent, or left out."""
        if not rest:
            with self._lock:
                self._story = iter(())
        self._over.set()
        self._thread.join(within)
        assert not self._thread.is_alive(), "Kafka does not take the responses"

    def burst(self, pieces: int) -> None:
        """Sends so many pieces at once."""
        for _ in range(pieces):
            self._send(self._take())

    def _take(self) -> list[bytes]:
        with self._lock:
            return list(islice(self._story, PIECE))

    def _run(self) -> None:
        while piece := self._take():
            self._send(piece)
            self._over.wait(self._random.uniform(1.0, 4.0))

    def _send(self, piece: Sequence[bytes]) -> None:
        while True:
            try:
                send(self._kafka, [(None, value) for value in piece])
            except BrokerError:
                time.sleep(0.5)
            else:
                return


def story(seed: int, turns: int) -> Iterator[bytes]:
    """Numbered responses, one of each monitor in turn."""
    number = 0
    for turn in range(turns):
        counts = CHANGED if turn % 2 else USUAL
        said = [labels(counts, seed=hash((seed, turn, place))) for place in range(len(MONITORS))]
        for each in zip(*said, strict=True):
            for model, label in zip(MONITORS, each, strict=True):
                yield response(number, label, model=model)
                number += 1


@contextmanager
def rig(folder: Path, environment: Mapping[str, str]) -> Iterator[Rig]:
    """A broker with the topics, and no worker yet."""
    broker = ChaosBroker(folder / "kafka", workers=WORKERS)
    broker.start()
    try:
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers, partitions=4)
        with Rig(folder, environment, broker, kafka) as running:
            yield running
    finally:
        broker.close()
