"""Growing files: each completed line once, whatever they are renamed to."""

import os
from pathlib import Path

import pytest

from stream import followed
from stream.followed import FollowedFiles, Identity, Position


def open_files(
    path: Path, *, positions: dict[Identity, Position] | None = None, since: float = 0.0, from_end: bool = False
) -> FollowedFiles:
    return FollowedFiles(path, pattern="*.jsonl", positions=positions or {}, since=since, from_end=from_end)


def add(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def values(files: FollowedFiles) -> list[bytes | None]:
    return [line.value for line in files.lines()]


def test_lines_come_once_and_only_when_they_are_complete(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    files = open_files(path)
    assert values(files) == []
    add(path, "1\n2\r\n3")
    assert values(files) == [b"1", b"2"]
    add(path, "3\n")
    assert values(files) == [b"33"]
    assert values(files) == []
    files.close()


def test_a_renamed_file_is_read_to_its_end_before_its_successor(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    add(path, "1\n")
    files = open_files(path)
    assert values(files) == [b"1"]
    add(path, "2\n")
    path.rename(tmp_path / "a.jsonl.1")
    add(tmp_path / "a.jsonl.1", "3\n")
    add(path, "4\n")
    assert values(files) == [b"2", b"3", b"4"]
    add(tmp_path / "a.jsonl.1", "5\n")
    assert values(files) == [b"5"]
    files.close()


def test_a_deleted_file_gives_all_that_it_held(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    add(path, "1\n")
    files = open_files(path)
    assert values(files) == [b"1"]
    add(path, "2\n3")
    path.unlink()
    add(path, "4\n")
    assert values(files) == [b"2", b"3", b"4"]
    assert len(files.positions()) == 1
    files.close()


def test_positions_survive_a_restart_and_a_rotation_in_between(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    add(path, "1\n2\n")
    first = open_files(path)
    assert next(first.lines()).value == b"1"
    positions = first.positions()
    first.close()
    path.rename(tmp_path / "a.jsonl.2")
    add(tmp_path / "a.jsonl.1", "3\n")
    add(path, "4\n")
    os.utime(tmp_path / "a.jsonl.2", (1000, 1000))
    os.utime(tmp_path / "a.jsonl.1", (2000, 2000))
    again = open_files(path, positions=positions, since=1500)
    assert values(again) == [b"2", b"3", b"4"]
    again.close()


def test_a_file_that_was_rotated_before_the_first_start_is_left_alone(tmp_path: Path) -> None:
    add(tmp_path / "a.jsonl.1", "old\n")
    add(tmp_path / "a.jsonl", "new\n")
    files = open_files(tmp_path / "a.jsonl")
    assert values(files) == [b"new"]
    files.close()


@pytest.mark.parametrize("text", ["x\n", "x\ny\nz\nlonger than before\n"])
def test_a_file_that_was_cut_is_read_from_its_beginning(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.jsonl"
    add(path, "1\n2\n")
    files = open_files(path)
    assert values(files) == [b"1", b"2"]
    path.write_text(text)
    assert values(files) == [line.encode() for line in text.splitlines()]
    files.close()


def test_another_file_with_the_number_of_a_known_one_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    add(path, "1\n2\n")
    identity = followed.identity_of(path.stat())
    files = open_files(path, positions={identity: Position(2, followed.head_of(b"0\n"))})
    assert values(files) == [b"1", b"2"]
    files.close()


def test_a_folder_is_followed_by_pattern_with_its_new_files(tmp_path: Path) -> None:
    add(tmp_path / "a.jsonl", "1\n")
    add(tmp_path / "other.txt", "no\n")
    files = open_files(tmp_path)
    assert values(files) == [b"1"]
    add(tmp_path / "b.jsonl", "2\n")
    (tmp_path / "a.jsonl").rename(tmp_path / "a.jsonl-20260301")
    add(tmp_path / "a.jsonl-20260301", "3\n")
    assert sorted(value or b"" for value in values(files)) == [b"2", b"3"]
    files.close()


def test_from_the_end_leaves_out_what_is_there_but_nothing_that_comes(tmp_path: Path) -> None:
    add(tmp_path / "a.jsonl", "1\n2")
    files = open_files(tmp_path, from_end=True)
    assert values(files) == []
    add(tmp_path / "a.jsonl", "2\n")
    add(tmp_path / "b.jsonl", "3\n")
    assert values(files) == [b"22", b"3"]
    files.close()


def test_going_back_gives_the_same_lines_again(tmp_path: Path) -> None:
    add(tmp_path / "a.jsonl", "1\n2\n")
    files = open_files(tmp_path)
    before = files.positions()
    assert values(files) == [b"1", b"2"]
    files.rewind(before)
    assert values(files) == [b"1", b"2"]
    files.close()


def test_a_line_that_is_too_long_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followed, "LONGEST", 10)
    add(tmp_path / "a.jsonl", "1\n" + "x" * 25 + "\n2\n")
    files = open_files(tmp_path)
    assert values(files) == [b"1", None, b"2"]
    files.close()


def test_few_files_stay_open_and_those_that_were_closed_are_read_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed, "MOST_OPEN", 2)
    for number in range(5):
        add(tmp_path / f"{number}.jsonl", f"{number}\n")
    files = open_files(tmp_path)
    assert len(values(files)) == 5
    assert len(files._open) == 2
    assert len(files.positions()) == 5
    add(tmp_path / "0.jsonl", "more\n")
    assert values(files) == [b"more"]
    files.close()


def test_names_with_marks_of_patterns_are_taken_as_they_are(tmp_path: Path) -> None:
    add(tmp_path / "a[1].jsonl", "1\n")
    add(tmp_path / "a1.jsonl", "no\n")
    files = open_files(tmp_path / "a[1].jsonl")
    assert values(files) == [b"1"]
    files.close()
