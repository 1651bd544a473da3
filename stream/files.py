"""Log files line by line, as records with a place: plain or gzipped, from disk or standard input."""

import gzip
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from stream import tables
from stream.core.records import Source, SourceRecord
from stream.errors import InputError
from stream.formats.mapped import FieldMap

STANDARD_INPUT = Path("-")
NO_TIME = -1
"""A line has no time of its own beside the one inside it; Kafka says the same for a record without one."""

LONGEST = 8 * 1024 * 1024
"""Bytes of a line that are read; the rest of a longer one is passed over, as every decoder refuses it and no topic takes it."""

_GZIP_MAGIC = b"\x1f\x8b"


class LogFiles:
    """The lines of the files, in order, each a record of the file's name and its line number counted from 0.

    A line is its bytes without the line end, unchanged up to `LONGEST`; blank lines are counted and left out. Gzip is recognised by
    content. A row of a table (CSV, TSV, Parquet, by the file's name) is a JSON object. `field_map` makes a response event of each
    line or row.

    Raises:
        InputError: a file cannot be opened (at construction, so that nothing is half done), or is damaged (while it is read).
    """

    def __init__(self, paths: Sequence[Path], *, field_map: FieldMap | None = None) -> None:
        if paths.count(STANDARD_INPUT) > 1:
            raise InputError("standard input (-) can be read only once")
        for path in paths:
            if path != STANDARD_INPUT:
                _open(path).close()
        self._paths = paths
        self._names = _names(paths)
        self._field_map = field_map
        self._done = 0
        self._current: BinaryIO | None = None

    @property
    def size(self) -> int | None:
        """Bytes of all files as they lie on disk, None where standard input is among them."""
        return None if STANDARD_INPUT in self._paths else sum(path.stat().st_size for path in self._paths)

    @property
    def position(self) -> int:
        """How many of those bytes have been read."""
        return self._done + (self._current.tell() if self._current is not None else 0)

    def __iter__(self) -> Iterator[SourceRecord]:
        for path, name in zip(self._paths, self._names, strict=True):
            source = Source(name, 0)
            number = 0
            with self._reading(path) as lines:
                try:
                    for number, line in enumerate(tables.rows(path, lines) if tables.is_table(path) else _lines(lines)):
                        value = line.rstrip(b"\r\n")
                        if value.strip():
                            value = self._field_map.apply(value) if self._field_map else value
                            yield SourceRecord(
                                source=source, offset=number, key=None, value=value, headers=(), timestamp=NO_TIME
                            )
                except _DAMAGED as error:
                    raise InputError(f"cannot read {path} after line {number + 1}: {error}") from None

    def pieces(self, size: int) -> Iterator[tuple[Source, bytes]]:
        """The same lines as whole lines of about `size` bytes together, several times faster; a piece never spans two files."""
        for path, name in zip(self._paths, self._names, strict=True):
            source = Source(name, 0)
            with self._reading(path) as lines:
                try:
                    while piece := lines.read(size):
                        yield source, piece + lines.readline()
                except _DAMAGED as error:
                    raise InputError(f"cannot read {path}: {error}") from None

    @contextmanager
    def _reading(self, path: Path) -> Iterator[BinaryIO]:
        """The content of a file, unpacked, while `position` follows."""
        if path == STANDARD_INPUT:
            with ExitStack() as stack:
                yield _decompressed(sys.stdin.buffer, stack)
            return
        with ExitStack() as stack:
            raw = stack.enter_context(_open(path))
            self._current = raw
            yield _decompressed(raw, stack)
            self._done += raw.tell()
            self._current = None


_DAMAGED = (OSError, EOFError, zlib.error)


def _lines(content: BinaryIO) -> Iterator[bytes]:
    while line := content.readline(LONGEST):
        yield line
        while len(line) == LONGEST and not line.endswith(b"\n"):
            line = content.readline(LONGEST)


def _names(paths: Sequence[Path]) -> list[str]:
    """What the files are called in records: without their folders, and no two alike."""
    names: list[str] = []
    for path in paths:
        name = "stdin" if path == STANDARD_INPUT else path.name
        again = sum(earlier == name or earlier.startswith(f"{name}#") for earlier in names)
        names.append(f"{name}#{again + 1}" if again else name)
    return names


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None


def _decompressed(raw: BinaryIO, stack: ExitStack) -> BinaryIO:
    peek = raw.peek(2)[:2]  # type: ignore[attr-defined]  # both kinds of raw are buffered readers
    if peek != _GZIP_MAGIC:
        return raw
    return cast("BinaryIO", stack.enter_context(gzip.open(raw)))
