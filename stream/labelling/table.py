"""Estimates as a table for people."""

from io import StringIO

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from stream.core.correction import Interval
from stream.labelling.estimating import CONFUSION, LABELLED, PREDICTED, SOFT, Estimates
from stream.labelling.folder import Design
from stream.labelling.texts import harmless

TITLES = {
    PREDICTED: "as predicted",
    SOFT: "mean of probabilities",
    CONFUSION: "confusion inverted",
    LABELLED: "with people's labels",
}
PIPE_WIDTH = 140
"""Characters where there is no terminal to ask."""


def as_table(design: Design, made: Estimates, *, width: int | None) -> str:
    """Returns a row for S and one for each share, a column for each way to estimate them; `width` None is the terminal's."""
    skipped = f", {made.skipped:,} skipped" if made.skipped else ""
    name = harmless(design.monitor) or "all"
    head = f"{name}: {design.responses:,} responses, {made.labels:,} labelled{skipped}; in brackets the 95 % interval"
    table = Table(
        Column(no_wrap=True, min_width=max(map(len, design.categories)) + 3), *(TITLES[method] for method in made.found)
    )
    table.add_row("S, nats", *(_cell(each.entropy, scale=1, digits=3) for each in made.found.values()))
    for place, category in enumerate(design.categories):
        cells = [_cell(each.shares[place], scale=100, digits=1) for each in made.found.values()]
        table.add_row(Text(f"{category}, %"), *cells)
    console = Console(file=StringIO(), width=width, highlight=False)
    with console.capture() as drawn:
        console.print(Text(head), table)
    return drawn.get().rstrip("\n")


def _cell(of: Interval, *, scale: int, digits: int) -> str:
    value, low, high = (f"{scale * each:.{digits}f}" for each in of)
    return f"{value} ({low} to {high})"
