"""`valuedrift power`."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream.commands.options import FILE, common_options

if TYPE_CHECKING:
    from rich.table import Table

    from stream.backtest.power import Needed, Smallest

_DAYS = {"h": 1 / 24, "d": 1.0, "w": 7.0}


class _Within(click.ParamType):
    name = "N|DURATION"

    def convert(
        self, value: "str | tuple[int, float]", param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, float]:
        """Responses, or days where it is a duration; the other one is 0."""
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"([1-9]\d*)([hdw]?)", value)
        if not match:
            self.fail(f"{value!r} is neither responses (500) nor a duration (6h, 1d, 2w)", param, ctx)
        return (0, int(match[1]) * _DAYS[match[2]]) if match[2] else (int(match[1]), 0.0)


@click.command()
@click.argument("log", nargs=-1, type=FILE)
@click.option("--shares", metavar="P,P,P,P,P", help="A model with these shares of g1..g5, instead of a log.")
@click.option(
    "--change",
    multiple=True,
    metavar="CHANGE",
    help="How many responses does this take? As in backtest; may be repeated.",
)
@click.option(
    "--within", type=_Within(), default="1d", show_default=True, help="What is seen within N responses, or 6h, 1d, 2w?"
)
@click.option("--per-day", type=click.FloatRange(1), metavar="N", help="Responses a day; the log's by default.")
@click.option(
    "--sure", type=click.FloatRange(0.5, 0.99), default=0.9, show_default=True, help="In this part of cases at least."
)
@click.option("--monitor", help="Which monitor of the log, where it holds several.")
@click.option("--block", type=click.IntRange(1), help="Responses of the log that stay together; 1 mixes all of them.")
@click.option(
    "--runs", type=click.IntRange(20), default=200, show_default=True, help="Simulated streams behind each figure."
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Equal seeds give equal figures.")
@click.option("--jobs", type=click.IntRange(1), help="Processes; one for each processor by default.")
@common_options
def power(
    *,
    log: tuple[Path, ...],
    shares: str | None,
    change: tuple[str, ...],
    within: tuple[int, float],
    per_day: float | None,
    sure: float,
    monitor: str | None,
    block: int | None,
    runs: int,
    seed: int,
    jobs: int | None,
    config: Path | None,
) -> None:
    """Say how many responses a change takes to be found, and the smallest change that is found in time.

    Simulates the calibrated detector, under the settings in force, on the traffic of LOG (labelled rows, as in backtest) or on a model with
    --shares. Without --change: each unwanted behaviour three times as frequent.
    """
    if bool(log) == bool(shares):
        raise click.UsageError("name a LOG or --shares")
    from stream.backtest.injections import injected
    from stream.backtest.own import unwanted_rises
    from stream.backtest.pool import pool
    from stream.backtest.power import Power, needed, smallest
    from stream.backtest.results import amount
    from stream.commands.progress import stages
    from stream.commands.simulating import console, own_traffic

    traffic = own_traffic(log, shares, monitor=monitor, block=block, config=config)
    daily = per_day or traffic.daily
    count, days = within
    if days and daily is None:
        raise click.UsageError("say how many responses a day has (--per-day), or give --within in responses")
    most = count or max(round(days * (daily or 0)), 1)
    engine = traffic.settings
    texts = change or unwanted_rises(traffic.feed, engine)
    try:
        changes = [injected(traffic.feed, text, engine.taxonomy) for text in texts]
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    asked = Power(feed=traffic.feed, settings=engine, runs=runs, seed=seed)
    workers = jobs or len(os.sched_getaffinity(0))
    with stages() as progress, pool(workers, lambda stage, done, tasks: progress(stage, done, tasks, "")) as running:
        try:
            least = smallest(asked, running, within=most, sure=sure)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        found = needed(asked, changes, running)
    screen = console()
    part = f"{sure:.0%}".replace("%", " %")
    screen.print(
        f"Responses until a change is found, at one false alarm in {amount(engine.false_alarm_interval, daily)}:"
    )
    screen.print(_needed(found, daily))
    screen.print(f"Smallest rise that is found within {amount(most, daily)} in {part} of cases:")
    screen.print(_smallest(least))


def _needed(found: "list[Needed]", daily: float | None) -> "Table":
    from rich.table import Table

    from stream.backtest.results import amount

    table = Table()
    table.add_column("change")
    for head in ("mean", "median", "p90", "missed", "CUSUM that knows it"):
        table.add_column(head, justify="right")
    for each in found:
        table.add_row(
            each.change,
            f"{'≥ ' if each.missed > 0.01 else ''}{each.delay.value:,.0f} ± {each.delay.error:,.0f}",
            amount(each.median, daily),
            amount(each.p90, daily),
            f"{each.missed:.0%}".replace("%", " %"),
            "-" if each.best is None else f"{each.best.value:,.0f}",
        )
    return table


def _smallest(found: "list[Smallest]") -> "Table":
    from rich.table import Table

    table = Table()
    table.add_column("behaviour")
    for head in ("share now", "rises to", "times"):
        table.add_column(head, justify="right")
    for each in found:
        risen = (
            ("none is", "-") if each.share is None else (f"{100 * each.share:.3g} %", f"{each.share / each.now:.2g}")
        )
        table.add_row(each.behaviour, f"{100 * each.now:.3g} %", *risen)
    return table
