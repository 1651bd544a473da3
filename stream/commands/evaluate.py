"""`valuedrift evaluate`."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from stream.commands.options import common_options

if TYPE_CHECKING:
    from export.evaluate import EvaluateOptions
    from export.report import Report
    from export.tables import Table
    from stream.report.evaluation import Reading

EVALUATION = "evaluation.json"


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
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help=f"Folder for report.html and {EVALUATION}."
)
@click.option("--show-texts", is_flag=True, help="Put prompt and response of the worst rows into report.html.")
@click.option(
    "--unseen-sources",
    is_flag=True,
    help="Also measure what a source costs that training never saw, with a plain model on MiniLM's embeddings (PyTorch; minutes).",
)
@common_options
def evaluate(
    *,
    data: Path,
    bundle: Path | None,
    part: Literal["test", "all"],
    out: Path | None,
    show_texts: bool,
    unseen_sources: bool,
    config: Path | None,
) -> None:
    """Measure a bundle on labelled rows: each label, confusion, calibration, entropy, and part by part.

    Rows are split by request: `test` are those of requests that training left out, alone or inside a longer prompt.
    """
    from export import tables
    from export.evaluate import EvaluateOptions
    from export.evaluate import evaluate as run
    from models.bundle import DEFAULT_BUNDLE
    from stream.commands.progress import stages
    from stream.config import load as load_settings
    from stream.output import REPORT, output_folder

    if show_texts and out is None:
        raise click.UsageError("--show-texts puts texts into report.html: name its folder with --out")
    settings = load_settings(config).classifier
    options = EvaluateOptions(bundle=bundle or settings.bundle or DEFAULT_BUNDLE, data=data, part=part)
    with ExitStack() as stack:
        folder = None if out is None else stack.enter_context(output_folder(out))
        with stages() as progress:
            report = run(options, lambda done, rows: progress("rows", done, rows, ""))
            if unseen_sources:
                report = _with_unseen_sources(report, options, progress)
        if folder is not None:
            _write(report, folder, _readings(report, options) if show_texts else [])
    shown = (tables.headline(report), tables.labels(report), tables.confusion(report), tables.entropies(report))
    _print([*shown, *tables.unseen(report)])
    for note in tables.notes(report):
        click.echo(note)
    if out is not None:
        click.echo(f"report: {out / REPORT} (also by source, model, length, script; reliability; the rows to read)")


def _with_unseen_sources(
    report: "Report", options: "EvaluateOptions", progress: Callable[[str, int, int, str], None]
) -> "Report":
    import msgspec

    from stream.commands.needs import export_extra

    with export_extra():
        from export.unseen import unseen_sources
    return msgspec.structs.replace(report, unseen_sources=unseen_sources(options, progress))


def _readings(report: "Report", options: "EvaluateOptions") -> "list[Reading]":
    from export.evaluate import labelled_rows, texts_of
    from stream.report.evaluation import Reading

    texts = texts_of(report.worst, labelled_rows(options))
    return [
        Reading(
            place=one.place,
            true=one.true,
            predicted=one.predicted,
            prompt=texts[one.place][0],
            response=texts[one.place][1],
        )
        for one in report.worst
    ]


def _write(report: "Report", folder: Path, readings: "list[Reading]") -> None:
    """Writes the page and the figures; texts go into the page only."""
    import msgspec

    from export import tables
    from export.report import EVERYTHING
    from stream.output import REPORT
    from stream.report.evaluation import Page, render

    everything = report.headline[EVERYTHING]
    rows = {"test": "labelled rows of requests that training left out", "all": "labelled rows, trained on or not"}
    page = Page(
        bundle=report.bundle,
        lead=f"{everything.rows:,} {rows[report.part]}; {everything.prompts:,} requests.",
        notes=tables.notes(report),
        tables=tables.every(report),
        bins=everything.calibration.bins,
        readings=readings,
    )
    (folder / REPORT).write_text(render(page), encoding="utf-8")
    (folder / EVALUATION).write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")


def _print(shown: "Iterable[Table]") -> None:
    from rich.console import Console
    from rich.table import Column, Table

    console = Console()
    if not console.is_terminal:
        console.width = 200  # in a pipe there is no window to fit into, and what is wrapped cannot be searched for
    for one in shown:
        first, *others = one.header
        columns = [Column(first), *(Column(name, justify="right") for name in others)]
        table = Table(*columns, title=one.heading, title_justify="left", box=None, padding=(0, 2, 0, 0))
        for row in one.rows:
            table.add_row(*row)
        console.print(table, markup=False)
        console.print()
