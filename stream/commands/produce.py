"""`valuedrift produce`."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream.commands.options import FILE, kafka_options, map_option, one_format
from stream.formats.recognise import FORMATS

if TYPE_CHECKING:
    from stream.core.records import SourceRecord
    from stream.files import LogFiles
    from stream.formats.mapped import FieldMap
    from stream.kafka.produce import Tally


class _Rate(click.ParamType):
    name = "N/s"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return float(value.removesuffix("/s"))
        except ValueError:
            self.fail(f"{value!r} is no rate; write lines a second, for example 100/s", param, ctx)


@click.command()
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--topic", metavar="T", help="Topic to send to; the input topic of the settings by default.")
@click.option("--rate", type=_Rate(), help="Lines a second.")
@click.option(
    "--speed",
    type=float,
    metavar="X",
    help="X times as fast as the lines' own times: 1 is as it happened, 60 a minute a second.",
)
@click.option("--format", type=click.Choice(list(FORMATS)), help="Format of the lines; recognised by default.")
@map_option
@kafka_options
def produce(
    *,
    files: tuple[Path, ...],
    topic: str | None,
    rate: float | None,
    speed: float | None,
    format: str | None,  # noqa: A002 - the option's name
    field_map: "FieldMap | None",
    config: Path | None,
    bootstrap_servers: str | None,
) -> int:
    """Send log FILEs (JSON lines, gzipped or not; - is standard input) to Kafka, line by line, unchanged.

    Rows of CSV, TSV and Parquet files (known by their names) go out as JSON objects. With --map each line or row goes out as a response
    event made of the fields that it names.

    At full speed unless --rate or --speed says otherwise. The key of a record is its monitor (by default the model), so that the order
    of each monitor survives any number of partitions. A line that cannot be read is sent without a key; the worker puts it among the
    dead letters. Kafka's own timestamp is the present: the time of a response travels inside the line.

    Exit status 1 if a line was too large for Kafka; all others are sent.
    """
    one_format(field_map, format)
    from stream.config import load
    from stream.files import LogFiles
    from stream.kafka.produce import Pace, Tally
    from stream.kafka.produce import produce as send

    try:
        pace = Pace(rate=rate, speed=speed)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    settings = load(config, bootstrap_servers=bootstrap_servers)
    topic = topic or settings.kafka.topics.input
    lines, tally, began = LogFiles(files, field_map=field_map), Tally(), time.monotonic()
    try:
        with _progress(lines, tally) as watched:
            send(settings, watched, topic=topic, pace=pace, tally=tally, format=format)
    except BaseException:
        if tally.delivered:
            _report(tally, topic, time.monotonic() - began)
        raise
    _report(tally, topic, time.monotonic() - began)
    return 1 if tally.too_large else 0


def _report(tally: "Tally", topic: str, seconds: float) -> None:
    click.echo(
        f"sent {tally.delivered:,} records to {topic} in {seconds:.1f} s ({tally.delivered / max(seconds, 1e-9):,.0f}/s)"
    )
    if tally.unkeyed:
        click.echo(
            f"{tally.unkeyed:,} of them cannot be read and went without a key; the worker will dead-letter them",
            err=True,
        )
    if tally.too_large:
        click.echo(f"{tally.too_large:,} lines were too large for the topic and were not sent", err=True)


@contextmanager
def _progress(lines: "LogFiles", tally: "Tally") -> "Iterator[Iterator[SourceRecord]]":
    """The lines, with bar, rate and time left on a terminal; nothing in a pipe."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield iter(lines)
        return
    columns = (
        TextColumn("sending"),
        BarColumn(),
        TextColumn("{task.fields[sent]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=lines.size, sent="")
        began = time.monotonic()

        def watched() -> "Iterator[SourceRecord]":
            shown = began
            for line in lines:
                now = time.monotonic()
                if now - shown > 0.1:
                    shown = now
                    rate = tally.delivered / (now - began)
                    progress.update(task, completed=lines.position, sent=f"{tally.delivered:,} sent, {rate:,.0f}/s")
                yield line

        yield watched()
