"""Progress of long work: bars on a terminal, a line a minute in a pipe."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

_LINE_S = 60.0


@contextmanager
def stages() -> Iterator[Callable[[str, int, int, str], None]]:
    """Yields a function that takes stage, step, steps and a few words, and shows how far each stage is and its time left.

    On a terminal that is a bar a stage. Elsewhere it is a line once a minute, so that what is over in a minute stays silent.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines()
        return
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        _TimeLeft(),
        TextColumn("{task.fields[words]}"),
        console=console,
    )
    pace = _Pace()
    tasks: dict[str, TaskID] = {}

    def show(stage: str, step: int, steps: int, words: str) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=steps, words="", ends=None)
        left = pace.left(stage, step, steps)
        ends = None if left is None else time.monotonic() + left
        bars.update(tasks[stage], completed=step, total=steps, words=words, ends=ends)

    with bars:
        yield show


class _Pace:
    """Seconds left of a stage, at the pace since its first step.

    Rich forgets its own pace in thirty seconds, or when the number of steps changes: but a step of training may take ten, and
    how many fit into the time given is an estimate.
    """

    def __init__(self) -> None:
        self._stage = ""
        self._began = (0.0, 0)

    def left(self, stage: str, step: int, steps: int) -> float | None:
        now = time.monotonic()
        if stage != self._stage or self._began[1] == 0:
            self._stage, self._began = stage, (now, step)
        since, first = self._began
        return (now - since) / (step - first) * (steps - step) if step > first else None


class _TimeLeft(ProgressColumn):
    def render(self, task: Task) -> Text:
        ends = task.fields["ends"]
        left = "-:--:--" if ends is None else str(timedelta(seconds=max(0, round(ends - time.monotonic()))))
        return Text(left, style="progress.remaining")


class _Lines:
    """Writes `stage: step of steps, words, time left` to stderr when the last line, or the beginning, is a minute ago."""

    def __init__(self) -> None:
        self._said = time.monotonic()
        self._pace = _Pace()

    def __call__(self, stage: str, step: int, steps: int, words: str) -> None:
        left = self._pace.left(stage, step, steps)
        if time.monotonic() - self._said < _LINE_S:
            return
        self._said = time.monotonic()
        parts = [f"{stage}: {step:,} of {steps:,}", words]
        if left is not None:
            parts.append(f"about {timedelta(seconds=round(left))} left")
        click.echo(", ".join(part for part in parts if part), err=True)
