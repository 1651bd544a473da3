"""Options that several commands share, spelt and explained the same everywhere."""

from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

P = ParamSpec("P")
R = TypeVar("R")

FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
"""A file to read or write; `-` is standard input or output."""


def debug_option(command: Callable[P, R]) -> Callable[P, R]:
    """Adds `--debug`, for a command that reads no settings."""
    return click.option(
        "--debug", is_flag=True, expose_value=False, callback=_remember_debug, help="Show the traceback of an error."
    )(command)


def common_options(command: Callable[P, R]) -> Callable[P, R]:
    """Adds `--config FILE` and `--debug`, as every command has them; they arrive as `config` and (in the context) debug."""
    command = click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Settings (TOML); ./valuedrift.toml if it exists.",
    )(command)
    return debug_option(command)


def kafka_options(command: Callable[P, R]) -> Callable[P, R]:
    """Adds `--bootstrap-servers HOST:PORT[,…]`, `--config` and `--debug`, as every command that talks to Kafka has them."""
    return common_options(
        click.option(
            "--bootstrap-servers", metavar="HOST:PORT[,…]", help="Kafka to use; overrides [kafka] bootstrap_servers."
        )(command)
    )


def _remember_debug(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.find_root().obj["debug"] = True
