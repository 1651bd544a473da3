"""What the demo shows: steps with their time, a live table on a terminal, and plain lines anywhere else."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from stream.core.events import DriftEvent, State
from stream.report.trajectory import colours

QUIET = 2.0
"""Seconds after which something must be said again."""

_STATES = {
    State.LEARNING: ("learning", "cyan"),
    State.OK: ("unchanged", "green"),
    State.PENDING: ("perhaps changing", "yellow"),
    State.FIRING: ("changed", "bold red"),
    State.UNSTABLE_REFERENCE: ("reference unstable", "yellow"),
}
_BAR = 24


class Screen:
    """Speaks to a person on a terminal, and to a log in readable lines without control codes elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()

    def say(self, text: str | Text | Table = "") -> None:
        """Prints something that stays."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=not self._console.is_terminal)

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Says what is going on from the beginning to the end of the block, and how long it took."""
        began = time.monotonic()
        if self._console.is_terminal:
            with self._console.status(f"{what} …"):
                yield
        else:
            with _ticking(lambda: self.say(f"  … {what} ({time.monotonic() - began:.0f} s)")):
                self.say(f"{what} …")
                yield
        self.say(Text.assemble(("✓ ", "green"), what, (f" ({time.monotonic() - began:.1f} s)", "dim")))

    @contextmanager
    def board(self, total: int, categories: Sequence[str]) -> Iterator["Board"]:
        """A board that shows monitors live until the block ends."""
        if not self._console.is_terminal:
            yield Board(self, total, categories, live=None)
            return
        with Live(console=self._console, refresh_per_second=4, transient=False) as live:
            yield Board(self, total, categories, live=live)


class Board:
    """The monitors as they are: state, S with its reference, statistic with its threshold, shares."""

    def __init__(self, screen: Screen, total: int, categories: Sequence[str], *, live: Live | None) -> None:
        self._screen = screen
        self._total = total
        self._categories = categories
        self._live = live
        self._began = time.monotonic()
        self._spoke = 0.0

    def show(self, done: int, monitors: Mapping[str, DriftEvent]) -> None:
        """Brings the board up to date: responses processed so far, and the last drift event of each monitor."""
        rate = done / max(time.monotonic() - self._began, 1e-9)
        head = f"{done:,} of {self._total:,} responses processed, {rate:,.0f}/s"
        if self._live is not None:
            progress = Table.grid(padding=(0, 2, 0, 0))
            progress.add_row(ProgressBar(total=self._total, completed=done, width=_BAR), head)
            self._live.update(Group(progress, _table(monitors, self._categories)))
        elif time.monotonic() - self._spoke >= QUIET or done == self._total:
            self._spoke = time.monotonic()
            said = "; ".join(_in_words(event) for event in monitors.values())
            self._screen.say(f"  {head}{': ' if said else ''}{said}")


def _table(monitors: Mapping[str, DriftEvent], categories: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("monitor", "state", "responses", "S (nats)", "reference S", "statistic / threshold", "last window"):
        table.add_column(name, justify="left" if name in ("monitor", "state", "last window") else "right")
    for monitor, event in monitors.items():
        word, style = _STATES[event.state]
        learning = event.state is State.LEARNING
        table.add_row(
            Text(monitor, "bold"),
            Text(word, style),
            f"{event.seq + 1:,}",
            f"{event.entropy.value:.3f}",
            f"{event.reference.n:,} of {event.reference.target:,}" if learning else f"{event.reference.entropy:.3f}",
            "" if learning else f"{event.statistic:,.4g} / {event.threshold:,.4g}",
            _shares(event),
        )
    legend = Text()
    for name, colour in zip(categories, colours(len(categories)), strict=True):
        legend.append("■ ", colour).append(f"{name}  ")
    table.caption = legend
    table.caption_justify = "left"
    return table


def _shares(event: DriftEvent) -> Text:
    """A bar of `_BAR` characters, in the colours of the behaviours."""
    total = max(1, sum(event.counts))
    bar = Text()
    done = 0
    for count, colour in zip(event.counts, colours(len(event.counts)), strict=True):
        upto = round((done + count) / total * _BAR)
        bar.append("█" * (upto - round(done / total * _BAR)), colour)
        done += count
    return bar


def _in_words(event: DriftEvent) -> str:
    word, _ = _STATES[event.state]
    if event.state is State.LEARNING:
        return f"{event.monitor} learning ({event.reference.n:,} of {event.reference.target:,})"
    return (
        f"{event.monitor} {word}, S {event.entropy.value:.2f} (reference {event.reference.entropy:.2f}), "
        f"statistic {event.statistic:,.3g} of {event.threshold:,.3g}"
    )


@contextmanager
def _ticking(tick: Callable[[], None]) -> Iterator[None]:
    """Calls `tick` whenever the block has been quiet for `QUIET` seconds."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(QUIET):
            tick()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
