"""Plots of experiments, all in one style; each function returns a PNG."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

COLOURS = ("#1f5fae", "#d1491b", "#0a8f6a", "#b4649c", "#8a8f98", "#e8a317")
Numbers = npt.NDArray[np.float64] | Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One series: points, a band where `low` and `high` are given; `style` is matplotlib's, `colour` a place in COLOURS."""

    label: str
    x: Numbers
    y: Numbers
    low: Numbers | None = None
    high: Numbers | None = None
    style: str = "-"
    colour: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What stands along the axes; a log axis where said, and a dotted line at `mark` (y) with its words."""

    x: str
    y: str
    log_x: bool = False
    log_y: bool = False
    mark: float | None = None
    marked: str = ""


def lines(series: Sequence[Line], labels: Labels) -> bytes:
    """Series over one axis."""
    figure, axes = _canvas()
    for number, line in enumerate(series):
        colour = COLOURS[(number if line.colour is None else line.colour) % len(COLOURS)]
        axes.plot(line.x, line.y, line.style, color=colour, lw=1.8, label=line.label)
        if line.low is not None and line.high is not None:
            axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.16, lw=0)
    if labels.mark is not None:
        axes.axhline(labels.mark, color="#1a1d23", lw=1.2, ls=(0, (2, 3)), label=labels.marked)
    _finish(axes, labels)
    figure.legend(frameon=False, loc="outside right upper", fontsize=10)
    return _png(figure)


def points(x: Numbers, y: Numbers, labels: Labels) -> bytes:
    """Points against the diagonal, on which x equals y."""
    figure, axes = _canvas(width=5.2)
    both = np.concatenate([np.asarray(x, np.float64), np.asarray(y, np.float64)])
    margin = max(0.08 * float(np.ptp(both)), 0.02)
    ends = (max(float(both.min()) - margin, 0.0), float(both.max()) + margin)
    axes.plot(ends, ends, color="#8a8f98", lw=1.2, ls=(0, (4, 3)), label="equal")
    axes.plot(x, y, "o", color=COLOURS[0], alpha=0.7, ms=6)
    _finish(axes, labels)
    axes.set(xlim=ends, ylim=ends, aspect="equal")
    axes.legend(frameon=False, loc="upper left", fontsize=10)
    return _png(figure)


def _canvas(*, width: float = 9.2) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


def _finish(axes: Axes, labels: Labels) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#e3e6eb")
    axes.set_axisbelow(True)
    axes.set_xlabel(labels.x)
    axes.set_ylabel(labels.y)
    if labels.log_x:
        axes.set_xscale("log")
    if labels.log_y:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110, metadata={"Software": "ValueDrift"})
    return out.getvalue()
