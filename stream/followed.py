"""Files that grow, by what they are and not by what they are called: lines as they are completed, across rotation."""

import fnmatch
import hashlib
import logging
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from stream.errors import InputError

log = logging.getLogger(__name__)

HEAD = 256
"""Bytes at a file's beginning by which it is known again: an inode's number is given to another file once its own is deleted."""

LONGEST = 8 * 1024 * 1024
"""Bytes of a line that are read; a longer one is passed over, as no topic takes it."""

_ROTATED = re.compile(r"(.+)[.-](?:\d[\dT_.-]*|old|bak)")
"""What tools call a file that they rotated: app.jsonl.1, app.jsonl-20260301; packed ones are not read."""

MOST_OPEN = 64
"""Files that are kept open; older ones that are read to their end are opened again when they grow."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a file is, whatever its name: its device and inode."""

    device: int
    inode: int


@dataclass(frozen=True, slots=True)
class Position:
    """How far a file has been read: bytes from its beginning, and the hash of its first bytes (as many as `HEAD`, or `offset` if fewer)."""

    offset: int
    head: str


@dataclass(frozen=True, slots=True)
class Line:
    """One complete line without its end, and where it began in which file; None where it was too long to read."""

    identity: Identity
    start: int
    value: bytes | None


class Followed:
    """One file and how far it has been read."""

    def __init__(self, path: Path, handle: BinaryIO, position: Position) -> None:
        self.path = path
        self.handle = handle
        self.offset = position.offset
        self._known = position
        self._check()

    @property
    def identity(self) -> Identity:
        """What the file is."""
        return identity_of(os.fstat(self.handle.fileno()))

    @property
    def deleted(self) -> bool:
        """Whether no name is left for it: what it holds is all that it will ever hold."""
        return os.fstat(self.handle.fileno()).st_nlink == 0

    @property
    def position(self) -> Position:
        """How far it has been read."""
        length = min(HEAD, self.offset)
        return Position(self.offset, head_of(os.pread(self.handle.fileno(), length, 0)))

    def lines(self) -> Iterator[Line]:
        """The lines that were completed since, and what is left of a file without a name; `offset` is that after the last one taken."""
        self._check()
        self.handle.seek(self.offset)
        try:
            while line := self.handle.readline(LONGEST):
                start, identity = self.offset, self.identity
                whole: bytes | None = line
                while len(line) == LONGEST and not line.endswith(b"\n"):
                    whole, line = None, self.handle.readline(LONGEST)
                if not line.endswith(b"\n") and not self.deleted:
                    return
                self.offset = self.handle.tell()
                yield Line(identity, start, None if whole is None else whole.rstrip(b"\r\n"))
        finally:
            self._known = self.position

    def _check(self) -> None:
        """Begins anew where the file was cut, or is another one with the same number."""
        length = min(HEAD, self._known.offset)
        head = head_of(os.pread(self.handle.fileno(), length, 0))
        if os.fstat(self.handle.fileno()).st_size < self.offset or (self._known.head and head != self._known.head):
            log.warning("%s was cut or replaced; reading it from its beginning", self.path)
            self.offset = 0
        self._known = self.position


class FollowedFiles:
    """The files at a path, with what they are rotated to: one file, or those of a folder whose names match a pattern.

    `positions` are those of an earlier run, which ended at `since` (seconds since 1970; 0: there was none). New files are read from
    their beginning; with `from_end` those that are there at the start and were not known begin at their end.
    """

    def __init__(
        self, path: Path, *, pattern: str, positions: Mapping[Identity, Position], since: float, from_end: bool
    ) -> None:
        folder = path.is_dir()
        self._folder = path if folder else path.parent
        self._pattern = pattern if folder else _exactly(path.name)
        self._since = since
        self._from_end = from_end
        self._known = dict(positions)
        self._open: dict[Identity, Followed] = {}
        self._discover()
        self._from_end = False

    def lines(self) -> Iterator[Line]:
        """Every line that has been completed since, file by file, the oldest first."""
        self._discover()
        for followed in list(self._open.values()):
            yield from followed.lines()
        self._close_what_is_done()

    def positions(self) -> dict[Identity, Position]:
        """How far each file has been read; those of files that are gone are left out."""
        return self._known | {identity: followed.position for identity, followed in self._open.items()}

    def rewind(self, positions: Mapping[Identity, Position]) -> None:
        """Goes back to these positions; files that are not among them begin anew."""
        for identity, followed in self._open.items():
            followed.offset = positions[identity].offset if identity in positions else 0

    def close(self) -> None:
        """Closes all files."""
        for followed in self._open.values():
            followed.handle.close()

    def _discover(self) -> None:
        """Looks for files that are new or have grown.

        Raises:
            InputError: the folder or a file cannot be read.
        """
        try:
            self._look()
        except OSError as error:
            raise InputError(f"cannot read {error.filename or self._folder}: {error.strerror}") from None

    def _look(self) -> None:
        found = dict(self._candidates())
        for identity, (path, size) in found.items():
            if identity in self._open:
                self._open[identity].path = path
            elif identity not in self._known or self._known[identity].offset != size:
                self._take_up(path)
        self._known = {
            identity: position
            for identity, position in self._known.items()
            if identity in found or identity in self._open
        }

    def _take_up(self, path: Path) -> None:
        try:
            handle = path.open("rb")
        except FileNotFoundError:
            return
        status = os.fstat(handle.fileno())
        identity = identity_of(status)
        start = _end_of_last_line(handle, status.st_size) if self._from_end else 0
        self._open[identity] = Followed(path, handle, self._known.get(identity, Position(start, "")))

    def _candidates(self) -> list[tuple[Identity, tuple[Path, int]]]:
        """Files to read with their sizes, the oldest first; of rotated ones those that are known, or were written since the last run."""
        found = []
        for file in self._folder.iterdir():
            current = fnmatch.fnmatchcase(file.name, self._pattern)
            rotated = _ROTATED.fullmatch(file.name)
            if not current and not (rotated and fnmatch.fnmatchcase(rotated[1], self._pattern)):
                continue
            try:
                status = file.stat()
            except FileNotFoundError:
                continue  # it was rotated away between the listing and now
            identity = identity_of(status)
            written_since = 0 < self._since <= status.st_mtime
            if stat.S_ISREG(status.st_mode) and (current or identity in self._known or written_since):
                found.append((status.st_mtime_ns, file.name, identity, (file, status.st_size)))
        return [(identity, where) for _, _, identity, where in sorted(found, key=lambda each: each[:2])]

    def _close_what_is_done(self) -> None:
        """Lets go of files without a name, and of the oldest where too many are open."""
        for identity, followed in list(self._open.items()):
            at_end = followed.offset == os.fstat(followed.handle.fileno()).st_size
            if at_end and (followed.deleted or len(self._open) > MOST_OPEN):
                if not followed.deleted:
                    self._known[identity] = followed.position
                followed.handle.close()
                del self._open[identity]


def identity_of(status: os.stat_result) -> Identity:
    """Returns what the file is."""
    return Identity(status.st_dev, status.st_ino)


def head_of(content: bytes) -> str:
    """Returns the hash by which a file that begins so is known again; empty for nothing."""
    return hashlib.sha256(content).hexdigest()[:16] if content else ""


def _exactly(name: str) -> str:
    """The pattern that matches this name only."""
    return re.sub(r"([*?[])", r"[\1]", name)


def _end_of_last_line(handle: BinaryIO, size: int) -> int:
    """Where the last complete line ends."""
    start = max(0, size - LONGEST)
    handle.seek(start)
    return start + handle.read(size - start).rfind(b"\n") + 1
