"""What `backtest` and `power` share: whose traffic is simulated, and under which settings."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from stream.backtest.feeds import Feed
    from stream.core.settings import EngineSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """A feed with its name, responses a day where known, and the settings of the detector."""

    name: str
    feed: "Feed"
    daily: float | None
    settings: "EngineSettings"


def own_traffic(
    log: Sequence[Path], shares: str | None, *, monitor: str | None, block: int | None, config: Path | None
) -> Traffic:
    """The traffic of a log, or that of a model with such shares."""
    from stream.backtest.logs import read
    from stream.backtest.own import simulated
    from stream.config import load
    from stream.core.taxonomy import PAPER

    settings = load(config).engine(PAPER)
    if shares is not None:
        try:
            return Traffic(name="simulated", feed=simulated(shares), daily=None, settings=settings)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
    found = read(log, settings.taxonomy, monitor=monitor)
    return Traffic(name=found.name, feed=found.feed(settings.taxonomy, block), daily=found.daily, settings=settings)


def console() -> "Console":
    """Where tables go: as wide as the terminal, and wide enough for every column in a pipe."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=160)
