"""What is made at the end of a run from the events that it wrote: summary, report and plot."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from stream.codec.alert import decode_alert
from stream.codec.drift import decode_drift
from stream.output import ALERTS, DRIFT, PLOT, REPORT, SUMMARY
from stream.report import page
from stream.report.plot import draw
from stream.report.summary import Summary
from stream.report.trajectory import Trajectory, TrajectoryBuilder

DRAWN = 20
"""Monitors drawn in the report at most: those with alerts first."""


class _Head(msgspec.Struct):
    monitor: str


_HEAD = msgspec.json.Decoder(_Head)


def complete(folder: Path, summary: Summary) -> None:
    """Writes summary, report and plot beside the drift events and alerts that are there already.

    Memory depends on `DRAWN`, not on the number of events.
    """
    content = msgspec.json.format(msgspec.json.encode(summary), indent=2)
    (folder / SUMMARY).write_bytes(content + b"\n")
    names = [monitor.monitor for monitor in page.by_interest(summary.monitors)[:DRAWN]]
    trajectories = read_trajectories(folder, names, categories=len(summary.categories))
    (folder / REPORT).write_text(page.render(summary, trajectories), encoding="utf-8")
    draw(folder / PLOT, trajectories, categories=summary.categories, window=summary.settings.window_text)


def read_trajectories(folder: Path, monitors: Sequence[str], *, categories: int) -> list[Trajectory]:
    """What the named monitors did, in the order of their names, thinned for drawing."""
    builders = {monitor: TrajectoryBuilder(monitor, categories=categories) for monitor in monitors}
    for line in _lines_of(folder / DRIFT, builders):
        event = decode_drift(line)
        builders[event.monitor].drift(event)
    for line in _lines_of(folder / ALERTS, builders):
        alert = decode_alert(line)
        builders[alert.monitor].alert(alert)
    return [builder.build() for builder in builders.values()]


def _lines_of(path: Path, monitors: dict[str, TrajectoryBuilder]) -> Iterator[bytes]:
    with path.open("rb") as lines:
        for line in lines:
            if _HEAD.decode(line).monitor in monitors:
                yield line
