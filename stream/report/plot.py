"""`trajectory.png`: S(t) with its reference and interval above the shares of the behaviours, for the most interesting monitors."""

import math
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from stream.report.axes import ceiling, days, onset_on, span, time_ticks
from stream.report.charts import MARKED
from stream.report.trajectory import Trajectory, colours
from stream.wording import movers, percent

DRAWN = 4
"""Monitors drawn at most."""

_INK, _SOFT, _BLUE, _RED = "#1a1d23", "#5b6472", "#1f5fae", "#b3261e"


def draw(path: Path, trajectories: Sequence[Trajectory], *, categories: Sequence[str], window: str) -> None:
    """Writes the picture of the first `DRAWN` trajectories that have a point, or one that says there is nothing to draw.

    `window` says what is behind each S(t), such as "500 responses".
    """
    drawn = [trajectory for trajectory in trajectories if len(trajectory.ts)][:DRAWN]
    columns = min(2, max(1, len(drawn)))
    rows = max(1, math.ceil(len(drawn) / columns))
    with _style(), warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Glyph .* missing"
        )  # a name in a script that the font lacks is drawn as boxes
        figure = Figure(figsize=(11 if columns == 1 else 16, 6.6 * rows + 0.6), layout="constrained")
        FigureCanvasAgg(figure)
        if not drawn:
            figure.text(0.5, 0.5, "No drift event yet: nothing to draw", ha="center", va="center", color=_SOFT, size=16)
        else:
            _grid(figure, drawn, rows=rows, columns=columns)
            _legend(figure, categories, window=window, marked=any(trajectory.firing for trajectory in drawn))
        figure.savefig(path, dpi=110, metadata={"Software": "ValueDrift"})


def _grid(figure: Figure, drawn: Sequence[Trajectory], *, rows: int, columns: int) -> None:
    cells = figure.subfigures(rows, columns, squeeze=False, hspace=0.04, wspace=0.02)
    for trajectory, cell in zip(drawn, cells.flat, strict=False):
        upper, lower = cell.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        _entropy(upper, trajectory)
        _shares(lower, trajectory)
        for axes in (upper, lower):
            _alerts(axes, trajectory)
        cell.align_ylabels((upper, lower))
        upper.set_title(_title(trajectory), loc="left", parse_math=False, color=_INK, size=13, weight="bold", pad=12)


def _entropy(axes: Axes, trajectory: Trajectory) -> None:
    axes.grid(visible=True, axis="y")
    axes.fill_between(trajectory.ts, trajectory.low, trajectory.high, color=_BLUE, alpha=0.16, lw=0)
    axes.plot(trajectory.ts, trajectory.reference, color=_INK, lw=1.4, ls=(0, (6, 4)))
    axes.plot(trajectory.ts, trajectory.entropy, color=_BLUE, lw=2, marker="o" if len(trajectory.ts) < 3 else None)
    axes.set_ylim(0, ceiling(trajectory))
    axes.set_ylabel("entropy S(t) (nats)")


def _shares(axes: Axes, trajectory: Trajectory) -> None:
    first, last = span(trajectory)
    palette = colours(trajectory.shares.shape[1])
    axes.stackplot(trajectory.ts, trajectory.shares.T, colors=palette, edgecolor="white", linewidth=0.4)
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    axes.set_ylabel("share of responses")
    axes.set_xlim(first, last)
    ticks = time_ticks(first, last, most=7)
    axes.set_xticks([at for at, _ in ticks], [label for _, label in ticks])
    axes.set_xlabel(f"event time (UTC), {days(first, last)}")


def _alerts(axes: Axes, trajectory: Trajectory) -> None:
    first, last = span(trajectory)
    for alert in trajectory.firing[:MARKED]:
        low, onset, high = onset_on(alert, first, last)
        axes.axvspan(low, high, color=_RED, alpha=0.14, lw=0)
        axes.axvline(onset, color=_RED, lw=1.4, ls=(0, (2, 2)))
        axes.axvline(alert.ts, color=_RED, lw=1.6)


def _title(trajectory: Trajectory) -> str:
    name = trajectory.monitor if len(trajectory.monitor) <= 40 else f"{trajectory.monitor[:39]}…"
    if not trajectory.firing:
        return f"{name}: no alarm"
    moved = movers(trajectory.firing[0], most=1)
    what = (
        f": {moved[0].category} {percent(moved[0].reference_share)} → {percent(moved[0].share)}" if moved else ": alarm"
    )
    return name + what


def _legend(figure: Figure, categories: Sequence[str], *, window: str, marked: bool) -> None:
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=_BLUE, lw=2, label=f"S(t) of the last {window}"),
        Patch(color=_BLUE, alpha=0.16, lw=0, label="95 % interval"),
        Line2D([], [], color=_INK, lw=1.4, ls=(0, (6, 4)), label="reference"),
    ]
    if marked:
        handles += [
            Line2D([], [], color=_RED, lw=1.4, ls=(0, (2, 2)), label="onset"),
            Patch(color=_RED, alpha=0.14, lw=0, label="90 % interval of the onset"),
            Line2D([], [], color=_RED, lw=1.6, label="alarm"),
        ]
    handles += [
        Patch(color=colour, label=name) for name, colour in zip(categories, colours(len(categories)), strict=True)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=6 if marked else 4, fontsize=10)


def _style() -> AbstractContextManager[None]:
    """How all of it looks; the process's own settings of matplotlib are left alone."""
    return mpl.rc_context(
        {
            "font.size": 11,
            "axes.edgecolor": _SOFT,
            "axes.labelcolor": _INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "xtick.color": _SOFT,
            "ytick.color": _SOFT,
            "grid.color": "#e3e6eb",
            "legend.frameon": False,
        }
    )
