"""Progress of long work: bars on a terminal, a line a minute in a pipe."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_LINE_S = 60.0
_PACE_S = 600.0
"""Steps of training may take ten seconds each; Rich forgets a pace after thirty unless told otherwise."""


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
        TimeRemainingColumn(),
        TextColumn("{task.fields[words]}"),
        console=console,
        speed_estimate_period=_PACE_S,
    )
    tasks: dict[str, int] = {}

    def show(stage: str, step: int, steps: int, words: str) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=steps, words="")
        bars.update(bars.task_ids[list(tasks).index(stage)], completed=step, total=steps, words=words)

    with bars:
        yield show


class _Lines:
    """Writes `stage: step of steps, words, time left` to stderr when the last line, or the beginning, is a minute ago."""

    def __init__(self) -> None:
        self._said = time.monotonic()
        self._stage = ""
        self._began = (0.0, 0)

    def __call__(self, stage: str, step: int, steps: int, words: str) -> None:
        now = time.monotonic()
        if stage != self._stage or step == 0:
            self._stage, self._began = stage, (now, step)
        if now - self._said < _LINE_S:
            return
        self._said = now
        since, first = self._began
        parts = [f"{stage}: {step:,} of {steps:,}", words]
        if step > first:
            left = (now - since) / (step - first) * (steps - step)
            parts.append(f"about {timedelta(seconds=round(left))} left")
        click.echo(", ".join(part for part in parts if part), err=True)
