"""The operating curve: mean delay against the interval between false alarms, a panel for each change and a line for each detector."""

import math
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from stream.backtest.compare import Row

PANELS = 9
"""Changes that are drawn at most: the first ones."""
_COLOURS = ("#1f5fae", "#0a8f6a", "#d1491b", "#e8a317", "#b4649c", "#8a8f98", "#5b6472")


def draw(path: Path, rows: Sequence[Row]) -> None:
    """Writes the picture; a detector with one interval is a point."""
    drawn = list(dict.fromkeys((row.source, row.change) for row in rows))[:PANELS]
    columns = min(3, len(drawn))
    lines = math.ceil(len(drawn) / columns)
    figure = Figure(figsize=(4.6 * columns, 3.4 * lines + 0.8), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(lines, columns, squeeze=False)
    detectors = list(dict.fromkeys(row.detector for row in rows))
    for (source, change), axes in zip(drawn, grid.flat, strict=False):
        for number, detector in enumerate(detectors):
            found = [
                row
                for row in rows
                if (row.source, row.change, row.detector) == (source, change, detector) and row.matched
            ]
            if found:
                axes.errorbar(
                    [row.wanted for row in found],
                    [row.delay.value for row in found],
                    yerr=[1.96 * row.delay.error for row in found],
                    fmt="o-",
                    ms=4,
                    lw=1.6,
                    color=_COLOURS[number % len(_COLOURS)],
                    label=detector,
                )
        axes.set_title(fill(f"{source}: {change}", 56), fontsize=9, loc="left", parse_math=False)
        for scale, axis in ((axes.set_xscale, axes.xaxis), (axes.set_yscale, axes.yaxis)):
            scale("log")
            axis.set_major_locator(LogLocator(10, (1.0, 2.0, 5.0)))
            axis.set_major_formatter(FuncFormatter(_number))
            axis.set_minor_formatter(NullFormatter())
        axes.grid(visible=True, color="#e3e6eb")
        axes.spines[["top", "right"]].set_visible(False)
    for axes in list(grid.flat)[len(drawn) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("mean delay in responses", fontsize=9)
    for axes in list(grid.flat)[max(len(drawn) - columns, 0) : len(drawn)]:
        axes.set_xlabel("responses between false alarms", fontsize=9)
    known = {
        label: handle for axes in grid.flat for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(known.values(), known.keys(), loc="outside lower center", ncols=3, fontsize=9, frameon=False)
    figure.savefig(path, dpi=110, metadata={"Software": "ValueDrift"})


def _number(value: float, _place: int | None) -> str:
    return f"{value:,.0f}"
