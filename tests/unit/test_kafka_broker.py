"""What a local broker leaves behind when its start is cut short."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stream.kafka import broker
from stream.kafka.broker import LocalBroker


def test_a_start_that_is_interrupted_at_its_very_end_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def reserved(port: int) -> Iterator[int]:
        yield port
        raise KeyboardInterrupt

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(broker, "class_path", lambda: ())
    monkeypatch.setattr(broker, "_reserved", reserved)
    monkeypatch.setattr(LocalBroker, "_launch", lambda *_: None)
    monkeypatch.setattr(LocalBroker, "_await_ready", lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        LocalBroker().start()
    assert list(tmp_path.iterdir()) == []
