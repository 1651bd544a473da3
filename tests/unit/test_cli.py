"""The command line: every command has help, and every failure is a sentence with an exit code."""

import subprocess
import sys
from pathlib import Path

import pytest

from stream.cli import COMMANDS


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
