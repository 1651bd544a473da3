"""The demo's worker: which settings reach it, and what its end says."""

import os
import tomllib
from pathlib import Path

import pytest
from pydantic import SecretStr

from stream.config import KafkaSettings, ReferenceSettings, Settings
from stream.demo.worker import WorkerProcess
from stream.errors import WorkerError

PASSWORD = "correct horse battery staple"


@pytest.fixture
def settings() -> Settings:
    kafka = KafkaSettings(
        bootstrap_servers="127.0.0.1:1",
        security_protocol="SASL_SSL",
        sasl_mechanism="PLAIN",
        sasl_username="me",
        sasl_password=SecretStr(PASSWORD),
    )
    return Settings().model_copy(update={"kafka": kafka, "reference": ReferenceSettings(learn_from=123)})


def test_a_worker_that_cannot_start_is_reported_with_what_it_said(settings: Settings, tmp_path: Path) -> None:
    with WorkerProcess(settings, tmp_path) as worker, pytest.raises(WorkerError, match="no Kafka answers at 127"):
        worker.await_ready()


def test_the_settings_file_has_the_settings_but_never_the_password(settings: Settings, tmp_path: Path) -> None:
    with WorkerProcess(settings, tmp_path):
        written = "".join(file.read_text() for file in tmp_path.iterdir())
        content = tomllib.loads((tmp_path / "worker.toml").read_text())
    assert PASSWORD not in written
    assert content["reference"]["learn_from"] == 123
    assert content["kafka"]["bootstrap_servers"] == "127.0.0.1:1"


def test_the_environment_of_the_caller_does_not_change_the_worker(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VALUEDRIFT_REFERENCE__LEARN_FROM", "999")
    environment = WorkerProcess(settings, tmp_path)._environment()
    ours = {name: value for name, value in environment.items() if name.startswith("VALUEDRIFT_")}
    assert ours == {"VALUEDRIFT_KAFKA__SASL_PASSWORD": PASSWORD}
    assert environment["PATH"] == os.environ["PATH"]
