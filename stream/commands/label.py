"""`valuedrift label`."""

import shlex
import shutil
import sys
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream.commands.options import FILE, INSTANT, common_options, debug_option, kafka_options, map_option, one_format
from stream.formats.recognise import FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream.config import Settings
    from stream.core.taxonomy import Taxonomy
    from stream.formats.mapped import FieldMap
    from stream.labelling.folder import Labels
    from stream.labelling.predictions import Predictions
    from stream.readers import Period

_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)


@click.group()
def label() -> None:
    """Label some of your own responses, and correct shares and entropy by them.

    \b
    1. pick      draws the rows that are worth a label
    2. ask       takes the labels in a terminal,
       read      or from the sheet that pick --sheet wrote
    3. estimate  says what the shares and the entropy are, with and without correction

    Texts stay in the folder on this machine.
    """


@label.command(short_help="Draw the rows that are worth a label.")
@click.argument("logs", nargs=-1, required=True, type=FILE)
@click.option(
    "--predictions",
    multiple=True,
    type=FILE,
    help="What the classifier said: scored.jsonl of a replay, or the output of classify. May be repeated.",
)
@click.option("--from-topic", metavar="T", help="The same from a scored topic instead.")
@click.option("-n", "budget", default=200, show_default=True, type=click.IntRange(min=1), help="Rows to label.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Seed of the draw.")
@click.option("--monitor", metavar="NAME", help="The monitor to look at, where there are several.")
@click.option(
    "--since", type=INSTANT, help="From this time on: of the response in files, of Kafka's record in a topic."
)
@click.option("--until", type=INSTANT, help="Before this time.")
@click.option("--sheet", is_flag=True, help="Write sheet.csv too, to label in a spreadsheet.")
@click.option("--format", type=click.Choice(list(FORMATS)), help="Format of the logs; recognised by default.")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder for the sample.")
@map_option
@kafka_options
def pick(
    *,
    logs: tuple[Path, ...],
    predictions: tuple[Path, ...],
    from_topic: str | None,
    budget: int,
    seed: int,
    monitor: str | None,
    since: int | None,
    until: int | None,
    sheet: bool,
    format: str | None,  # noqa: A002 - the option's name
    out: Path,
    field_map: "FieldMap | None",
    config: Path | None,
    bootstrap_servers: str | None,
) -> None:
    """Draw the rows that are worth a label, joining what the classifier said with the texts in your LOGS by event_id.

    Rows are drawn at random within strata of predicted behaviour and confidence, more where errors count more. The same inputs and seed
    give the same rows. Nothing is sent anywhere: the folder holds the texts, readable by you alone.
    """
    if bool(predictions) == bool(from_topic):
        raise click.UsageError("name either --predictions or --from-topic")
    one_format(field_map, format)
    from stream.config import load
    from stream.errors import OutputError
    from stream.labelling import folder
    from stream.labelling import sheet as sheets
    from stream.labelling.drawing import draw
    from stream.labelling.texts import ResponseLog
    from stream.output import output_folder
    from stream.readers import Period

    try:
        period = Period(since=since, until=until)
    except ValueError as error:
        raise click.UsageError(f"--{error}") from None
    if (out / folder.LABELS).exists():
        raise OutputError(f"{out} holds labels that people gave; choose another folder with --out")
    settings = load(config, bootstrap_servers=bootstrap_servers)
    taxonomy = _taxonomy(settings)
    log = ResponseLog(paths=logs, form=format, field_map=field_map)
    with _busy("reading what the classifier said, then the logs …"):
        said = _predictions(settings, taxonomy, predictions, from_topic, period).only(monitor)
        design, rows = draw(said, log, taxonomy, budget=budget, seed=seed)
    with output_folder(out) as staging:
        folder.write_sample(staging, design, rows)
        if sheet:
            folder.write(staging / folder.SHEET, sheets.write(rows))
    click.echo(f"picked {len(rows):,} of {design.responses:,} responses in {len(design.strata)} strata: {out}")
    if design.without_text:
        click.echo(
            f"{design.without_text:,} more scored responses have no text in these logs: no estimate will speak of them",
            err=True,
        )
    name = shlex.quote(str(out))
    click.echo(f"next: fill in {out / folder.SHEET}, then" if sheet else "next:")
    click.echo(f"  valuedrift label {'read' if sheet else 'ask'} {name}")


