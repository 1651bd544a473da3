"""What a monitor remembers, and its form as bytes: a version, a fingerprint of the settings, then arrays in a fixed order.

What follows from other parts (window totals, branch counts, the table of alternatives) is left out and recomputed, so that ten thousand
monitors stay small.
"""

import math
import struct
from dataclasses import dataclass
from itertools import accumulate, chain, islice, pairwise

import numpy as np
import numpy.typing as npt

from stream.core.aged import Aged, new_aged
from stream.core.alerts import Open
from stream.core.contrast import Contrasting
from stream.core.detectors import Design, new_plan
from stream.core.events import Onset, Rule, Severity
from stream.core.kernel import BLOCK, LAG, LEARNT, PREVIOUS, STRIDE, TARGET, WINDOW, Belief, Counts, Plan, derive
from stream.core.records import Source
from stream.core.settings import EngineSettings
from stream.core.watchers import Series
from stream.core.window import EXAMPLES, OLDER, RECENT
from stream.errors import StateError

VERSION = 3
"""Of the layout below: a change of it makes older state unreadable, and says so."""

_SCALARS = 11
_HEADER = struct.Struct("<H8s")
_OPEN = struct.Struct("<BBB6q")
_OFFSET = struct.Struct("<BIq")
_COUNTS = struct.Struct("<BBHH")
_RULES, _SEVERITIES = tuple(Rule), tuple(Severity)


@dataclass(slots=True, eq=False)
class State:
    """Everything a monitor remembers; `alarms` are by what they are about (`Finding.key`).

    `beyond` (limits,) is the response at which each limit's number went beyond it, -1 while it is within. `doubts` (panes + 1, 2) is a
    ring as `counts.panes`, with the open pane in its last row: responses low in confidence, and those with one; (0, 2) where no rule asks.

    The integer arrays are views of two buffers, so that they are written in one go: `long` holds what may grow for ever, `short` what a few
    windows or blocks bound.
    """

    long: npt.NDArray[np.int64]
    short: npt.NDArray[np.int64]
    counts: Counts
    belief: Belief
    plan: Plan
    offsets: dict[Source, int]
    alarms: dict[str, Open]
    examples: list[tuple[str, ...]]
    classifier: str
    beyond: npt.NDArray[np.int64]
    doubts: npt.NDArray[np.int64]
    contrast: Contrasting
    series: list[Series]
    aged: Aged | None

    @property
    def window(self) -> npt.NDArray[np.int64]:
        """Counts (k,) of S(t) at the last stride: of the full panes, or of the window by age."""
        return self.counts.rows[WINDOW] if self.aged is None else self.aged.window

    @property
    def previous(self) -> npt.NDArray[np.int64]:
        """The same, one stride before."""
        return self.counts.rows[PREVIOUS] if self.aged is None else self.aged.previous


def new_state(plan_of: Design) -> State:
    """State of a monitor that has seen nothing."""
    settings = plan_of.settings
    k, c, panes = len(settings.taxonomy), len(plan_of.channels), settings.window // settings.stride
    m, doubtful = len(settings.limits), 0 if settings.confident_from is None else panes + 1
    long = np.zeros(_SCALARS + panes + OLDER + c * (3 + k) + 2 * k + m, np.int64)
    scalars, opened, older_opened, joins, firing, begun, reference, slow, beyond = _carve(
        long, (_SCALARS,), (panes,), (OLDER,), (c,), (c,), (c,), (c, k), (2, k), (m,)
    )
    beyond[:] = -1
    short = np.zeros((4 + panes + OLDER + LAG + 2) * k + 2 * doubtful, np.int64)
    doubts, panes_kept, older, blocks, rows = _carve(short, (doubtful, 2), (panes, k), (OLDER, k), (LAG + 2, k), (4, k))
    scalars[STRIDE], scalars[TARGET] = settings.stride, settings.learn_from
    recent = np.zeros(min(max(settings.stride, RECENT[0]), RECENT[1]), np.uint8)
    return State(
        long=long,
        short=short,
        counts=Counts(
            scalars=scalars,
            rows=rows,
            panes=panes_kept,
            opened=opened,
            older=older,
            older_opened=older_opened,
            blocks=blocks,
            recent=recent,
            cuts=np.zeros((3, k), np.int64),
            latest=np.full((k, EXAMPLES), -1, np.int64),
            slow=slow,
        ),
        belief=Belief(
            counts=reference,
            size=np.zeros(c, np.int64),
            joins=joins,
            firing=firing,
            begun=begun,
            statistic=np.zeros(c),
            sums=np.zeros(len(plan_of.odds)),
        ),
        plan=new_plan(plan_of),
        offsets={},
        alarms={},
        examples=[()] * k,
        classifier="",
        beyond=beyond,
        doubts=doubts,
        contrast=Contrasting(settings, len(recent)),
        series=[Series() for _ in settings.watchers],
        aged=None if settings.window_age is None else new_aged(settings.window_age, k),
    )


