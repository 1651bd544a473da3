"""The command line: every command has help, and every failure is a sentence with an exit code."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from stream import cli
from stream.cli import COMMANDS
from stream.errors import BrokerError


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    code = "from stream.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=cwd, check=False, timeout=120
    )


def test_help_lists_every_command(tmp_path: Path) -> None:
    done = run("--help", cwd=tmp_path)
    assert done.returncode == 0
    assert [name for name in COMMANDS if f"  {name} " not in done.stdout] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, tmp_path: Path) -> None:
    done = run(command, "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: valuedrift " + command)
    assert "--debug" in done.stdout or "Commands:" in done.stdout


def test_an_unknown_command_is_wrong_use(tmp_path: Path) -> None:
    done = run("frobnicate", cwd=tmp_path)
    assert done.returncode == 2
    assert "No such command" in done.stderr


def test_a_failure_is_one_sentence_without_a_traceback(tmp_path: Path) -> None:
    done = run("config", "--config", "missing.toml", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("valuedrift: cannot read the settings file missing.toml")
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = run("config", "--config", "missing.toml", "--debug", cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_config_prints_toml_that_can_be_used(tmp_path: Path) -> None:
    done = run("config", "--bootstrap-servers", "broker:9999", cwd=tmp_path)
    assert done.returncode == 0
    assert 'bootstrap_servers = "broker:9999"' in done.stdout


INTERRUPTED_IMPORT = """
import signal, sys
class Finder:
    def find_spec(self, name, *_):
        if name == "stream.sinks.settings":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Finder())
from stream.cli import main
try:
    main()
finally:
    print("stream.sinks.settings" in sys.modules)
"""


def test_an_interrupt_waits_while_the_settings_are_built(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IMPORT, "config"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert (done.returncode, done.stdout, done.stderr.strip()) == (130, "True\n", "interrupted")


@pytest.fixture
def terminated() -> Iterator[None]:
    """The handler of SIGTERM comes back after the test."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def left_with(failing: Exception, *, interrupted: bool, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit status where a command fails, after an interruption or without one."""

    @click.group(invoke_without_command=True)
    def fail() -> None:
        try:
            if interrupted:
                signal.raise_signal(signal.SIGINT)
        finally:
            try:
                raise TimeoutError
            finally:
                raise failing

    monkeypatch.setattr(cli, "cli", fail)
    monkeypatch.setattr("sys.argv", ["valuedrift"])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert isinstance(left.value.code, int)
    return left.value.code


@pytest.mark.parametrize("failing", [BrokerError("does not answer"), RuntimeError("deep in a library")])
def test_an_interrupted_command_ends_with_130_whatever_it_fails_with_on_its_way_out(
    failing: Exception, terminated: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert left_with(failing, interrupted=True, monkeypatch=monkeypatch) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_an_error_of_no_interrupted_command_is_none_of_ctrl_c(
    terminated: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert left_with(BrokerError("does not answer"), interrupted=False, monkeypatch=monkeypatch) == 1
    with pytest.raises(RuntimeError, match="deep in a library"):
        left_with(RuntimeError("deep in a library"), interrupted=False, monkeypatch=monkeypatch)
