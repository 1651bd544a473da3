"""The faults, and a schedule of them that depends on the seed only."""

import random
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tests.chaos.rig import Feed, Rig, Slot
from tests.integration.processes import eventually

SESSION = 10.0
"""Seconds after which Kafka takes a silent worker for dead."""

GRACE = 12.0
"""Seconds that a worker may take to stop: it promises ten, on a machine of its own."""


HOGGED = 300e6
"""Bytes by which a worker may grow before it is killed."""

CLEAN = (0, -signal.SIGTERM)
"""Exit statuses after SIGTERM: of a worker that ran, and of one that had not begun."""


class Fault(StrEnum):
    """What can happen."""

    KILL = "SIGKILL of a worker"
    TERM = "SIGTERM of a worker"
    KILL_IN_RECOVERY = "SIGKILL during recovery"
    KILL_IN_REBALANCE = "SIGKILL during a rebalance"
    JOIN = "a worker joins"
    LEAVE = "a worker leaves"
    ZOMBIE = "SIGSTOP beyond the session, SIGCONT"
    CUT = "network of a worker cut beyond the session"
    BROKER_KILL = "SIGKILL of the broker"
    BROKER_AWAY = "broker stopped for long"
    DISK = "broker halted, as by a slow disk"
    ACKS = "delayed acknowledgements"
    FULL = "producer buffer full"
    RAISE = "the classifier raises"
    HANG = "the classifier hangs"
    MEMORY = "out-of-memory kill"
    CLOCK = "clock steps"


@dataclass(frozen=True, slots=True)
class Blow:
    """One fault of a schedule: what, how long after the one before, and its own source of chance."""

    fault: Fault
    after: float
    seed: int


