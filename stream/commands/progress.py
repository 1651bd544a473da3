"""Progress of long work: bars on a terminal, nothing in a pipe."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


@contextmanager
def stages() -> Iterator[Callable[[str, int, int, str], None]]:
    """Yields a function that takes stage, step, steps and a few words, and draws one bar a stage with its time left."""
    console = Console(stderr=True)
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[words]}"),
        console=console,
        disable=not console.is_terminal,
    )
    tasks: dict[str, int] = {}

    def show(stage: str, step: int, steps: int, words: str) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=steps, words="")
        bars.update(bars.task_ids[list(tasks).index(stage)], completed=step, total=steps, words=words)

    with bars:
        yield show