def _carve(buffer: npt.NDArray[np.int64], *shapes: tuple[int, ...]) -> list[npt.NDArray[np.int64]]:
    """Views of consecutive parts of a buffer."""
    views, start = [], 0
    for shape in shapes:
        end = start + math.prod(shape)
        views.append(buffer[start:end].reshape(shape))
        start = end
    return views


def pack(state: State, plan_of: Design) -> bytes:
    """The state as bytes: equal for equal states, on every machine."""
    counts, belief = state.counts, state.belief
    learning = state.counts.scalars[LEARNT] >= 0
    return b"".join(
        (
            _HEADER.pack(VERSION, plan_of.fingerprint),
            state.long.tobytes(),
            _kept(state).astype(_short_type(plan_of)).tobytes(),
            counts.recent.tobytes(),
            state.contrast.begun.tobytes(),
            state.contrast.counts.astype(_short_type(plan_of)).tobytes(),
            state.contrast.recent.tobytes(),
            *(series.pack() for series in state.series),
            *(array.tobytes() for array in state.aged or ()),
            *((counts.cuts.tobytes(),) if learning else (belief.sums.tobytes(),)),
            _pack_rest(state, plan_of.settings),
        )
    )


def check(plan_of: Design, data: bytes) -> None:
    """Looks at the head of a state only: whether this version wrote it, under these settings.

    Raises:
        StateError: the bytes were written by another version or under other settings, or are no state.
    """
    if len(data) < _HEADER.size:
        raise StateError(
            f"stored state of {len(data)} bytes is no state of a monitor; delete it and replay the scored topic"
        )
    version, fingerprint = _HEADER.unpack_from(data)
    if version != VERSION:
        raise StateError(
            f"stored state has layout {version} and this program reads {VERSION}: run the program that wrote it, or start "
            "with an empty table and let the scored topic be read again from its beginning"
        )
    if fingerprint != plan_of.fingerprint:
        raise StateError(
            "stored state was written under other settings (window, stride, reference, rules or taxonomy): restore those settings, or "
            "start with an empty table and let the scored topic be read again from its beginning"
        )


def unpack(plan_of: Design, data: bytes) -> State:
    """The state that `pack` wrote.

    Raises:
        StateError: the bytes were written by another version or under other settings, or are no state.
    """
    check(plan_of, data)
    state = new_state(plan_of)
    try:
        _read(state, plan_of, data)
    except (ValueError, IndexError, struct.error, UnicodeDecodeError) as error:
        raise StateError(
            f"stored state cannot be read ({error}); start with an empty table and read the scored topic again"
        ) from error
    return state


def _kept(state: State) -> npt.NDArray[np.int64]:
    """The part of `short` that does not follow from the rest: all but the rows of window totals."""
    return state.short[: -2 * len(state.examples)]


def _short_type(plan_of: Design) -> np.dtype[np.unsignedinteger]:
    """The smallest type that holds the count of any bucket."""
    return np.min_scalar_type(max(plan_of.settings.window << OLDER, BLOCK))


