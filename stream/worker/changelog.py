"""A record of the states' changelog: whose key it stands under, how far in the log it had read, and the state.

Each worker writes under keys that no other worker writes, and takes new ones whenever partitions are handed out. A worker that
has lost a partition and does not know it yet can therefore overwrite nothing, and Kafka's compaction, which keeps the last
record of a key, cannot remove a newer state in favour of an older one that arrives late. Of several states of a monitor the
one that has read furthest is right: states follow from the ordered log alone, so the others are earlier states of the same line.
"""

import secrets
import struct
from collections.abc import Container, Sequence
from dataclasses import dataclass

WRITER_BYTES = 8

_MARK = 0xFFFF
_HEADER = struct.Struct("<Hq")

UNKNOWN = -1
"""Position of a state that was written before positions were."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The state of a monitor: its bytes, the partition of the scored topic in which it lies, the last offset that it has read."""

    partition: int
    position: int
    state: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """What a record of the changelog says of a monitor; without `state` the key is given up."""

    monitor: bytes
    position: int
    state: bytes | None


def encode(writer: bytes, monitor: bytes, stored: Stored) -> tuple[bytes, bytes]:
    """Key and value of the record that keeps the state."""
    return writer + monitor, _HEADER.pack(_MARK, stored.position) + stored.state


def decode(key: bytes, value: bytes | None) -> Entry:
    """The entry that a record holds; one from before keys had writers and values had positions counts as the oldest.

    Examples:
        >>> decode(*encode(b"8 bytes!", b"gpt", Stored(partition=0, position=7, state=b"s")))
        Entry(monitor=b'gpt', position=7, state=b's')
        >>> decode(b"gpt", bytes([1, 0]))
        Entry(monitor=b'gpt', position=-1, state=b'\\x01\\x00')
    """
    if value is None:
        return Entry(key[WRITER_BYTES:], UNKNOWN, None)
    if len(value) >= _HEADER.size:
        mark, position = _HEADER.unpack_from(value)
        if mark == _MARK:
            return Entry(key[WRITER_BYTES:], position, value[_HEADER.size :])
    return Entry(key, UNKNOWN, value)


def _new_writer() -> bytes:
    """What no other worker's keys begin with; text, so that a program from before reads a name and refuses the state by its layout."""
    return secrets.token_urlsafe(WRITER_BYTES * 3 // 4).encode()


class Ledger:
    """What a worker knows of the changelog: how far each monitor's state has read, and under which keys it stands there.

    Kept small: a monitor that this worker has written stands under one key, which follows from its name.
    """

    def __init__(self) -> None:
        self.passed_over = 0
        self._writer = _new_writer()
        self._positions: dict[bytes, int] = {}
        self._written: set[bytes] = set()
        self._other_keys: dict[bytes, tuple[bytes, ...]] = {}

    def hold(self, monitor: bytes, position: int) -> int:
        """Notes how far the state at hand has read, and returns it: never less than before, also when a part is read again."""
        self._positions[monitor] = max(position, self._positions.get(monitor, UNKNOWN))
        return self._positions[monitor]

    def take(self, key: bytes, value: bytes | None) -> Entry | None:
        """Notes a record that is read back; returns its entry if that has read at least as far as the state at hand."""
        entry = decode(key, value)
        own = key == self._writer + entry.monitor
        if entry.state is None:
            for monitor in (entry.monitor, key):  # a key from before writers is the monitor itself
                self._drop(monitor, key)
            return None
        if not own:
            self._drop(entry.monitor, key)
            self._other_keys[entry.monitor] = (*self._other_keys.get(entry.monitor, ()), key)
        if entry.position >= self._positions.get(entry.monitor, UNKNOWN):
            self._positions[entry.monitor] = entry.position
            return entry
        self.passed_over += not own  # own states are read back while newer ones are held
        return None

    def write(self, monitor: bytes, stored: Stored) -> tuple[bytes, bytes]:
        """Key and value under which the state is to be written now."""
        self._written.add(monitor)
        return encode(self._writer, monitor, stored)

    def give_up(self, monitor: bytes, stored: Stored) -> Sequence[bytes]:
        """The other keys under which the monitor stands, none of them further than `stored`.

        They may go as soon as this state is on all replicas. To be asked before it is sent: what is taken meanwhile may be further.
        """
        if stored.position < self._positions.get(monitor, UNKNOWN):
            return ()
        return self._other_keys.pop(monitor, ())

    def turn(self, known: Container[bytes]) -> None:
        """Takes new keys, and forgets all monitors but the known ones.

        New, because others may have read the present ones meanwhile, and may give them up at any time.
        """
        for monitor in self._written:
            self._other_keys[monitor] = (*self._other_keys.get(monitor, ()), self._writer + monitor)
        self._written.clear()
        self._writer = _new_writer()
        for kept in (self._positions, self._other_keys):
            for monitor in [monitor for monitor in kept if monitor not in known]:
                del kept[monitor]
        self.passed_over = 0

    def _drop(self, monitor: bytes, key: bytes) -> None:
        keys = self._other_keys.get(monitor, ())
        if key in keys:
            self._other_keys[monitor] = tuple(each for each in keys if each != key)
