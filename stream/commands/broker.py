"""`valuedrift broker`."""

import sys
from pathlib import Path

import click

from stream.commands.options import debug_option


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=9092,
    show_default=True,
    help="Port on 127.0.0.1; 0 takes a free one.",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep messages here, and find them again at the next start. Without it they are gone at the end.",
)
@debug_option
def broker(port: int, data_dir: Path | None) -> None:
    """Run a real Apache Kafka (KRaft, one node) on this machine, without Docker.

    It listens on 127.0.0.1 only, says when it is ready, and runs until Ctrl-C or SIGTERM. The first start downloads
    Kafka (44 MB) into the user's cache folder; Java comes with ValueDrift.
    """
    from stream.kafka.broker import LocalBroker

    if sys.stderr.isatty():
        click.echo("starting Kafka …", err=True)
    with LocalBroker(port=port, data=data_dir) as running:
        where = f"data in {data_dir}" if data_dir else "data is gone when it stops"
        try:
            click.echo(f"Kafka is ready on {running.bootstrap_servers} ({where}). Ctrl-C stops it.")
            running.wait()
        except KeyboardInterrupt:
            click.echo("stopping Kafka …", err=True)
