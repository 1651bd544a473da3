"""`valuedrift replay`."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream.commands.options import FILE, INSTANT, kafka_options, map_option, one_format
from stream.formats.recognise import FORMATS

if TYPE_CHECKING:
    from models.classifier import Classifier
    from stream.config import ClassifierSettings
    from stream.formats.mapped import FieldMap
    from stream.replay import Meter
    from stream.report.summary import Summary


_UNITS = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000}
"""Microseconds."""


class _Duration(click.ParamType):
    name = "DURATION"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)", value)
        micros = round(float(match[1]) * _UNITS[match[2]]) if match else 0
        if micros < 1:
            self.fail(f"{value!r} is no duration; write for example 500ms, 1s, 2m or 1h", param, ctx)
        return micros


@click.command()
@click.argument("files", nargs=-1, type=FILE)
@click.option("--from-topic", metavar="T", help="Read this topic instead of files: responses, or scored records.")
@click.option("--since", type=INSTANT, help="From this time on (RFC 3339, for example 2026-03-01T12:00:00Z).")
@click.option("--until", type=INSTANT, help="Before this time.")
@click.option("--scored", is_flag=True, help="The files hold labelled rows (ts, category, monitor or model).")
@click.option("--every", type=_Duration(), help="Give responses without a time one, so far apart (for example 1s).")
@click.option("--format", type=click.Choice(list(FORMATS)), help="Format of the lines; recognised by default.")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for the results; an earlier run's files in it are replaced.",
)
@map_option
@kafka_options
def replay(
    *,
    files: tuple[Path, ...],
    from_topic: str | None,
    since: int | None,
    until: int | None,
    scored: bool,
    every: int | None,
    format: str | None,  # noqa: A002 - the option's name
    field_map: "FieldMap | None",
    out: Path,
    config: Path | None,
    bootstrap_servers: str | None,
) -> None:
    """Run history through the same pipeline as the worker's, paging nobody.

    Reads log FILEs (JSON lines, CSV, TSV, Parquet; - is standard input) or a topic, and writes into DIR: scored.jsonl (one response a
    line), drift.jsonl, alerts.jsonl, deadletter.jsonl, summary.json, report.html and trajectory.png. They appear when all of
    them are complete. The drift events and alerts are those that the worker sends for the same input, but for the alerts'
    flag "replay".

    --since and --until go by the time of each response in files, and by Kafka's timestamp (when a record was produced) in topics.
    With --scored, and from a topic of scored records, nothing is classified and no model is loaded.
    """
    if bool(files) == bool(from_topic):
        raise click.UsageError("name either files or --from-topic")
    if from_topic and every:
        raise click.UsageError("--every is for files: in a topic every record has a time")
    if scored and format:
        raise click.UsageError("--format is for responses, --scored for labelled rows: choose one")
    one_format(field_map, format)
    if field_map and (scored or from_topic):
        raise click.UsageError("--map is for files of responses")
    from stream.config import load
    from stream.output import REPORT, output_folder
    from stream.readers import Period
    from stream.replay import Plan
    from stream.replay import replay as run
    from stream.report.results import complete

    try:
        period = Period(since=since, until=until)
    except ValueError as error:
        raise click.UsageError(f"--{error}") from None
    plan = Plan(
        files=files, topic=from_topic, scored=scored, period=period, every=every, form=format, field_map=field_map
    )
    settings = load(config, bootstrap_servers=bootstrap_servers)
    began = time.monotonic()
    with output_folder(out) as folder:
        with _progress() as meter:
            summary = run(plan, settings, folder, load=lambda: _load(settings.classifier), meter=meter)
        seconds = time.monotonic() - began
        with _drawing():
            complete(folder, summary)
    _report(summary, seconds, out / REPORT)


def _load(chosen: "ClassifierSettings") -> "Classifier":
    from models.bundle import DEFAULT_BUNDLE
    from models.onnx_t5 import load

    return load(chosen.bundle or DEFAULT_BUNDLE, device=chosen.device, threads=chosen.threads)


def _silent(responses: int, *, done: int, total: int | None) -> None:
    """Shows nothing: a pipe has no use for progress."""


def _report(summary: "Summary", seconds: float, page: Path) -> None:
    dead = sum(summary.dead_letters.values())
    click.echo(
        f"replayed {_many(summary.responses, 'response')} of {_many(len(summary.monitors), 'monitor')} in {seconds:.1f} s "
        f"({summary.responses / max(seconds, 1e-9):,.0f}/s): {_many(summary.alerts_fired, 'alert')}, "
        f"{_many(dead, 'dead letter')}. Report: {page}"
    )


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


@contextmanager
def _drawing() -> Iterator[None]:
    """Says on a terminal that the rest takes a moment."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status("drawing the report …"):
        yield


@contextmanager
def _progress() -> "Iterator[Meter]":
    """Rows, rate and time left on a terminal; nothing in a pipe."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _silent
        return
    columns = (
        TextColumn("replaying"),
        BarColumn(),
        TextColumn("{task.fields[counted]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None, counted="loading")
        began = time.monotonic()

        def meter(responses: int, *, done: int, total: int | None) -> None:
            rate = responses / (time.monotonic() - began + 1e-9)
            progress.update(task, completed=done, total=total, counted=f"{responses:,} responses, {rate:,.0f}/s")

        yield meter
