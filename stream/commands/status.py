"""`valuedrift status`."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream.commands.options import kafka_options

if TYPE_CHECKING:
    from stream.config import Settings
    from stream.health import MonitorRow
    from stream.kafka.groups import GroupRow


@click.command()
@click.option(
    "--url", "urls", multiple=True, metavar="URL", help="Health address of a worker to ask as well; may be repeated."
)
@click.option("--monitors", is_flag=True, help="List the monitors of those workers one by one.")
@kafka_options
def status(*, urls: tuple[str, ...], monitors: bool, config: Path | None, bootstrap_servers: str | None) -> int:
    """Show consumer groups with members, lag and last output; of workers asked by --url also last commit, monitors and state.

    The groups are read from Kafka alone, so this works from any machine. A worker prints its health address when it starts.

    Exit status 1 if records wait for a group without members, or a worker is not ready.
    """
    if monitors and not urls:
        raise click.UsageError("--monitors asks a worker: name its health address with --url")
    from stream.config import load

    settings = load(config, bootstrap_servers=bootstrap_servers)
    groups = _groups(settings)
    _print_groups(groups)
    well = all(group.members or not group.lag for group in groups)
    for url in urls:
        well = _print_worker(url.rstrip("/"), monitors=monitors) and well
    return 0 if well else 1


def _groups(settings: "Settings") -> "tuple[GroupRow, ...]":
    from stream.kafka.groups import Wanted, groups_like, look_at

    topics, app = settings.kafka.topics, settings.worker.app_id
    notify = groups_like(settings.kafka, f"{settings.notify.group}.")
    return look_at(
        settings.kafka,
        [
            Wanted(group=f"{app}-classify", topic=topics.input, output=topics.scored),
            Wanted(group=f"{app}-detect", topic=topics.scored, output=topics.drift),
            *(Wanted(group=name, topic=topics.alerts) for name in notify),
        ],
    )


def _print_groups(groups: "Sequence[GroupRow]") -> None:
    from stream.commands.tabular import print_table
    from stream.wording import instant

    print_table(
        ("group", "reads", "state", "members", "lag", "last output"),
        [
            (
                group.group,
                group.topic,
                group.state,
                str(group.members),
                f"{group.lag:,}",
                "" if group.last_output is None else instant(group.last_output),
            )
            for group in groups
        ],
    )
    for group in groups:
        if group.lag and not group.members:
            click.echo(f"{group.lag:,} records wait for {group.group}, and nobody reads them: start it", err=True)


def _print_worker(url: str, *, monitors: bool) -> bool:
    """Prints what the worker says; returns whether it is ready."""
    from stream.asking import ask
    from stream.health import MonitorRow, Status
    from stream.naming import visible

    said = ask(f"{url}/status", Status)
    state = said.failure or said.unready or said.stuck or "ready"
    click.echo(f"\n{url}  valuedrift {visible(said.version)}: {visible(state)}")
    for stage in said.stages:
        committed = f"last commit {visible(stage.last_commit)}" if stage.last_commit else "nothing committed yet"
        click.echo(f"  {visible(stage.name)}: {stage.lag:,} records wait, {committed}")
    rows = ask(f"{url}/monitors", list[MonitorRow])
    states = ", ".join(f"{n:,} {visible(state)}" for state, n in Counter(row.state for row in rows).most_common())
    click.echo(f"  monitors: {len(rows):,}{f' ({states})' if states else ''}")
    if monitors:
        _print_monitors(rows)
    return state == "ready"


def _print_monitors(rows: "Sequence[MonitorRow]") -> None:
    from stream.commands.tabular import print_table
    from stream.naming import visible

    print_table(
        ("monitor", "state", "responses", "last", "entropy"),
        [
            (visible(row.name), visible(row.state), f"{row.seq + 1:,}", visible(row.ts), f"{row.entropy:.4f}")
            for row in sorted(rows, key=lambda row: (row.state != "firing", row.name))
        ],
    )
