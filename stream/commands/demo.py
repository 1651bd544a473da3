"""`valuedrift demo`."""

import time
from pathlib import Path

import click

from stream.commands.options import kafka_options


@click.command()
@click.option(
    "--out",
    default=Path("out/demo"),
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for the results; an earlier run's files in it are replaced.",
)
@click.option(
    "--events", type=click.IntRange(1600, 100_000), default=2000, show_default=True, help="Responses to send."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another number draws other responses.")
@kafka_options
def demo(*, out: Path, events: int, seed: int, config: Path | None, bootstrap_servers: str | None) -> int:
    """Show the whole story on this machine: a model is swapped in secret, and ValueDrift says when, and what changed.

    Starts a real Kafka (or uses the one given with --bootstrap-servers, with topics of its own that are removed at the end), the
    real worker with the classifier that ships with ValueDrift, and sends real responses of several models. Half-way the model
    behind one of two monitors is swapped. Ends with the alert, a report and a plot, and stops everything that it started.

    Exit status 1 if the change was not found.
    """
    from rich.console import Console

    from models.bundle import DEFAULT_BUNDLE, load_manifest
    from stream.config import load
    from stream.demo.play import Demo, run_demo
    from stream.demo.screen import Screen
    from stream.demo.words import conclude, introduce
    from stream.pipeline import taxonomy_of

    began = time.monotonic()
    settings = load(config, bootstrap_servers=bootstrap_servers)
    plan = Demo(
        out=out,
        events=events,
        seed=seed,
        local=bootstrap_servers is None,
        settings=settings,
        taxonomy=taxonomy_of(load_manifest(settings.classifier.bundle or DEFAULT_BUNDLE)),
    )
    console = Console()
    screen = Screen(console if console.is_terminal else Console(width=120))
    introduce(screen, plan)
    outcome = run_demo(plan, screen)
    conclude(screen, plan, outcome, seconds=time.monotonic() - began)
    return 0 if outcome.found else 1