def schedule(seed: int, *, n: int) -> tuple[Blow, ...]:
    """The faults of a seed. Those of consecutive seeds cover all."""
    drawn = random.Random(seed)
    order = list(Fault)
    random.Random(seed * n // len(order)).shuffle(order)
    first = seed * n % len(order)
    chosen = [(order * 2)[place] for place in range(first, first + n)]
    drawn.shuffle(chosen)
    return tuple(Blow(fault, drawn.uniform(0.5, 4.0), drawn.randrange(1 << 30)) for fault in chosen)


class Striker:
    """Strikes a rig; each fault heals by itself before it returns, except what the supervisor heals.

    A broker that is stopped stays `away` for so many seconds; the worker in slot `spared` is never a victim by itself.
    """

    def __init__(self, rig: Rig, feed: Feed, *, away: float, spared: int | None = None) -> None:
        self.rig = rig
        self.feed = feed
        self.away = away
        self.spared = spared
        self.unclean: list[str] = []
        self._how: Mapping[Fault, Callable[[random.Random], None]] = {
            Fault.KILL: lambda chance: self._kill(self._victim(chance)),
            Fault.TERM: self._term,
            Fault.KILL_IN_RECOVERY: self._kill_in_recovery,
            Fault.KILL_IN_REBALANCE: self._kill_in_rebalance,
            Fault.JOIN: lambda _: self._join(),
            Fault.LEAVE: self._leave,
            Fault.ZOMBIE: self._zombie,
            Fault.CUT: self._cut,
            Fault.BROKER_KILL: self._broker_kill,
            Fault.BROKER_AWAY: self._broker_away,
            Fault.DISK: self._disk,
            Fault.ACKS: self._acks,
            Fault.FULL: self._full,
            Fault.RAISE: lambda chance: self._switch("raise", self._victim(chance)),
            Fault.HANG: self._hang,
            Fault.MEMORY: self._memory,
            Fault.CLOCK: self._clock,
        }

    def strike(self, blow: Blow) -> None:
        """Waits, and lets it happen."""
        time.sleep(blow.after)
        self.rig.note(f"-- {blow.fault}")
        self._how[blow.fault](random.Random(blow.seed))

    def _victim(self, chance: random.Random) -> Slot:
        if not (fair := [slot for slot in self.rig.running if slot.number != self.spared]):
            self._join()
            fair = [slot for slot in self.rig.running if slot.number != self.spared]
        return chance.choice([slot for slot in fair if slot.alive] or fair)

    def _kill(self, slot: Slot) -> None:
        self.rig.note(f"killing worker {slot.number}")
        slot.signal(signal.SIGKILL)

    def _term(self, chance: random.Random) -> None:
        self._stop(slot := self._victim(chance))
        self.rig.start(slot)

    def _stop(self, slot: Slot) -> None:
        code = self.rig.stop(slot, within=GRACE)
        if code not in CLEAN:
            self.unclean.append(f"worker {slot.number} stopped with {code}")

    def _kill_in_recovery(self, chance: random.Random) -> None:
        slot = self._victim(chance)
        for _ in range(2):
            starts = slot.starts
            self._kill(slot)
            self._await_restart(slot, after=starts)
            time.sleep(chance.uniform(1.0, 9.0))
        self._kill(slot)

    def _await_restart(self, slot: Slot, *, after: int) -> None:
        eventually(lambda: slot.starts > after, within=10)

    def _kill_in_rebalance(self, chance: random.Random) -> None:
        self._join()
        time.sleep(chance.uniform(2.0, 6.0))
        self._kill(self._victim(chance))

    def _join(self) -> None:
        for slot in self.rig.slots:
            if not slot.wanted:
                self.rig.start(slot)
                return

    def _leave(self, chance: random.Random) -> None:
        if len(self.rig.running) > 1:
            self._stop(self._victim(chance))

    def _zombie(self, chance: random.Random) -> None:
        slot = self._victim(chance)
        slot.signal(signal.SIGSTOP)
        time.sleep(SESSION + chance.uniform(1.0, 6.0))
        slot.signal(signal.SIGCONT)

    def _cut(self, chance: random.Random) -> None:
        wire = self.rig.broker.wires[self._victim(chance).number]
        wire.hold()
        time.sleep(SESSION + chance.uniform(1.0, 6.0))
        wire.let_go()

    def _broker_kill(self, chance: random.Random) -> None:
        self.rig.broker.kill()
        time.sleep(chance.uniform(0.0, 3.0))
        self.rig.broker.start()

    def _broker_away(self, _: random.Random) -> None:
        self.rig.broker.stop()
        time.sleep(self.away)
        self.rig.broker.start()

    def _disk(self, chance: random.Random) -> None:
        self.rig.broker.halt()
        time.sleep(chance.uniform(2.0, 8.0))
        self.rig.broker.go_on()

    def _acks(self, chance: random.Random) -> None:
        self._delay(chance.uniform(0.2, 1.0), seconds=6.0)

    def _full(self, chance: random.Random) -> None:
        """Much to send, into small buffers that empty slowly."""
        self.feed.burst(6)
        self._delay(chance.uniform(1.0, 2.0), seconds=8.0)

    def _delay(self, delay: float, *, seconds: float) -> None:
        for wire in self.rig.broker.wires:
            wire.delay = delay
        time.sleep(seconds)
        for wire in self.rig.broker.wires:
            wire.delay = 0.0

    def _switch(self, name: str, slot: Slot) -> None:
        file = self.rig.switches / f"{name}-{slot.number}"
        file.touch()
        self.feed.burst(3)
        if not eventually(lambda: not file.exists(), within=30):
            file.unlink(missing_ok=True)
            self.rig.note(f"worker {slot.number} had nothing to classify, so no {name}")

    def _hang(self, chance: random.Random) -> None:
        """A probe would find out that nothing is finished any more, and kill it."""
        slot = self._victim(chance)
        self._switch("hang", slot)
        time.sleep(chance.uniform(2.0, 6.0))
        self._kill(slot)

    def _memory(self, chance: random.Random) -> None:
        """The kernel would kill the process that grew."""
        slot = self._victim(chance)
        before = slot.memory()
        self._switch("hog", slot)
        if eventually(lambda: slot.memory() > before + HOGGED, within=20):
            self._kill(slot)

    def _clock(self, chance: random.Random) -> None:
        slot = self._victim(chance)
        (self.rig.switches / f"clock-{slot.number}").write_text(str(chance.choice((-3600.0, -60.0, 60.0, 3600.0))))
        self.feed.burst(1)
