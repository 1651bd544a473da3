"""The learning curve of a training run: a table as it grows, and a plot at its end."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from matplotlib.figure import Figure

TABLE, PLOT = "curves.csv", "curves.png"
_COLUMNS = ("name", "step", "seconds", "value")
_WORDS = 4

Progress = Callable[[str, int, int, str], None]
"""Called with the stage, the step, the number of steps, and a few words."""


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """One point of a training run: step, seconds since its start, and the value of what is named."""

    name: str
    step: int
    seconds: float
    value: float


class Curves:
    """Collects the points of a run, reports them, and keeps the table in `folder` up to date.

    With `resume` it begins with the points of the table there; a step that comes again replaces what followed it.
    """

    def __init__(self, folder: Path, progress: Progress, *, resume: bool = False) -> None:
        self.points = read_curves(folder / TABLE) if resume and (folder / TABLE).is_file() else []
        self._folder = folder
        self._progress = progress

    def begin(self, stage: str) -> None:
        """Reports that a stage gets ready, which may take a minute; how many steps it has is not known yet."""
        self._progress(stage, 0, 1, "getting ready")

    def note(self, stage: str, step: int, steps: int, seconds: float, **values: float) -> None:
        """Adds named values at a step."""
        for key, value in values.items():
            name = f"{stage} {key}"
            self.points = [point for point in self.points if point.name != name or point.step < step]
            self.points.append(Curve(name=name, step=step, seconds=round(seconds, 1), value=round(value, 5)))
        self._folder.mkdir(parents=True, exist_ok=True)
        write_curves(self.points, self._folder / TABLE)
        words = [f"{key} {value:.3f}" for key, value in list(values.items())[:_WORDS]]
        self._progress(stage, step, steps, ", ".join(words))


def write_curves(points: Sequence[Curve], path: Path) -> None:
    """Writes the points as CSV (name, step, seconds, value), whole or not at all."""
    staged = path.with_name(f".{path.name}.partial")
    with staged.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(_COLUMNS)
        table.writerows((point.name, point.step, point.seconds, point.value) for point in points)
    staged.replace(path)


def read_curves(path: Path) -> list[Curve]:
    """Returns the points of a table that `write_curves` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        return [msgspec.convert(row, Curve, strict=False) for row in csv.DictReader(file)]


def plot_curves(points: Sequence[Curve], path: Path) -> None:
    """Draws what was measured on validation rows, if anything, above what was minimised in training, one line a name, as PNG."""
    figure = Figure(figsize=(9, 7), layout="constrained")
    names = list(dict.fromkeys(point.name for point in points))
    validated = [name for name in names if " validation_" in name]
    parts = [part for part in (validated, [name for name in names if name not in validated]) if part]
    panels = figure.subplots(len(parts), sharex=True, squeeze=False)[:, 0]
    for axes, part in zip(panels, parts, strict=True):
        for name in part:
            line = [point for point in points if point.name == name]
            axes.plot([point.step for point in line], [point.value for point in line], marker=".", label=name)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    panels[-1].set_xlabel("step")
    figure.savefig(path, dpi=110)
