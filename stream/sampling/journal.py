"""A round's answers on disk as they come: the output, and the memory that lets a killed run go on without asking twice.

Beside the events (`FILE`, one response event a line) stands `FILE.rounds.jsonl`: probes that brought no text, and the end of each round.
"""

import fcntl
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from stream import times
from stream.core.records import ResponseEvent
from stream.errors import OutputError
from stream.formats.canonical import SCHEMA
from stream.sampling.plan import Plan
from stream.sampling.protocol import Unanswered


class _Wire(msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="schema", tag=SCHEMA):
    event_id: str
    ts: str
    model: str
    prompt: str
    response: str
    provider: str | None = None
    system: str | None = None
    conversation_id: str | None = None
    environment: str | None = None
    finish_reason: str | None = None
    refusal_hint: str | None = None
    attributes: Mapping[str, str] = {}


class _Known(msgspec.Struct):
    prompt: str
    response: str
    attributes: dict[str, str] = {}


class _Note(msgspec.Struct, kw_only=True, omit_defaults=True):
    round: str
    plan: str
    prompt: str | None = None
    index: int | None = None
    reason: str | None = None
    complete: bool = False


def encode(event: ResponseEvent) -> bytes:
    """Returns the event as one line of canonical JSON, ended by a line feed; `stream.formats.canonical` reads it back."""
    wire = _Wire(
        event_id=event.event_id,
        ts=times.render(event.ts),
        model=event.model,
        prompt=event.prompt,
        response=event.response,
        provider=event.provider,
        system=event.system,
        conversation_id=event.conversation_id,
        environment=event.environment,
        finish_reason=event.finish_reason,
        refusal_hint=event.refusal_hint,
        attributes=event.attributes,
    )
    return msgspec.json.encode(wire) + b"\n"


class Journal:
    """The events of one file and how far its last round is; one process at a time, used as a context.

    `round_name` is the round to go on with, None where the last one is complete or had another plan. `done` has the indexes
    that were answered, or never will be, by prompt id; `texts` the (prompt, response) pairs of that round, by prompt id.

    Raises:
        OutputError: the file cannot be written, is no file of response events, or another run is writing into it.
    """

    def __init__(self, path: Path, plan: Plan) -> None:
        self.path = path
        self.notes = path.with_name(path.name + ".rounds.jsonl")
        self.round_name: str | None = None
        self.done: dict[str, frozenset[int]] = {}
        self.texts: dict[str, list[tuple[str, str]]] = {}
        self._plan = plan
        self._events = self._notes = -1

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._events = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            self._notes = os.open(self.notes, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            self._close()
            raise OutputError(f"cannot write {self.path}: {error.strerror}; choose another place") from None
        try:
            fcntl.flock(self._events, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _cut_torn_line(self._events)
            _cut_torn_line(self._notes)
            self._read()
        except BlockingIOError:
            self._close()
            raise OutputError(f"another run is writing into {self.path}; wait for it, or choose another file") from None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self._close()
            raise OutputError(f"{self.path} holds something else than response events; choose another file") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in (self.path, self.notes):
            if file.exists() and not file.stat().st_size:
                file.unlink()  # a run that never got an answer leaves nothing behind
        self._close()

    @property
    def size(self) -> int:
        """Bytes of events written."""
        return os.fstat(self._events).st_size

    def begin(self, round_name: str) -> None:
        """Starts a round: nothing of it is done yet."""
        self.round_name, self.done, self.texts = round_name, {}, {}

    def add(self, prompt: str, events: Iterable[ResponseEvent], unanswered: Iterable[tuple[int, Unanswered]]) -> None:
        """Writes what one request brought; when this returns it outlives the process, however that ends.

        Raises:
            OutputError: the disk does not take it.
        """
        kept = list(events)
        gone = list(unanswered)
        indexes = {int(event.attributes["probe_index"]) for event in kept} | {index for index, _ in gone}
        self._write(self._events, b"".join(map(encode, kept)))
        self._write(
            self._notes,
            b"".join(_line(self._note(prompt=prompt, index=index, reason=reason)) for index, reason in gone),
        )
        self.done[prompt] = self.done.get(prompt, frozenset()) | indexes
        self.texts.setdefault(prompt, []).extend((event.prompt, event.response) for event in kept)

    def complete(self) -> None:
        """Notes that the round is at its end, so that the next run begins another."""
        self._write(self._notes, _line(self._note(complete=True)))
        self.round_name = None

    def lines_from(self, position: int) -> list[bytes]:
        """Returns the events from a byte position on, as they were written."""
        return os.pread(self._events, self.size - position, position).splitlines() if position < self.size else []

    def clear(self) -> None:
        """Empties both files: everything in them is elsewhere now."""
        os.ftruncate(self._events, 0)
        os.ftruncate(self._notes, 0)

    def _note(
        self, *, prompt: str | None = None, index: int | None = None, reason: str | None = None, complete: bool = False
    ) -> _Note:
        return _Note(
            round=self.round_name or "",
            plan=self._plan.fingerprint,
            prompt=prompt,
            index=index,
            reason=reason,
            complete=complete,
        )

    def _write(self, handle: int, content: bytes) -> None:
        """One write for a whole answer: a kill leaves all of it, or a torn end that the next run cuts off."""
        view = memoryview(content)
        try:
            while view:
                view = view[os.write(handle, view) :]
        except OSError as error:
            raise OutputError(
                f"cannot write {self.path}: {error.strerror}; make room, then run the same command again"
            ) from None

    def _read(self) -> None:
        notes = [msgspec.json.decode(line, type=_Note) for line in _lines(self._notes)]
        complete = {note.round for note in notes if note.complete}
        last = ""
        for line in _lines(self._events):
            known = msgspec.json.decode(line, type=_Known)
            attributes = known.attributes
            if attributes.get("probe_plan") != self._plan.fingerprint or attributes.get("probe_round", "") in complete:
                continue
            if attributes["probe_round"] != last:
                last = attributes["probe_round"]
                self.begin(last)
            prompt = attributes["probe_prompt"]
            self.done[prompt] = self.done.get(prompt, frozenset()) | {int(attributes["probe_index"])}
            self.texts.setdefault(prompt, []).append((known.prompt, known.response))
        for note in notes:
            if note.round == self.round_name and note.prompt is not None and note.index is not None:
                self.done[note.prompt] = self.done.get(note.prompt, frozenset()) | {note.index}

    def _close(self) -> None:
        for handle in (self._events, self._notes):
            if handle >= 0:
                os.close(handle)
        self._events = self._notes = -1


def _line(note: _Note) -> bytes:
    return msgspec.json.encode(note) + b"\n"


def _lines(handle: int) -> Iterable[bytes]:
    with os.fdopen(os.dup(handle), "rb") as file:
        file.seek(0)
        yield from (line for line in file if line.strip())


def _cut_torn_line(handle: int) -> None:
    """Cuts off what follows the last line feed: a line that a kill left half written, whose answer was never counted."""
    end = os.fstat(handle).st_size
    position, step = end, 1 << 16
    while position > 0:
        start = max(0, position - step)
        at = os.pread(handle, position - start, start).rfind(b"\n")
        if at >= 0:
            if start + at + 1 < end:
                os.ftruncate(handle, start + at + 1)
            return
        position = start
    os.ftruncate(handle, 0)
