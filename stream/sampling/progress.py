"""What a person sees while a round runs: answers, rate, time left, money; nothing at all in a pipe."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from stream.sampling.budget import Ledger
from stream.sampling.endpoint import Endpoint
from stream.sampling.sampler import Sampler, Tally


class _Figures(ProgressColumn):
    """Read whenever the screen is drawn, so that nothing has to report to it."""

    def __init__(self, sampler: Sampler, endpoint: Endpoint, ledger: Ledger) -> None:
        super().__init__()
        self._sampler, self._endpoint, self._ledger = sampler, endpoint, ledger

    def render(self, task: Task) -> Text:
        """One line of figures; it also moves the bar."""
        tally = self._sampler.tally
        task.completed = tally.total - tally.missing
        task.total = tally.total
        seconds = task.elapsed or 0.0
        return Text(
            f"{figures(tally, self._endpoint.retries, self._ledger, seconds=seconds)}, {left(tally, seconds)} left"
        )


def figures(tally: Tally, retries: int, ledger: Ledger, *, seconds: float) -> str:
    """The state of a round in a line.

    Examples:
        >>> from stream.sampling.budget import Budget
        >>> figures(Tally(6000, answered=120), 2, Ledger(Budget()), seconds=10.0)
        '120 answers, 12.0/s, 0 tokens, 2 retries'
    """
    parts = [f"{tally.answered:,} answers", f"{tally.answered / max(seconds, 1e-9):.1f}/s"]
    parts.append(f"{'about ' if ledger.estimated else ''}{ledger.tokens:,} tokens")
    if ledger.budget.priced:
        parts.append(f"cost {'about ' if ledger.estimated else ''}{ledger.cost:.4f}")
    if tally.saved:
        parts.append(f"{tally.saved:,} saved")
    if tally.unanswered:
        parts.append(f"{tally.unanswered:,} without text")
    if retries:
        parts.append(f"{retries:,} retries")
    return ", ".join(parts)


def left(tally: Tally, seconds: float) -> str:
    """The time until nothing is missing, at the rate so far.

    Examples:
        >>> left(Tally(6000, answered=600), 30.0), left(Tally(6000), 0.0)
        ('0:04:30', '?')
    """
    got = tally.answered + tally.unanswered + tally.saved
    return str(timedelta(seconds=round(tally.missing / got * seconds))) if got and seconds else "?"


@contextmanager
def shown(sampler: Sampler, endpoint: Endpoint, ledger: Ledger) -> Iterator[Callable[[str], None]]:
    """Draws a bar while the block runs, if standard error is a terminal; yields what says a line there without spoiling the bar."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda line: print(line, file=sys.stderr, flush=True)  # noqa: T201 - a line for people
        return
    columns = (TextColumn("sampling"), BarColumn(bar_width=24), _Figures(sampler, endpoint, ledger))
    with Progress(*columns, console=console, transient=True, refresh_per_second=4) as progress:
        progress.add_task("", total=sampler.tally.total)
        yield lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True)
