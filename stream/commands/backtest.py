"""`valuedrift backtest`."""

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from stream.commands.options import FILE, common_options

if TYPE_CHECKING:
    from stream.backtest.compare import Comparison

DETECTORS = ("calibrated", "ADWIN", "PageHinkley", "epsilon")
"""Those that are compared unless others are named."""


@click.command()
@click.argument("log", nargs=-1, type=FILE)
@click.option(
    "--suite", type=click.Choice(["quick", "standard"]), help="Fixed simulated comparisons, instead of a log."
)
@click.option("--shares", metavar="P,P,P,P,P", help="Simulate a model with these shares of g1..g5, instead of a log.")
@click.option("--after", type=FILE, multiple=True, help="The change: responses of these files instead of the log's.")
@click.option(
    "--change",
    multiple=True,
    metavar="CHANGE",
    help="Put into the log: CATEGORY=3% or =x2, swap=A/B, traffic=x2, parts joined by ' + ', or noise=5%; then ,ramp=N or ,pulse=N. "
    "May be repeated.",
)
@click.option(
    "--detector",
    multiple=True,
    metavar="NAME[:P=V,…]",
    help="calibrated, epsilon, or any of river's (ADWIN:on=entropy,window=100). May be repeated; the first is put into words.",
)
@click.option(
    "--false-alarm-interval", type=click.IntRange(100), metavar="N", help="Responses; the settings' by default."
)
@click.option(
    "--false-alarm-days", type=click.FloatRange(0, min_open=True), metavar="D", help="The same in days of the log."
)
@click.option("--monitor", help="Which monitor of the log, where it holds several.")
@click.option("--after-monitor", metavar="NAME", help="The same for the files of --after.")
@click.option("--block", type=click.IntRange(1), help="Responses of the log that stay together; 1 mixes all of them.")
@click.option(
    "--runs", type=click.IntRange(20), default=200, show_default=True, help="Simulated streams behind each figure."
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Equal seeds give equal figures.")
@click.option("--jobs", type=click.IntRange(1), help="Processes; one for each processor by default.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("out/backtest"),
    show_default=True,
    help="Folder for backtest.json, backtest.csv and operating-curve.png.",
)
@common_options
def backtest(
    *,
    log: tuple[Path, ...],
    suite: Literal["quick", "standard"] | None,
    shares: str | None,
    after: tuple[Path, ...],
    change: tuple[str, ...],
    detector: tuple[str, ...],
    false_alarm_interval: int | None,
    false_alarm_days: float | None,
    monitor: str | None,
    after_monitor: str | None,
    block: int | None,
    runs: int,
    seed: int,
    jobs: int | None,
    out: Path,
    config: Path | None,
) -> None:
    """Measure how late detectors find a change, at equal false alarms.

    LOG is labelled rows (scored.jsonl, or JSON lines with category or label): its responses are drawn again in blocks, and changes are put
    in. Without --change, each unwanted behaviour becomes three times as frequent. Each detector gets the setting at which it raises
    one false alarm in as many responses as the others on the unchanged log. Delays are in responses after the change began.

    --suite standard measures the detector's own targets beside river's detectors, on simulated models (some minutes); --suite quick is
    its short form.
    """
    if sum(map(bool, (log, suite, shares))) != 1:
        raise click.UsageError("name a LOG, or --shares, or --suite quick or standard")
    if suite and (after or change or detector or false_alarm_interval or false_alarm_days):
        raise click.UsageError("a suite has its own changes, detectors and interval; leave those options out")
    if after and change:
        raise click.UsageError("the change is either --after or --change")
    if false_alarm_interval and false_alarm_days:
        raise click.UsageError("choose --false-alarm-interval or --false-alarm-days")
    if false_alarm_days and not log:
        raise click.UsageError("--false-alarm-days is for a LOG, whose times say how many responses a day has")
    from stream.backtest import suite as suites
    from stream.backtest.own import Own, comparison
    from stream.commands.simulating import own_traffic

    daily = None
    if suite:
        comparisons = suites.quick(seed) if suite == "quick" else suites.standard(seed)
    else:
        traffic = own_traffic(log, shares, monitor=monitor, block=block, config=config)
        daily = traffic.daily
        if false_alarm_days and daily is None:
            raise click.UsageError(
                "the log has no times, so nobody knows how many responses a day has; use --false-alarm-interval"
            )
        wanted = false_alarm_interval or round((false_alarm_days or 0) * (daily or 0))
        following = own_traffic(after, None, monitor=after_monitor, block=block, config=config) if after else None
        own = Own(
            name=traffic.name,
            feed=traffic.feed,
            changes=change,
            after=None if following is None else (following.name, following.feed),
            detectors=detector or DETECTORS,
            wanted=max(wanted, 100) if wanted else traffic.settings.false_alarm_interval,
            runs=runs,
            seed=seed,
        )
        try:
            comparisons = [comparison(own, traffic.settings)]
        except ValueError as error:
            raise click.UsageError(str(error)) from None
    _measure(comparisons, out, jobs or len(os.sched_getaffinity(0)), daily=daily, suite=suite)


def _measure(comparisons: "list[Comparison]", out: Path, jobs: int, *, daily: float | None, suite: str | None) -> None:
    from stream.backtest import results
    from stream.backtest.compare import compare
    from stream.backtest.pool import pool
    from stream.backtest.targets import Effort, targets
    from stream.commands.progress import stages
    from stream.commands.simulating import console
    from stream.output import output_folder

    seed = comparisons[0].seed
    with output_folder(out) as folder:
        with stages() as progress, pool(jobs, lambda stage, done, tasks: progress(stage, done, tasks, "")) as workers:
            rows = compare(comparisons, workers)
            aims = targets(rows, Effort(seed=seed), workers) if suite == "standard" else []
        results.write(folder, rows, aims, command=shlex.join(["valuedrift", *sys.argv[1:]]), seed=seed)
    screen = console()
    for table in results.tables(rows):
        screen.print(table)
    if aims:
        screen.print(results.target_table(aims))
    for sentence in () if suite else results.sentences(rows, daily=daily):
        click.echo(sentence)
    click.echo(f"Results: {out}")
