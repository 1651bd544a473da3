"""How well the shipped detector detects, in few figures and seconds: what `detection-quality.json` holds of the last release.

`python -m tests.simulation.detection_quality` prints the figures of the present code; with `--write` it puts them into the file, as is
done at a release. `tests/simulation/test_detection_quality.py` measures them again and fails where one is worse than can be chance.
"""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

from stream.backtest.compare import random_of
from stream.backtest.estimates import Estimate, mean
from stream.backtest.feeds import Change, Simulated
from stream.backtest.models import BASES, CHANGES
from stream.backtest.recipes import calibrated
from stream.backtest.runs import Sizes, delays, interval
from stream.core.settings import EngineSettings, Watch

FILE = Path(__file__).with_name("detection-quality.json")
COMMAND = "python -m tests.simulation.detection_quality --write"
KNOB = 2_000
SEED = 20_261_124
INTERVALS, DELAYS = 150, 300
"""Runs behind a figure."""
ERRORS = 3.0
"""Standard errors of the difference beyond which a figure is worse."""

Better = Literal["lower", "nearer"]


class Figure(msgspec.Struct, frozen=True):
    """A figure with its standard error, and which way is better: `nearer` to the knob, or `lower`."""

    value: float
    error: float
    better: Better


class Quality(msgspec.Struct, frozen=True):
    """The figures of a release by name, and the command that measured them."""

    release: str
    command: str
    figures: dict[str, Figure]


@dataclass(frozen=True, slots=True)
class Worse:
    """A figure that is worse than that of the last release by more than its error."""

    name: str
    then: Figure
    now: Figure

    def __str__(self) -> str:
        return f"{self.name}: {self.now.value:.1f} ± {self.now.error:.1f}, last release {self.then.value:.1f} ± {self.then.error:.1f}"


def measured(settings: EngineSettings | None = None) -> dict[str, Figure]:
    """The figures of the present code; the same again for equal code. `settings` are those of the detector, if not the usual ones."""
    figures: dict[str, Figure] = {}
    for number, base in enumerate(BASES):
        model = ("quiet", "busy")[number]
        for watch in ("behaviour", "all"):
            found = _interval(Simulated(base), settings or _settings(watch))
            figures[f"false alarms, one in ({model}, {watch})"] = _figure(found, "nearer")
    for name, (before, after) in CHANGES.items():
        change = Change(name, Simulated(before), Simulated(after))
        make = partial(calibrated(settings or _settings("all")).make, None)
        sizes = Sizes(learn=1_000, lead=200, missed=5_000)
        found_delays = delays(make, change, sizes, runs=DELAYS, random=random_of(SEED, name))
        figures[f"delay: {name}"] = _figure(mean(found_delays.delay), "lower")
        onset = Estimate(*_mean_error(found_delays.onset))
        figures[f"onset error: {name}"] = _figure(onset, "lower")
    return figures


def worse(then: Mapping[str, Figure], now: Mapping[str, Figure]) -> list[Worse]:
    """Figures that are worse than before by more than `ERRORS` standard errors of the difference, and those that are gone.

    An interval is worse where it is further from the knob than it was, on whichever side.
    """
    found = []
    for name, old in then.items():
        new = now.get(name, Figure(math.nan, 0.0, old.better))
        if old.better == "lower":
            loss, error = new.value - old.value, math.hypot(old.error, new.error)
        else:
            loss, error = _distance(new) - _distance(old), math.hypot(old.error / old.value, new.error / new.value)
        if not loss <= ERRORS * error:
            found.append(Worse(name, old, new))
    return found


def read() -> Quality:
    """What the file of the last release holds."""
    return msgspec.json.decode(FILE.read_bytes(), type=Quality)


def _settings(watch: Watch) -> EngineSettings:
    return EngineSettings(false_alarm_interval=KNOB, watch=watch, traffic_mix=False)


def _interval(feed: Simulated, settings: EngineSettings) -> Estimate:
    make = partial(calibrated(settings).make, None)
    random = random_of(SEED, settings.watch)
    found = interval(make, feed, settings.learn_from, runs=INTERVALS, longest=10 * KNOB, random=random)
    return Estimate(found.value, found.error)


def _mean_error(onsets: tuple[int, ...]) -> tuple[float, float]:
    """Mean absolute error of the onset, cut at 500 responses so that a few wild ones do not decide, and its standard error."""
    values = [min(abs(onset), 500) for onset in onsets]
    middle = sum(values) / len(values)
    spread = math.sqrt(sum((value - middle) ** 2 for value in values) / (len(values) - 1) / len(values))
    return middle, spread


def _distance(figure: Figure) -> float:
    """How far an interval is from the knob, as a factor either way."""
    return abs(math.log(figure.value / KNOB)) if figure.value > 0 else math.inf


def _figure(found: Estimate, better: Better) -> Figure:
    return Figure(float(f"{found.value:.4g}"), float(f"{found.error:.3g}"), better)


def main(arguments: list[str]) -> int:
    """Prints the figures, or writes them."""
    if arguments not in ([], ["--write"]):
        print(f"usage: {COMMAND.removesuffix(' --write')} [--write]", file=sys.stderr)
        return 2
    import importlib.metadata

    quality = Quality(importlib.metadata.version("valuedrift"), COMMAND, measured())
    content = msgspec.json.format(msgspec.json.encode(quality), indent=1)
    if arguments:
        FILE.write_bytes(content + b"\n")
    else:
        print(content.decode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