@label.command(short_help="Take labels in the terminal, one key each.")
@click.argument("folder", type=_FOLDER)
@debug_option
def ask(folder: Path) -> None:
    """Take labels in the terminal, one key each; stop and go on as you like.

    The classifier's own label is not shown, so that it cannot sway you. Every answer is saved at once.
    """
    from stream.labelling import folder as folders
    from stream.labelling.asking import QUIT, Terminal
    from stream.labelling.asking import ask as run
    from stream.labelling.keyboard import keys

    if not sys.stdin.isatty():
        raise click.UsageError(
            "ask needs a terminal; elsewhere, use the sheet that `valuedrift label pick --sheet` writes"
        )

    def show(page: str) -> None:
        click.clear()
        click.echo(page)

    design, rows = folders.load_design(folder), folders.load_rows(folder)
    with keys(at_end=QUIT) as read_key:
        labels = run(
            rows,
            folders.load_labels(folder, design.categories),
            design.categories,
            terminal=Terminal(read_key=read_key, show=show, width=shutil.get_terminal_size().columns),
            save=lambda so_far: folders.save_labels(folder, so_far),
        )
    _say_progress(folder, len(rows), labels)


@label.command(short_help="Take labels over from a filled-in sheet.")
@click.argument("folder", type=_FOLDER)
@click.argument("sheet", required=False, type=click.Path(path_type=Path, dir_okay=False))
@debug_option
def read(folder: Path, sheet: Path | None) -> None:
    """Take the labels over that stand in SHEET (sheet.csv in FOLDER by default).

    A label is a behaviour's name, its number 1 to 5, or `skip`; empty cells leave a row as it is. One wrong label,
    and nothing is taken over.
    """
    from stream.labelling import folder as folders
    from stream.labelling.sheet import read as run

    design, rows = folders.load_design(folder), folders.load_rows(folder)
    labels = folders.load_labels(folder, design.categories)
    labels |= run(sheet or folder / folders.SHEET, rows, design.categories)
    folders.save_labels(folder, labels)
    _say_progress(folder, len(rows), labels)


@label.command(short_help="Print shares and entropy, as counted and corrected.")
@click.argument("folder", type=_FOLDER)
@click.option(
    "--bundle", type=click.Path(path_type=Path, file_okay=False), help="Bundle that labelled; else the settings'."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@common_options
def estimate(folder: Path, bundle: Path | None, as_json: bool, config: Path | None) -> None:
    """Print the shares of the behaviours and the entropy, as counted and corrected, each with its 95 % interval.

    Corrected by people's labels (needs one in each stratum), by the classifier's confusion on held-out rows, and by the mean of its
    probabilities. Trust them in this order: docs/labelling.md says why.
    """
    from models.bundle import DEFAULT_BUNDLE
    from stream.config import load
    from stream.labelling import estimating
    from stream.labelling import folder as folders
    from stream.labelling.evidence import load_evidence
    from stream.labelling.table import PIPE_WIDTH, TITLES, as_table

    design = folders.load_design(folder)
    chosen = bundle or load(config).classifier.bundle or DEFAULT_BUNDLE
    evidence = (
        load_evidence(chosen, design.classifier)
        if design.classifier or bundle
        else "the rows do not say which bundle labelled them: name it with --bundle"
    )
    labels = folders.load_labels(folder, design.categories)
    made = estimating.estimate(design, folders.load_rows(folder), labels, evidence)
    if as_json:
        click.echo(estimating.as_json(design, made), nl=False)
    else:
        click.echo(as_table(design, made, width=None if sys.stdout.isatty() else PIPE_WIDTH))
        for method, reason in made.left_out.items():
            click.echo(f"no estimate {TITLES[method]!r}: {reason}", err=True)


def _taxonomy(settings: "Settings") -> "Taxonomy":
    from models.bundle import DEFAULT_BUNDLE, load_manifest
    from stream.pipeline import taxonomy_of

    return taxonomy_of(load_manifest(settings.classifier.bundle or DEFAULT_BUNDLE))


def _predictions(
    settings: "Settings", taxonomy: "Taxonomy", files: tuple[Path, ...], topic: str | None, period: "Period"
) -> "Predictions":
    from stream.files import LogFiles
    from stream.kafka.read import read_topic
    from stream.labelling import predictions

    if topic is None:
        return predictions.read_files(LogFiles(files), taxonomy, period)
    records = read_topic(settings.kafka, topic, since=period.since, until=period.until)
    return predictions.read_topic(records, taxonomy)


@contextmanager
def _busy(words: str) -> "Iterator[None]":
    """Says on a terminal that this takes a moment; nothing in a pipe."""
    from rich.console import Console

    console = Console(stderr=True)
    with console.status(words) if console.is_terminal else nullcontext():
        yield


def _say_progress(folder: Path, rows: int, labels: "Labels") -> None:
    done = sum(each is not None for each in labels.values())
    skipped = f", {len(labels) - done:,} skipped" if len(labels) > done else ""
    click.echo(f"{done:,} of {rows:,} labelled{skipped}. Next:")
    click.echo(f"  valuedrift label estimate {shlex.quote(str(folder))}")
