"""Result folders: complete or not at all."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stream.errors import OutputError
from stream.output import STAGING, output_folder


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def interrupted(out: Path) -> None:
    with output_folder(out) as staging:
        (staging / "one").write_text("later")
        raise KeyboardInterrupt


def test_files_appear_together_when_the_block_ends(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"
    with output_folder(out) as staging:
        (staging / "one").write_text("1")
        assert names(out) == [STAGING]
        (staging / "two").write_text("2")
    assert names(out) == ["one", "two"]
    assert (out / "two").read_text() == "2"


def test_an_error_leaves_earlier_files_as_they_were_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("earlier")
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path)
    assert names(tmp_path) == ["one"]
    assert (tmp_path / "one").read_text() == "earlier"


def test_an_error_leaves_no_folder_that_was_not_there_before(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path / "a" / "b")
    assert names(tmp_path) == []


def test_earlier_files_are_replaced_and_foreign_ones_stay(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("earlier")
    (tmp_path / "notes").write_text("mine")
    with output_folder(tmp_path) as staging:
        (staging / "one").write_text("later")
    assert (tmp_path / "one").read_text() == "later"
    assert names(tmp_path) == ["notes", "one"]


def test_what_a_killed_run_left_behind_is_removed(tmp_path: Path) -> None:
    code = (
        "import sys, os, pathlib; from stream.output import output_folder\n"
        "with output_folder(pathlib.Path(sys.argv[1])) as staging:\n"
        "    (staging / 'half').write_text('x'); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert names(tmp_path) == [STAGING]
    with output_folder(tmp_path) as staging:
        (staging / "whole").write_text("x")
    assert names(tmp_path) == ["whole"]


def test_two_runs_cannot_write_into_one_folder(tmp_path: Path) -> None:
    with output_folder(tmp_path), pytest.raises(OutputError, match="another run"), output_folder(tmp_path):
        pass


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(OutputError, match="is a file"), output_folder(tmp_path / "out"):
        pass


def test_a_folder_below_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot create"), output_folder(tmp_path / "file" / "out"):
        pass
