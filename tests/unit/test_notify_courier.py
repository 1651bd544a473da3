"""A courier whose group is at odds."""

import threading
from contextlib import nullcontext
from typing import cast

import pytest
from kafka import KafkaProducer

from stream.config import Settings
from stream.notify.courier import TURN, Courier, Orders
from stream.notify.inbox import Inbox, Reassigned
from stream.notify.ledger import Ledger
from stream.sinks.settings import Stdout
from stream.sinks.sink import StdoutSink


class _Disputed:
    """An inbox whose partitions are handed to somebody else whenever it looks."""

    def __init__(self) -> None:
        self.looks = 0

    def fetch(self) -> None:
        self.looks += 1
        raise Reassigned


class _Patience(threading.Event):
    """An order to stop that comes while it is waited for the third time; nobody waits for real."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        if len(self.waits) == 3:
            self.set()
        return self.is_set()


def test_it_pauses_before_it_looks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    settings, inbox, stop = Settings(), _Disputed(), _Patience()
    monkeypatch.setattr(Inbox, "open", lambda *_, **__: nullcontext(inbox))
    receiver = Stdout(name="screen", type="stdout")
    ledger = Ledger(settings, cast("KafkaProducer", None))
    Courier(receiver, StdoutSink(repr), settings=settings, ledger=ledger, orders=Orders(stop=stop)).run()
    assert inbox.looks == 3
    assert stop.waits == [TURN] * 3
