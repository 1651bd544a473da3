"""`python -m tests.chaos seeds 20`, `seed 7` to run one again, or `soak 30`: chaos on a real Kafka, and what was found."""

import os
import sys
from pathlib import Path

import click

from tests.chaos import campaign, soak, tables
from tests.chaos.faults import schedule
from tests.chaos.tables import console

AWAY = click.option("--away", default=60.0, show_default=True, help="Seconds for which a stopped broker stays away.")
BLOWS = click.option("--blows", default=7, show_default=True, help="Faults a seed.")
OUT = click.option("--out", type=click.Path(path_type=Path), default=Path("out/chaos"), show_default=True)


@click.group()
def main() -> None:
    """Chaos."""


@main.command("seeds")
@click.argument("number", type=int)
@click.option("--first", default=0, show_default=True, help="The first seed.")
@BLOWS
@AWAY
@OUT
def run_seeds(number: int, first: int, blows: int, away: float, out: Path) -> None:
    """So many seeds."""
    outcomes = []
    for seed in range(first, first + number):
        plan = campaign.Plan(seed=seed, blows=schedule(seed, n=blows), away=away)
        outcome = campaign.run(plan, folder=out / f"seed-{seed}", environment=os.environ)
        outcomes.append(outcome)
        said = "clean" if outcome.clean else f"NOT CLEAN: {dict(outcome.findings.faults)}, see {outcome.folder}"
        console.print(f"seed {seed}: {said}, {outcome.seconds:.0f} s {' '.join(outcome.unclean)}")
    console.print(tables.seeds(outcomes))
    console.print(tables.injected(blow for each in outcomes for blow in each.blows))
    sys.exit(0 if all(outcome.clean for outcome in outcomes) else 1)


@main.command("seed")
@click.argument("number", type=int)
@BLOWS
@AWAY
@OUT
@click.pass_context
def run_seed(context: click.Context, number: int, blows: int, away: float, out: Path) -> None:
    """One seed again."""
    context.invoke(run_seeds, number=1, first=number, blows=blows, away=away, out=out)


@main.command("soak")
@click.argument("minutes", type=float)
@AWAY
@OUT
def run_soak(minutes: float, away: float, out: Path) -> None:
    """One long run, the memory of a worker watched."""
    found = soak.run(minutes, away=away, folder=out / "soak", environment=os.environ)
    console.print(tables.soaked(found))
    console.print(tables.injected(found.blows))
    sys.exit(0 if found.findings.clean else 1)


if __name__ == "__main__":
    main()