def _pack_rest(state: State, settings: EngineSettings) -> bytes:
    """Offsets, open alerts, and at the end all texts: topics, the examples of each category, the classifier of the last response."""
    topics = sorted({source.topic for source in state.offsets})
    texts = [*topics, *chain.from_iterable(state.examples), state.classifier, *state.contrast.names()]
    parts = [_COUNTS.pack(len(topics), len(state.alarms), len(state.offsets), len(texts))]
    for source, offset in state.offsets.items():
        parts.append(_OFFSET.pack(topics.index(source.topic), source.partition, offset))
    for key, alarm in state.alarms.items():
        rule, _, name = key.partition(":")
        about = _names(Rule(rule), settings).index(name) + 1 if name else 0
        onset = alarm.onset
        numbers = (alarm.seq, alarm.starts_at, onset.ts, onset.seq, onset.low, onset.high)
        parts.append(_OPEN.pack(_RULES.index(Rule(rule)), about, _SEVERITIES.index(alarm.severity), *numbers))
        parts.append(np.array(alarm.level, np.int64).tobytes())
    parts.append(bytes(map(len, state.examples)))
    parts.append(struct.pack(f"<{len(texts)}H", *map(len, texts)))
    parts.append("".join(texts).encode())
    return b"".join(parts)


def _names(rule: Rule, settings: EngineSettings) -> tuple[str, ...]:
    """What tells the alerts of one rule apart."""
    return tuple(watcher.name for watcher in settings.watchers) if rule is Rule.RIVER else settings.taxonomy.names


class _Reader:
    """Takes values off the front of bytes, in the order in which `pack` put them there."""

    def __init__(self, data: bytes, place: int) -> None:
        self.data = data
        self.place = place

    def into(self, array: npt.NDArray[np.generic], dtype: np.dtype[np.generic] | None = None) -> None:
        """Fill an array; `dtype` is the type in the bytes where it is another."""
        values = np.frombuffer(self.data, dtype or array.dtype, array.size, self.place)
        array.reshape(-1)[:] = values
        self.place += values.nbytes

    def values(self, form: struct.Struct) -> tuple[int, ...]:
        """The next numbers of this form."""
        taken: tuple[int, ...] = form.unpack_from(self.data, self.place)
        self.place += form.size
        return taken


def _read(state: State, plan_of: Design, data: bytes) -> None:
    reader = _Reader(data, _HEADER.size)
    reader.into(state.long)
    reader.into(_kept(state), _short_type(plan_of))
    reader.into(state.counts.recent)
    reader.into(state.contrast.begun)
    reader.into(state.contrast.counts, _short_type(plan_of))
    reader.into(state.contrast.recent)
    for series in state.series:
        reader.place = series.unpack(data, reader.place)
    for part in state.aged or ():
        reader.into(part)
    learning = state.counts.scalars[LEARNT] >= 0
    for array in (state.counts.cuts,) if learning else (state.belief.sums,):
        reader.into(array)
    _read_rest(state, reader, plan_of.settings)
    derive(state.counts, state.belief, state.plan)


def _read_rest(state: State, reader: _Reader, settings: EngineSettings) -> None:
    topics, alarms, sources, texts = reader.values(_COUNTS)
    offsets = [reader.values(_OFFSET) for _ in range(sources)]
    for _ in range(alarms):
        rule, about, severity, seq, starts_at, ts, onset_seq, low, high = reader.values(_OPEN)
        level = np.empty(len(state.examples), np.int64)
        reader.into(level)
        key = f"{_RULES[rule]}:{_names(_RULES[rule], settings)[about - 1]}" if about else _RULES[rule].value
        state.alarms[key] = Open(
            seq=seq,
            starts_at=starts_at,
            severity=_SEVERITIES[severity],
            onset=Onset(ts=ts, seq=onset_seq, low=low, high=high),
            level=tuple(level.tolist()),
        )
    per_category = reader.data[reader.place : reader.place + len(state.examples)]
    reader.place += len(state.examples)
    ends = list(accumulate(struct.unpack_from(f"<{texts}H", reader.data, reader.place), initial=0))
    reader.place += 2 * texts
    text = reader.data[reader.place :].decode()
    if len(text) != ends[-1] or topics + sum(per_category) + 1 + len(state.contrast.names()) != texts:
        raise ValueError("its texts are cut off")
    words = iter([text[start:end] for start, end in pairwise(ends)])
    names = list(islice(words, topics))
    for topic, partition, offset in offsets:
        state.offsets[Source(names[topic], partition)] = offset
    state.examples = [tuple(islice(words, kept)) for kept in per_category]
    state.classifier = next(words)
    state.contrast.rename(words)
