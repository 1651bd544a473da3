"""`valuedrift evaluate`."""

from pathlib import Path
from typing import Literal

import click

from stream.commands.options import common_options


@click.command()
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of labelled rows: .jsonl or .jsonl.gz with prompt, response, label.",
)
@click.option("--bundle", type=click.Path(path_type=Path, file_okay=False), help="Bundle to judge; else the settings'.")
@click.option(
    "--part",
    type=click.Choice(["test", "all"]),
    default="test",
    show_default=True,
    help="The requests that training left out, or every labelled row.",
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for figures.json and figures.md.")
@common_options
def evaluate(
    data: Path, bundle: Path | None, part: Literal["test", "all"], out: Path | None, config: Path | None
) -> None:
    """Measure a bundle on labelled rows: accuracy, macro-F1, each label, confusion, calibration, source by source."""
    from export.evaluate import EvaluateOptions, as_markdown
    from export.evaluate import evaluate as run
    from models.bundle import DEFAULT_BUNDLE
    from stream.commands.progress import stages
    from stream.config import load as load_settings

    settings = load_settings(config).classifier
    options = EvaluateOptions(bundle=bundle or settings.bundle or DEFAULT_BUNDLE, data=data, out=out, part=part)
    with stages() as progress:
        report = run(options, lambda done, rows: progress("rows", done, rows, ""))
    click.echo(as_markdown(report), nl=False)
