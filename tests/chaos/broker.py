"""The local Kafka as chaos needs it: a wire for each worker, and a Java process that can be killed, halted or kept away."""

import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

from stream.kafka.broker import HOST, LocalBroker
from tests.chaos.proxy import Wire
from tests.integration.processes import alive, descendants, eventually


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        number: int = taken.getsockname()[1]
        return number


class ChaosBroker(LocalBroker):
    """A broker on one port and one data folder through all its lives; `wires` are the addresses that it gives to each worker."""

    def __init__(self, data: Path, *, workers: int) -> None:
        super().__init__(port=free_port(), data=data)
        self._listeners = [free_port() for _ in range(workers)]
        self.wires: Sequence[Wire] = [Wire(port) for port in self._listeners]

    def kill(self) -> None:
        """SIGKILL to Java; `start` takes up the same data."""
        java = self._java()
        for pid in java:
            os.kill(pid, signal.SIGKILL)
        assert eventually(lambda: not alive(java))
        self.stop()

    def halt(self) -> None:
        """Java stands still, as on a disk that hangs."""
        for pid in self._java():
            os.kill(pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Java runs again."""
        for pid in self._java():
            os.kill(pid, signal.SIGCONT)

    def close(self) -> None:
        """Stops for good, and hangs up all wires."""
        self.stop()
        for wire in self.wires:
            wire.close()

    def _java(self) -> set[int]:
        assert self._process is not None
        return descendants(self._process.pid)

    def _properties(self, controller: int) -> str:
        own = [
            (f"W{n}", port, wire.port) for n, (port, wire) in enumerate(zip(self._listeners, self.wires, strict=True))
        ]
        listeners = [f"PLAINTEXT://{HOST}:{self.port}", f"CONTROLLER://{HOST}:{controller}"]
        listeners += [f"{name}://{HOST}:{port}" for name, port, _ in own]
        told = [f"PLAINTEXT://{HOST}:{self.port}", *(f"{name}://{HOST}:{wire}" for name, _, wire in own)]
        plain = ",".join(f"{name}:PLAINTEXT" for name in ("PLAINTEXT", "CONTROLLER", *(name for name, *_ in own)))
        # Of a property that stands twice, Java takes the last.
        return super()._properties(controller) + "\n".join(
            (
                f"listeners={','.join(listeners)}",
                f"advertised.listeners={','.join(told)}",
                f"listener.security.protocol.map={plain}",
                "inter.broker.listener.name=PLAINTEXT",
                "",
            )
        )
