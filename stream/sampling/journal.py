"""A round's answers on disk as they come: the output, and the memory that lets a killed run go on without asking twice.

Three files: `FILE` has the events in the order in which they are to be read (`stream.sampling.order`), one a line. `FILE.pending.jsonl` has
those of the round under way as they came, so that none is lost while it waits for its turn. `FILE.rounds.jsonl` notes probes that brought
no text, and the end of each round.
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
from stream.formats import canonical
from stream.formats.canonical import SCHEMA
from stream.formats.fields import Fallback, parse_object
from stream.sampling.order import Interleaver
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
    event_id: str
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
        self.pending = path.with_name(path.name + ".pending.jsonl")
        self.round_name: str | None = None
        self.done: dict[str, frozenset[int]] = {}
        self.texts: dict[str, list[tuple[str, str]]] = {}
        self._plan = plan
        self._events = self._notes = self._arrived = -1
        self._order = Interleaver("", ())
        self._strangers: list[bytes] = []

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._events = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            self._notes = os.open(self.notes, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            self._arrived = os.open(self.pending, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            self._close()
            raise OutputError(f"cannot write {self.path}: {error.strerror}; choose another place") from None
        try:
            fcntl.flock(self._events, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _cut_torn_line(self._events)
            _cut_torn_line(self._notes)
            _cut_torn_line(self._arrived)
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
        for file in (self.path, self.notes, self.pending):
            if file.exists() and not file.stat().st_size:
                file.unlink()  # a run that never got an answer leaves nothing behind
        self._close()

    @property
    def size(self) -> int:
        """Bytes of events that are out in their order."""
        return os.fstat(self._events).st_size

    def begin(self, round_name: str) -> None:
        """Starts a round: nothing of it is done yet."""
        self.round_name, self.done, self.texts = round_name, {}, {}
        self._order = Interleaver(round_name, [prompt.id for prompt in self._plan.prompts.prompts])
        # Answers to another plan that was broken off: they wait for nothing any more, and are paid for.
        self._write(self._events, b"".join(self._strangers))
        self._strangers.clear()
        os.ftruncate(self._arrived, 0)

    def add(self, prompt: str, events: Iterable[ResponseEvent], unanswered: Iterable[tuple[int, Unanswered]]) -> None:
        """Writes what one request brought; when this returns it outlives the process, however that ends.

        Raises:
            OutputError: the disk does not take it.
        """
        kept = list(events)
        gone = list(unanswered)
        self._write(self._arrived, b"".join(map(encode, kept)))
        self._write(
            self._notes,
            b"".join(_line(self._note(prompt=prompt, index=index, reason=reason)) for index, reason in gone),
        )
        self._count(prompt, kept, [index for index, _ in gone])
        self._write(self._events, b"".join(map(encode, self._order.ready())))

    def close(self, prompt: str) -> None:
        """Waits no longer for this prompt: it is asked no further."""
        self._order.close(prompt)
        self._write(self._events, b"".join(map(encode, self._order.ready())))

    def complete(self) -> None:
        """Notes that the round is at its end, so that the next run begins another."""
        self.finish()
        self._write(self._notes, _line(self._note(complete=True)))
        os.ftruncate(self._arrived, 0)
        self.round_name = None

    def finish(self) -> None:
        """Lets everything out that still waits for its turn."""
        self._write(self._events, b"".join(map(encode, self._order.rest())))

    def lines_from(self, position: int) -> list[bytes]:
        """Returns the events from a byte position on, as they were written."""
        return os.pread(self._events, self.size - position, position).splitlines() if position < self.size else []

    def clear(self) -> None:
        """Empties all files: everything in them is elsewhere now."""
        os.ftruncate(self._events, 0)
        os.ftruncate(self._notes, 0)
        os.ftruncate(self._arrived, 0)

    def _count(self, prompt: str, events: Iterable[ResponseEvent], gone: Iterable[int]) -> None:
        kept = list(events)
        for event in kept:
            self._order.add(prompt, int(event.attributes["probe_index"]), event)
        self._order.skip(prompt, gone)
        indexes = {int(event.attributes["probe_index"]) for event in kept} | set(gone)
        self.done[prompt] = self.done.get(prompt, frozenset()) | indexes
        self.texts.setdefault(prompt, []).extend((event.prompt, event.response) for event in kept)

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
        out = [msgspec.json.decode(line, type=_Known) for line in _lines(self._events)]
        left = {known.event_id for known in out}
        ours = [known for known in out if self._is_ours(known, complete)]
        waiting: list[ResponseEvent] = []
        for line in _lines(self._arrived):
            known = msgspec.json.decode(line, type=_Known)
            if known.event_id in left or known.attributes.get("probe_round", "") in complete:
                continue
            if self._is_ours(known, complete):
                waiting.extend(canonical.decode(parse_object(line), Fallback("probe", None)))
            else:
                self._strangers.append(line)
        rounds = [known.attributes["probe_round"] for known in ours]
        rounds += [event.attributes["probe_round"] for event in waiting]
        if not rounds:
            return
        self.round_name = max(rounds)
        self._order = Interleaver(self.round_name, [prompt.id for prompt in self._plan.prompts.prompts])
        for known in ours:
            if known.attributes["probe_round"] == self.round_name:
                prompt = known.attributes["probe_prompt"]
                self._count(prompt, (), [int(known.attributes["probe_index"])])
                self.texts[prompt].append((known.prompt, known.response))
        for event in waiting:
            self._count(event.attributes["probe_prompt"], [event], ())
        for note in notes:
            if note.round == self.round_name and note.prompt is not None and note.index is not None:
                self._count(note.prompt, (), [note.index])

    def _is_ours(self, known: "_Known", complete: set[str]) -> bool:
        attributes = known.attributes
        return (
            attributes.get("probe_plan") == self._plan.fingerprint and attributes.get("probe_round", "") not in complete
        )

    def _close(self) -> None:
        for handle in (self._events, self._notes, self._arrived):
            if handle >= 0:
                os.close(handle)
        self._events = self._notes = self._arrived = -1


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
