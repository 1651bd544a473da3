"""Log files as records: lines unchanged, numbered, from plain and gzipped files."""

import gzip
import io
import sys
from pathlib import Path

import pytest

from stream.core.records import Source
from stream.errors import InputError
from stream.files import STANDARD_INPUT, LogFiles


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("name", ["log.jsonl", "log.jsonl.gz"])
def test_lines_keep_their_bytes_and_their_numbers(tmp_path: Path, name: str) -> None:
    file = write(tmp_path / name, b'{"a": 1} \n\n\xff\xfe broken\r\n   \nlast')
    records = list(LogFiles([file]))
    assert [(record.offset, record.value) for record in records] == [
        (0, b'{"a": 1} '),
        (2, b"\xff\xfe broken"),
        (4, b"last"),
    ]
    assert {record.source for record in records} == {Source(name, 0)}
    assert {(record.key, record.headers) for record in records} == {(None, ())}


def test_files_are_read_in_the_order_given_each_with_its_own_numbers(tmp_path: Path) -> None:
    second, first = write(tmp_path / "b", b"3\n4\n"), write(tmp_path / "a", b"1\n2\n")
    found = [(record.source.topic, record.offset, record.value) for record in LogFiles([second, first])]
    assert found == [("b", 0, b"3"), ("b", 1, b"4"), ("a", 0, b"1"), ("a", 1, b"2")]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input_is_read_plain_or_gzipped(monkeypatch: pytest.MonkeyPatch, pack: type[bytes]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(pack(b"x\ny\n")))))
    files = LogFiles([STANDARD_INPUT])
    assert [record.value for record in files] == [b"x", b"y"]
    assert files.size is None


def test_the_position_reaches_the_size(tmp_path: Path) -> None:
    paths = [write(tmp_path / "a.gz", b"1\n" * 1000), write(tmp_path / "b", b"2\n" * 1000)]
    files = LogFiles(paths)
    assert files.position == 0
    assert sum(1 for _ in files) == 2000
    assert files.position == files.size == sum(path.stat().st_size for path in paths)


def test_an_empty_file_has_no_records(tmp_path: Path) -> None:
    assert list(LogFiles([write(tmp_path / "empty", b"")])) == []


def test_a_file_that_cannot_be_opened_is_named_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.jsonl"):
        LogFiles([write(tmp_path / "a", b"1\n"), tmp_path / "none.jsonl"])


def test_a_damaged_gzip_file_is_named_with_the_line(tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(b"%d\n" % number for number in range(100_000)))
    file = tmp_path / "cut.gz"
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"cut\.gz after line \d+"):
        list(LogFiles([file]))


def test_standard_input_can_be_named_once_only() -> None:
    with pytest.raises(InputError, match="only once"):
        LogFiles([STANDARD_INPUT, STANDARD_INPUT])


@pytest.mark.parametrize("name", ["log.jsonl", "log.jsonl.gz"])
def test_pieces_are_the_same_lines_whole_and_never_span_two_files(tmp_path: Path, name: str) -> None:
    contents = [b"".join(b"%d\n" % number for number in range(1000)), b"no line end"]
    paths = [write(tmp_path / f"{place}{name}", content) for place, content in enumerate(contents)]
    pieces = list(LogFiles(paths).pieces(100))
    assert len(pieces) > 10
    for place, content in enumerate(contents):
        of_file = [piece for source, piece in pieces if source.topic == f"{place}{name}"]
        assert b"".join(of_file) == content
        assert all(piece.endswith(b"\n") for piece in of_file[:-1])


def test_two_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    paths = []
    for folder in ("monday", "tuesday"):
        (tmp_path / folder).mkdir()
        paths.append(write(tmp_path / folder / "log", b"x\n"))
    assert [record.source.topic for record in LogFiles(paths)] == ["log", "log#2"]
