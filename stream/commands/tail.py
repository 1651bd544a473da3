"""`valuedrift tail`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream.commands.options import kafka_options, log_option, map_option, one_format
from stream.formats.recognise import FORMATS

if TYPE_CHECKING:
    from stream.formats.mapped import FieldMap
    from stream.logs import Form
    from stream.tail import Tally


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--topic", metavar="T", help="Topic to send to; the input topic of the settings by default.")
@click.option("--pattern", default="*.jsonl", show_default=True, help="In a folder: names of the files to follow.")
@click.option("--from-end", is_flag=True, help="At the first start leave out what is in the files already.")
@click.option(
    "--journal",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to note how far it got; by default a file of its own below ~/.local/state/valuedrift.",
)
@click.option("--format", type=click.Choice(list(FORMATS)), help="Format of the lines; recognised by default.")
@map_option
@log_option
@kafka_options
def tail(
    *,
    path: Path,
    topic: str | None,
    pattern: str,
    from_end: bool,
    journal: Path | None,
    format: str | None,  # noqa: A002 - the option's name
    field_map: "FieldMap | None",
    config: Path | None,
    bootstrap_servers: str | None,
    log_format: "Form",
) -> None:
    """Follow PATH, a growing file of JSON lines or a folder of them, and send each completed line to Kafka once.

    Files are known by what they are, not by their names: one that is renamed is read to its end, and its successor from its
    beginning. What was sent is noted after Kafka has acknowledged it, so that a restart, even after a crash, neither loses nor
    repeats a line. If Kafka goes away, it waits. Rotate by renaming (logrotate's create): copytruncate loses what is written while
    it copies. Runs until Ctrl-C or SIGTERM.
    """
    one_format(field_map, format)
    import hashlib
    import threading

    from stream import logs
    from stream.config import load
    from stream.environment import state_folder
    from stream.errors import InputError
    from stream.interrupts import set_on_signals
    from stream.kafka.presence import watched
    from stream.tail import Order, Tally
    from stream.tail import tail as follow

    settings = load(config, bootstrap_servers=bootstrap_servers)
    topic = topic or settings.kafka.topics.input
    path = path.absolute()
    if not path.parent.is_dir():
        raise InputError(
            f"there is no folder {path.parent}; name a file in an existing folder (the file may come later)"
        )
    digest = hashlib.sha256(f"{path}\n{settings.kafka.bootstrap_servers}\n{topic}".encode()).hexdigest()[:16]
    order = Order(
        path=path,
        topic=topic,
        journal=journal or state_folder() / f"tail-{digest}.json",
        pattern=pattern,
        from_end=from_end,
        form=format,
        field_map=field_map,
    )
    logs.set_up(debug=bool(click.get_current_context().find_root().obj["debug"]), form=log_format)
    stop, tally = threading.Event(), Tally()
    set_on_signals(stop)
    click.echo(f"following {path} into {topic}; the journal is {order.journal}", err=True)
    with watched(settings.kafka, meanwhile="lines wait in their files, none is lost"):
        follow(settings, order, stop=stop, tally=tally)
    _report(tally, topic)


def _report(tally: "Tally", topic: str) -> None:
    click.echo(f"sent {tally.delivered:,} records to {topic}")
    for count, what in (
        (tally.unkeyed, "of them cannot be read and went without a key; the worker will dead-letter them"),
        (tally.too_large, "lines were too large for the topic and were not sent"),
        (tally.known, "lines had been sent before a crash and were not sent again"),
    ):
        if count:
            click.echo(f"{count:,} {what}", err=True)
