"""Writes down what scored records show: the engine's events and the responses themselves, in the order of the input."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
import numpy.typing as npt

from stream.codec.control import encode_order
from stream.codec.dead_letter import encode_dead_letter
from stream.codec.rows import scored_row_lines
from stream.core.control import Order
from stream.core.engine import Engine
from stream.core.events import AlertEvent, DriftEvent
from stream.core.records import DeadLetter, Scored
from stream.core.settings import EngineSettings
from stream.output import ALERTS, DEAD_LETTERS, DRIFT, SCORED
from stream.pipeline import Detect, encode_alerts, encode_drift_events
from stream.report.summary import Summary, Tally


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A scored record, and the place of each of its responses in the input: int64 (n,), never falling."""

    scored: Scored
    places: npt.NDArray[np.int64]

    def only(self, keep: npt.NDArray[np.bool_]) -> Self:
        """The responses for which `keep` (n,) is true."""
        if keep.all():
            return self
        scored = self.scored
        kept = keep.tolist()
        fewer = replace(
            scored,
            offset=scored.offset[keep],
            event_id=tuple(compress(scored.event_id, kept)),
            ts=scored.ts[keep],
            category=scored.category[keep],
            probs=None if scored.probs is None else scored.probs[keep],
            confidence=None if scored.confidence is None else scored.confidence[keep],
            energy=None if scored.energy is None else scored.energy[keep],
            truncated=None if scored.truncated is None else scored.truncated[keep],
            finish_reason=tuple(compress(scored.finish_reason, kept)),
            attributes={name: tuple(compress(column, kept)) for name, column in scored.attributes.items()},
        )
        return replace(self, scored=fewer, places=self.places[keep])


@dataclass(frozen=True, slots=True)
class _Files:
    scored: BinaryIO
    drift: BinaryIO
    alerts: BinaryIO
    dead: BinaryIO


@contextmanager
def recording(folder: Path, settings: EngineSettings) -> Iterator["Recorder"]:
    """A recorder that writes its four files into `folder`; they are whole when the block ends."""
    with ExitStack() as stack:
        files = [stack.enter_context((folder / name).open("wb")) for name in (SCORED, DRIFT, ALERTS, DEAD_LETTERS)]
        yield Recorder(_Files(*files), settings)


class Recorder:
    """Judges scored records as the live pipeline does.

    What is taken together is written in the order of its places, so that the files do not depend on where the input was cut.
    """

    def __init__(self, files: _Files, settings: EngineSettings) -> None:
        self.settings = settings
        self._files = files
        self._engine = Engine(settings)
        self._detect = Detect(settings=settings, replay=True)
        self._responses = 0
        self._tally = Tally(settings)

    @property
    def responses(self) -> int:
        """Responses counted so far."""
        return self._responses

    def take(self, pieces: Sequence[Placed], dead: Sequence[DeadLetter] = ()) -> None:
        """Judge and write the next part of the input; a response that was counted before is left out."""
        drift: list[tuple[int, DriftEvent]] = []
        alerts: list[tuple[int, AlertEvent]] = []
        fresh: list[Placed] = []
        for piece in pieces:
            monitor = piece.scored.monitor
            observed = self._engine.observe(piece.scored)
            if not observed.counted:
                continue
            before = self._engine.monitors[monitor].seen - observed.counted
            self._responses += observed.counted
            # Offsets rise, so the responses that were counted before stand first.
            counted = piece.only(np.arange(len(piece.places)) >= observed.skipped)
            fresh.append(counted)
            self._tally.scored(counted.scored)
            drift += [(int(counted.places[event.seq - before]), event) for event in observed.drift]
            alerts += [(int(counted.places[event.seq - before]), event) for event in self._detect.mark(observed.alerts)]
        self._write(fresh, dead)
        self._write_events(sorted(drift, key=_place), sorted(alerts, key=_place))

    def obey(self, order: Order) -> None:
        """Do what a control record says, at its place in the input, and write it down; one that changes nothing is left out."""
        observed = self._engine.observe(order)
        if observed.drift:
            self._files.scored.write(encode_order(order) + b"\n")
            self._write_events(
                [(order.offset, event) for event in observed.drift],
                [(order.offset, event) for event in self._detect.mark(observed.alerts)],
            )

    def summary(self, sources: Sequence[str]) -> Summary:
        """What was taken so far, in numbers."""
        return self._tally.summary(sources=sources)

    def _write(self, pieces: Sequence[Placed], dead: Sequence[DeadLetter]) -> None:
        lines = [line for piece in pieces for line in scored_row_lines(piece.scored, self.settings.taxonomy)]
        if len(pieces) > 1:
            order = np.argsort(np.concatenate([piece.places for piece in pieces]), kind="stable")
            lines = [lines[place] for place in order.tolist()]
        self._files.scored.write("".join(lines).encode())
        self._files.dead.writelines(encode_dead_letter(letter) + b"\n" for letter in dead)
        self._tally.dead(letter.reason for letter in dead)

    def _write_events(self, drift: Sequence[tuple[int, DriftEvent]], alerts: Sequence[tuple[int, AlertEvent]]) -> None:
        for _, drift_event in drift:
            self._tally.drift(drift_event)
        for _, alert in alerts:
            self._tally.alert(alert)
        for file, records in (
            (self._files.drift, encode_drift_events(event for _, event in drift)),
            (self._files.alerts, encode_alerts(event for _, event in alerts)),
        ):
            file.writelines(record.value + b"\n" for record in records)


def _place(placed: tuple[int, object]) -> int:
    return placed[0]
