"""`valuedrift config`."""

from pathlib import Path

import click

from stream.commands.options import kafka_options


@click.command()
@kafka_options
def config(config: Path | None, bootstrap_servers: str | None) -> None:
    """Print the settings in force (defaults, file, environment, command line) as TOML, secrets masked.

    The output is a complete valuedrift.toml to start from.
    """
    from stream.config import load

    click.echo(load(config, bootstrap_servers=bootstrap_servers).toml(), nl=False)
