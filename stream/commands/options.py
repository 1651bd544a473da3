"""Options that several commands share, spelt and explained the same everywhere."""

import functools
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from stream.interrupts import interrupts_held

if TYPE_CHECKING:
    from stream.formats.mapped import FieldMap

P = ParamSpec("P")
R = TypeVar("R")

FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
"""A file to read or write; `-` is standard input or output."""


class _Instant(click.ParamType):
    name = "TIME"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from stream.times import parse

        try:
            return parse(value)
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


INSTANT = _Instant()
"""An RFC 3339 time, as microseconds since the epoch."""


def debug_option(command: Callable[P, R]) -> Callable[P, R]:
    """Adds `--debug`, for a command that reads no settings."""
    return click.option(
        "--debug", is_flag=True, expose_value=False, callback=_remember_debug, help="Show the traceback of an error."
    )(command)


def common_options(command: Callable[P, R]) -> Callable[P, R]:
    """Adds `--config FILE` and `--debug`, as every command has them; they arrive as `config` and (in the context) debug."""

    @functools.wraps(command)
    def with_settings(*args: P.args, **kwargs: P.kwargs) -> R:
        with interrupts_held():  # pydantic, which builds its models here, makes another error of Ctrl-C, or none
            importlib.import_module("stream.config")
        return command(*args, **kwargs)

    with_config = click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Settings (TOML); ./valuedrift.toml if it exists.",
    )(with_settings)
    return debug_option(with_config)


def kafka_options(command: Callable[P, R]) -> Callable[P, R]:
    """Adds `--bootstrap-servers HOST:PORT[,…]`, `--config` and `--debug`, as every command that talks to Kafka has them."""
    return common_options(
        click.option(
            "--bootstrap-servers", metavar="HOST:PORT[,…]", help="Kafka to use; overrides [kafka] bootstrap_servers."
        )(command)
    )


def map_option(command: Callable[P, R]) -> Callable[P, R]:
    """Adds `--map FIELD=NAME,…`, which may be repeated; it arrives as `field_map`, a FieldMap or None."""
    return click.option(
        "--map",
        "field_map",
        multiple=True,
        metavar="FIELD=NAME,…",
        callback=_parse_map,
        help="Where fields of a response come from: prompt=question,response=answer,ts=time,model=:gpt-4 (: begins a constant).",
    )(command)


def log_option(command: Callable[P, R]) -> Callable[P, R]:
    """Adds `--log-format text|json`, for a command that runs for long; it arrives as `log_format`."""
    return click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="How log lines are written on standard error; json is one object a line.",
    )(command)


def one_format(field_map: "FieldMap | None", form: str | None) -> None:
    """Refuses `--map` together with `--format`: what a map makes is of one format, ValueDrift's own."""
    if field_map and form:
        raise click.UsageError("--map says how the rows are read, --format too: choose one")


def _parse_map(_context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> "FieldMap | None":
    from stream.formats.mapped import FieldMap

    try:
        return FieldMap.parse(",".join(values)) if values else None
    except ValueError as error:
        raise click.BadParameter(str(error), param=parameter) from None


def _remember_debug(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.find_root().obj["debug"] = True
