"""The local broker as a process: it serves this machine only, and nothing of it stays behind, however it ends."""

import os
import re
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.config import KafkaSettings
from stream.errors import BrokerError
from stream.kafka.broker import LocalBroker
from stream.kafka.client import open_admin
from stream.kafka.topics import create_missing, describe
from tests.integration.processes import PATIENCE, alive, descendants, end, eventually, start, valuedrift


def ready(process: subprocess.Popen[str]) -> KafkaSettings:
    """Waits for the program to say that it is ready, and returns how to reach it."""
    assert process.stdout is not None
    match = re.search(r"ready on (\S+)", line := process.stdout.readline())
    assert match, line
    return KafkaSettings(bootstrap_servers=match[1])


def scratch_folder(processes: set[int]) -> Path:
    """The temporary folder that the supervisor among the processes was told to remove."""
    lines = [Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0") for pid in processes]
    (folder,) = {
        Path(word)
        for words in lines
        for word in words
        if word.startswith(f"{tempfile.gettempdir()}/valuedrift-broker-")
    }
    return folder


@pytest.fixture
def program() -> Iterator[subprocess.Popen[str]]:
    process = start("broker", "--port", "0")
    yield process
    end(process)


def test_only_the_loopback_interface_is_listened_on(broker: LocalBroker) -> None:
    listening = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            address, port = local.split(":")
            if state == "0A":
                listening[int(port, 16)] = address
    assert listening[broker.port].endswith("0100007F")  # 127.0.0.1, in the kernel's byte order


def test_a_misspelt_topic_is_not_created_by_reading_or_writing(broker: LocalBroker) -> None:
    with open_admin(KafkaSettings(bootstrap_servers=broker.bootstrap_servers)) as admin:
        admin.describe_topics(["misspelt"])
        assert "misspelt" not in admin.list_topics()


@pytest.mark.kills
def test_a_data_folder_serves_one_broker_at_a_time_and_keeps_its_topics(tmp_path: Path) -> None:
    data = tmp_path / "data, with ünusual name"
    process = start("broker", "--port", "0", "--data-dir", str(data))
    try:
        settings = ready(process)
        create_missing(settings)
        with pytest.raises(BrokerError, match=f"in use by another broker.*{process.pid}"):
            LocalBroker(data=data).start()
        below = descendants(process.pid)
        assert len(below) == 2, "the supervisor and Java"
        process.terminate()
        assert process.wait(PATIENCE) == 0
        assert eventually(lambda: not alive(below))
    finally:
        end(process)
    before = descendants(os.getpid())
    with LocalBroker(data=data) as broker:
        kept = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        assert all(status.ok for status in describe(kept))
    assert eventually(lambda: descendants(os.getpid()) == before)
    assert data.is_dir()


@pytest.mark.kills
def test_ctrl_c_in_a_terminal_stops_all_of_it_in_order(program: subprocess.Popen[str]) -> None:
    ready(program)
    below = descendants(program.pid)
    os.killpg(program.pid, signal.SIGINT)
    assert program.wait(PATIENCE) == 0
    assert eventually(lambda: not alive(below))


@pytest.mark.kills
def test_java_and_its_folder_are_gone_when_the_program_is_killed(program: subprocess.Popen[str]) -> None:
    ready(program)
    below = descendants(program.pid)
    folder = scratch_folder(below)
    assert folder.is_dir()
    program.kill()
    program.wait()
    assert len(below) == 2
    assert eventually(lambda: not alive(below))
    assert eventually(lambda: not folder.exists())


@pytest.mark.kills
def test_the_program_says_so_when_kafka_dies(program: subprocess.Popen[str]) -> None:
    ready(program)
    supervisor = min(descendants(program.pid))
    java = descendants(supervisor)
    os.kill(supervisor, signal.SIGKILL)
    assert program.stdout is not None
    said = program.stdout.read()
    assert program.wait(PATIENCE) == 1
    assert "Kafka has stopped by itself" in said
    assert "Traceback" not in said
    assert eventually(lambda: not alive(java))
    log = re.search(r"its log is (\S+)", said)
    assert log
    Path(log[1]).unlink()


def test_a_start_that_fails_names_the_log_and_leaves_nothing_running(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "meta.properties").write_text("version=1\ncluster.id=x\nnode.id=7\n")
    before = descendants(os.getpid())
    with pytest.raises(BrokerError, match=r"did not start") as failure:
        LocalBroker(data=tmp_path).start()
    assert str(tmp_path / "broker.log") in str(failure.value)
    assert "node id 7" in str(failure.value), "the end of the log says what is wrong: the folder is another node's"
    assert "Python" not in str(failure.value)
    assert eventually(lambda: descendants(os.getpid()) == before)


def test_a_used_port_is_refused_with_what_to_do() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = valuedrift("broker", "--port", str(port))
    assert done.returncode == 1
    said = done.stderr.decode()
    assert f"port {port} is in use" in said
    assert "--port" in said
    assert f"--bootstrap-servers 127.0.0.1:{port}" in said
    assert "Traceback" not in said
