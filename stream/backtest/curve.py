"""The operating curve: mean delay against the interval between false alarms, a panel for each change and a line for each detector."""

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

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
        axes.set_title(f"{source}: {change}", fontsize=9, loc="left", parse_math=False)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.grid(visible=True, which="both", color="#e3e6eb")
        axes.spines[["top", "right"]].set_visible(False)
    for axes in list(grid.flat)[len(drawn) :]:
        axes.set_visible(False)
    figure.supxlabel("responses between false alarms", fontsize=10)
    figure.supylabel("mean delay in responses", fontsize=10)
    known = {
        label: handle for axes in grid.flat for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(known.values(), known.keys(), loc="outside lower center", ncols=3, fontsize=9, frameon=False)
    figure.savefig(path, dpi=110, metadata={"Software": "ValueDrift"})
