"""`valuedrift baseline`: see, compare, accept and learn what monitors take for normal."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream.commands.options import FILE, INSTANT, kafka_options

if TYPE_CHECKING:
    from rich.table import Table

    from stream.config import Settings
    from stream.core.taxonomy import Taxonomy


@click.group()
def baseline() -> None:
    """See and change what monitors take for normal.

    Each monitor learns its reference from its first responses and lets un-alarmed ones join it. `show` and `diff` read the topic of drift
    events, which is as fresh as the monitor's last stride.
    """


@baseline.command()
@click.argument("monitor")
@click.option(
    "--learn",
    type=click.Choice(["window", "next"]),
    default="window",
    show_default=True,
    help="Make the reference of the window of responses before, or of the next ones ([reference] learn_from).",
)
@kafka_options
def accept(*, monitor: str, learn: str, config: Path | None, bootstrap_servers: str | None) -> None:
    """Accept the present level of MONITOR as the new normal.

    Its open alerts of drift and of the traffic mix resolve with the reason "accepted". The new reference is the last window of
    responses, of these only the ones since the onset while an alert is open; where that are fewer than 100, or they are not at rest,
    it is learned from the next responses instead, and the monitor judges nothing meanwhile.

    The order is a record of the scored topic, so a replay of that topic obeys it in the same place. It waits for no worker.
    """
    from stream.config import load
    from stream.core.control import Learn
    from stream.interrupts import interrupts_held
    from stream.kafka.baselines import last_drift_events, send_accept

    settings = load(config, bootstrap_servers=bootstrap_servers).kafka
    event = last_drift_events(settings, monitor)[monitor]
    with interrupts_held():  # what was sent is told
        order = send_accept(settings, monitor, Learn(learn))
        click.echo(
            f"accepted for {monitor}, last heard of at response {event.seq:,} ({event.state}): {order.source.topic}, partition "
            f"{order.source.partition}, offset {order.offset}"
        )
    click.echo("`valuedrift baseline show` has the new reference once a worker has read that")


@baseline.command()
@click.argument("monitor", required=False)
@kafka_options
def show(*, monitor: str | None, config: Path | None, bootstrap_servers: str | None) -> None:
    """Show the reference of MONITOR, or of every monitor: where it is from, how large and old, and each behaviour's share of it.

    For one MONITOR also the smallest rise of each unwanted behaviour that is found soon (`valuedrift power` simulates it).
    """
    from stream.kafka.baselines import last_drift_events
    from stream.report.baselines import overview
    from stream.report.visible import sees

    settings, taxonomy = _settings(config, bootstrap_servers)
    events = last_drift_events(settings.kafka, monitor)
    _print(overview(events.values(), taxonomy))
    if monitor is not None and events[monitor].reference.since is not None:
        click.echo(sees(events[monitor].reference.counts, settings.engine(taxonomy)))


@baseline.command()
@click.argument("monitor")
@kafka_options
def diff(*, monitor: str, config: Path | None, bootstrap_servers: str | None) -> None:
    """Compare the reference of MONITOR with its present window, behaviour by behaviour and as its rules see it.

    "part" is each behaviour's part of the difference in what the drift rule watches. p is that of an exact test of the window against
    the reference in one stream, which a person may read but no rule does: rules judge all responses since any onset.
    """
    from stream.kafka.baselines import last_drift_events
    from stream.report.baselines import difference, streams, verdict

    settings, taxonomy = _settings(config, bootstrap_servers)
    event = last_drift_events(settings.kafka, monitor)[monitor]
    engine = settings.engine(taxonomy)
    _print(difference(event, engine))
    _print(streams(event, engine))
    click.echo(verdict(event))


@baseline.command()
@click.argument("files", nargs=-1, type=FILE)
@click.option("--from-topic", metavar="T", help="Read this topic of scored records instead of files.")
@click.option("--monitor", metavar="NAME", help="Whose responses; needed where the log holds several monitors.")
@click.option("--since", type=INSTANT, help="Responses from this time on (RFC 3339, for example 2026-03-01T12:00:00Z).")
@click.option("--until", type=INSTANT, help="Responses before this time.")
@click.option(
    "--out", required=True, type=FILE, metavar="FILE", help="Where to write the reference (- is standard output)."
)
@kafka_options
def learn(
    *,
    files: tuple[Path, ...],
    from_topic: str | None,
    monitor: str | None,
    since: int | None,
    until: int | None,
    out: Path,
    config: Path | None,
    bootstrap_servers: str | None,
) -> None:
    """Learn a reference from a scored log and write it to a file, for `[reference] file`.

    FILES are labelled rows, such as the scored.jsonl of `valuedrift replay`. All responses of one monitor in the period count; if they
    are not at rest nothing is written, and the message says what moved when.
    """
    if bool(files) == bool(from_topic):
        raise click.UsageError("name either files or --from-topic")
    from stream.codec.baseline import encode_baseline
    from stream.config import ReferenceSettings
    from stream.learning import learn as learn_from
    from stream.learning import records_of, rows_of
    from stream.readers import Period
    from stream.report.visible import sees

    try:
        period = Period(since=since, until=until)
    except ValueError as error:
        raise click.UsageError(f"--{error}") from None
    settings, taxonomy = _settings(config, bootstrap_servers)
    # Rules only: a file that is set may be the one to be written.
    engine = settings.model_copy(update={"reference": ReferenceSettings()}).engine(taxonomy)
    log = records_of(settings.kafka, from_topic, taxonomy) if from_topic else rows_of(files, taxonomy)
    found = learn_from(log, taxonomy, monitor=monitor, period=period, watch=settings.rules.drift.watch)
    _write(out, encode_baseline(found))
    click.echo(f"learned from {sum(found.counts):,} responses of {found.monitor}: {out}", err=True)
    click.echo(sees(found.counts, engine), err=True)


def _settings(config: Path | None, bootstrap_servers: str | None) -> "tuple[Settings, Taxonomy]":
    """The settings, and the behaviours of the bundle that is set, from its manifest alone."""
    from models.bundle import DEFAULT_BUNDLE, load_manifest
    from stream.config import load
    from stream.pipeline import taxonomy_of

    settings = load(config, bootstrap_servers=bootstrap_servers)
    return settings, taxonomy_of(load_manifest(settings.classifier.bundle or DEFAULT_BUNDLE))


def _write(out: Path, content: bytes) -> None:
    from stream.errors import OutputError

    try:
        with click.open_file(str(out), "wb", atomic=str(out) != "-") as file:
            file.write(content)
    except OSError as error:
        raise OutputError(f"cannot write {out}: {error.strerror}") from None


def _print(table: "Table") -> None:
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console.width = 200  # in a pipe there is no window to fit into, and what is wrapped cannot be searched for
    console.print(table)
