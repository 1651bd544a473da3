"""How far followed files have been sent: written after Kafka has acknowledged, read at the start; one process at a time."""

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from stream.errors import StateError
from stream.followed import Identity, Position

SCHEMA = "valuedrift.tail/1"


class _File(msgspec.Struct):
    device: int
    inode: int
    offset: int
    head: str


class _Journal(msgspec.Struct, tag_field="schema", tag=SCHEMA):
    tail: str
    saved: float
    files: list[_File]
    partitions: dict[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What has been sent: how far each file was read, and the end of each partition of the topic then. `saved` is in seconds since 1970.

    `tail` is the name under which this tail's records can be told from all others in the topic.
    """

    tail: str
    saved: float
    files: Mapping[Identity, Position]
    partitions: Mapping[int, int]


def read(path: Path) -> Progress | None:
    """Returns what the journal says, None where there is none yet.

    Raises:
        StateError: it cannot be read.
    """
    try:
        journal = msgspec.json.decode(path.read_bytes(), type=_Journal)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise StateError(
            f"cannot read the journal {path}: {error}. Delete it to begin anew (what is in the files is sent again)"
        ) from None
    files = {Identity(each.device, each.inode): Position(each.offset, each.head) for each in journal.files}
    return Progress(tail=journal.tail, saved=journal.saved, files=files, partitions=journal.partitions)


def write(path: Path, progress: Progress) -> None:
    """Replaces the journal; after a crash the old one or the new one is there, whole.

    Raises:
        StateError: it cannot be written.
    """
    journal = _Journal(
        tail=progress.tail,
        saved=progress.saved,
        files=[_File(each.device, each.inode, at.offset, at.head) for each, at in progress.files.items()],
        partitions=dict(progress.partitions),
    )
    fresh = path.with_name(f"{path.name}.new")
    try:
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(journal))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise StateError(
            f"cannot write the journal {path}: {error.strerror}; name another place with --journal"
        ) from None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the journal for this process; the lock goes with the process, however it ends.

    Raises:
        StateError: another process holds it, or its folder cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path.with_name(f"{path.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise StateError(
            f"cannot make the journal {path}: {error.strerror}; name another place with --journal"
        ) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise StateError(f"another process follows the same files (its journal is {path}); end it first") from None
    try:
        yield
    finally:
        os.close(handle)


def now() -> float:
    """Seconds since 1970, for `saved`."""
    return time.time()
