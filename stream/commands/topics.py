"""`valuedrift topics create` and `valuedrift topics show`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream.commands.options import kafka_options

if TYPE_CHECKING:
    from stream.kafka.topics import TopicStatus


@click.group()
def topics() -> None:
    """Create the topics, or show what differs from the settings.

    Names, partitions and retention come from [kafka] of the settings: `valuedrift config` prints them.
    """


@topics.command()
@kafka_options
def create(config: Path | None, bootstrap_servers: str | None) -> None:
    """Create the topics that are missing; those that exist are left exactly as they are.

    Running it again is harmless. To change an existing topic, use Kafka's own tools (kafka-configs, kafka-topics).
    """
    from stream.config import load
    from stream.kafka.topics import create_missing, describe

    settings = load(config, bootstrap_servers=bootstrap_servers).kafka
    created = create_missing(settings)
    click.echo(f"created {', '.join(created)}" if created else "nothing to create: all topics exist")
    differing = [status.wanted.name for status in describe(settings) if not status.ok]
    if differing:
        click.echo(
            f"not as the settings say: {', '.join(differing)}; `valuedrift topics show` says what differs", err=True
        )


@topics.command()
@kafka_options
def show(config: Path | None, bootstrap_servers: str | None) -> int:
    """Show the topics, and what differs from the settings.

    Exit status 1 if a topic is missing or differs, so that a deployment can check it.
    """
    from stream.config import load
    from stream.kafka.topics import describe

    settings = load(config, bootstrap_servers=bootstrap_servers).kafka
    statuses = describe(settings)
    _print_table(statuses)
    if any(status.found is None for status in statuses):
        click.echo("`valuedrift topics create` makes what is missing", err=True)
    return 0 if all(status.ok for status in statuses) else 1


def _print_table(statuses: "tuple[TopicStatus, ...]") -> None:
    from rich.console import Console
    from rich.table import Column, Table

    fixed = [Column(header, no_wrap=True) for header in ("topic", "role", "partitions", "replicas", "kept", "largest")]
    table = Table(*fixed, "state", box=None, padding=(0, 1, 0, 0))
    for status in statuses:
        topic = status.found or status.wanted
        state = "missing" if status.found is None else "\n".join(status.differences) or "ok"
        table.add_row(
            topic.name,
            topic.role,
            str(topic.partitions),
            str(topic.replicas),
            _duration(topic.retention_ms),
            f"{topic.max_message_bytes / 2**20:g} MiB",
            state,
            style=None if status.ok else "yellow",
        )
    console = Console()
    if not console.is_terminal:
        console.width = 200  # in a pipe there is no window to fit into, and what is wrapped cannot be searched for
    console.print(table)


def _duration(milliseconds: int) -> str:
    return "for ever" if milliseconds < 0 else f"{milliseconds / 86_400_000:g} days"
