"""`valuedrift check`."""

import shlex
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream.commands.options import kafka_options, map_option, one_format
from stream.formats.recognise import FORMATS

if TYPE_CHECKING:
    from stream.advice import Advice
    from stream.checking import Findings
    from stream.core.records import Reject, ResponseEvent, SourceRecord
    from stream.formats.mapped import FieldMap
    from stream.formats.missing_time import MissingTime

SHOWN = 60
"""Characters of a text that are shown."""

_SUFFIXES = frozenset({".jsonl", ".ndjson", ".json", ".log", ".txt", ".gz", ".csv", ".tsv", ".parquet"})
"""What ends so is meant as a file, though there is none; a topic's name has dots too."""


@click.command()
@click.argument("source", metavar="FILE|TOPIC")
@click.option("--rows", type=click.IntRange(min=1), default=1000, show_default=True, help="How many to read.")
@click.option("--format", type=click.Choice(list(FORMATS)), help="Format of the rows; recognised by default.")
@map_option
@kafka_options
def check(
    *,
    source: str,
    rows: int,
    format: str | None,  # noqa: A002 - the option's name
    field_map: "FieldMap | None",
    config: Path | None,
    bootstrap_servers: str | None,
) -> int:
    """Say what is in a log FILE (- is standard input) or a Kafka TOPIC, and whether it can be used.

    Reads the first rows and says which format they have, how many are usable, what is missing in the others and which options would
    help. Shows three responses as ValueDrift reads them, texts shortened. Nothing is classified, sent or stored.

    Exit status 1 if no row is usable as it is.
    """
    one_format(field_map, format)
    from stream.advice import advise
    from stream.checking import examine

    records, missing_time = _sample(source, rows, field_map, (config, bootstrap_servers))
    if not records:
        click.echo(f"{source} is empty")
        return 1
    findings = examine(records, missing_time=missing_time, form=format)
    _report(source, findings)
    advice = advise(records, findings, missing_time=missing_time)
    if advice is not None:
        _advise(source, advice, findings, field_map)
    elif _untimed(findings):
        click.echo(
            f"  for a replay, space the rows evenly: valuedrift replay {shlex.quote(source)} --every 1s --out out"
        )
    if findings.usable:
        _show(findings.events)
    elif advice is not None and advice.findings is not None and advice.findings.usable:
        click.echo("with these options:")
        _show(advice.findings.events)
    return 0 if findings.usable else 1


def _sample(
    source: str, rows: int, field_map: "FieldMap | None", kafka: tuple[Path | None, str | None]
) -> "tuple[Sequence[SourceRecord], MissingTime]":
    """The first rows of a file or topic, and what becomes of a response in it that has no time."""
    from stream.files import LogFiles
    from stream.formats.missing_time import Demanded, RecordTime

    path = Path(source)
    if source == "-" or "/" in source or path.suffix in _SUFFIXES or path.exists():
        return list(islice(LogFiles([path], field_map=field_map), rows)), Demanded()
    from stream.checking import mapped
    from stream.config import load
    from stream.kafka.read import read_topic

    settings = load(kafka[0], bootstrap_servers=kafka[1])
    records = list(islice(read_topic(settings.kafka, source), rows))
    return (mapped(records, field_map) if field_map else records), RecordTime()


def _report(source: str, findings: "Findings") -> None:
    known = [f"{name} ({count:,})" for name, count in findings.formats.most_common()]
    unknown = [f"no known format ({findings.no_format:,})"] if findings.no_format else []
    click.echo(f"{source}: {_many(findings.rows, 'row')} read, recognised as {', '.join(known + unknown)}")
    events = len(findings.events)
    holding = f", holding {_many(events, 'response')}" if events != findings.usable else ""
    click.echo(f"  usable   {findings.usable:,} of {findings.rows:,}{holding}")
    _list("skipped", findings.skipped)
    _list("refused", findings.refused)
    if findings.events:
        models = Counter(event.model for event in findings.events)
        named = [f"{visible(name)} ({count:,})" for name, count in models.most_common(5)]
        click.echo(f"  models   {', '.join(named)}{', …' if len(models) > 5 else ''}")


def _list(word: str, rejects: "Counter[Reject]") -> None:
    for reject, count in rejects.most_common(5):
        click.echo(f"  {word}  {count:,} {reject.reason}: {reject.detail}")
    rest = sum(rejects.values()) - sum(count for _, count in rejects.most_common(5))
    if rest:
        click.echo(f"  {word}  {rest:,} for other reasons")


def _untimed(findings: "Findings") -> bool:
    from stream.core.records import RejectReason

    return any(reject.reason is RejectReason.NO_TIME for reject in findings.refused)


def _advise(source: str, advice: "Advice", findings: "Findings", given: "FieldMap | None") -> None:
    from stream.advice import PLACEHOLDER

    source = shlex.quote(source)
    fields = ", ".join(visible(name) or "''" for name in advice.fields[:20])
    click.echo(f"what to do: the rows have the fields {fields}")
    if advice.absent:
        what = " or ".join(f"a {name}" for name in advice.absent)
        click.echo(
            f"  none of them looks like {what}. If one is, name it: --map prompt=FIELD,response=FIELD,model=FIELD,ts=FIELD. "
            "A log without both prompts and responses cannot be watched."
        )
        return
    maps = ",".join(filter(None, (str(given or ""), *advice.maps)))
    options = f" --map {shlex.quote(maps)}" if maps else ""
    every = " --every 1s" if advice.every else ""
    click.echo(f"  makes {advice.usable:,} of {findings.rows:,} usable:")
    click.echo(f"    valuedrift replay {source}{options}{every} --out out")
    click.echo(f"    valuedrift produce {source}{options}")
    if advice.findings is not None:
        _list("still refused", advice.findings.refused)
    if advice.bad_times:
        click.echo(
            f"  the times in {visible(advice.bad_times)} are in no form that is read (RFC 3339, or a number since 1970)"
        )
    if advice.every:
        click.echo(
            "  no row has a time: --every takes their order for it; rows that are produced get the time of sending"
        )
    if any(PLACEHOLDER in assignment for assignment in advice.maps):
        click.echo(f"  no row says its model: put it in the place of {PLACEHOLDER}")


def _show(events: "Sequence[ResponseEvent]") -> None:
    from stream.times import render

    for event in events[:3]:
        more = [event.finish_reason, event.refusal_hint and f"hint {event.refusal_hint}", event.environment]
        told = "".join(f", {visible(each)}" for each in more if each)
        click.echo(f"  {render(event.ts)}  {visible(event.model)}  id {visible(event.event_id)}{told}")
        if event.system:
            click.echo(f"    system   {visible(event.system)}")
        if event.earlier:
            click.echo(f"    earlier  {visible_end(event.earlier)}")
        click.echo(f"    prompt   {visible(event.prompt)}")
        click.echo(f"    response {visible(event.response)}")
        if event.attributes:
            said = ", ".join(f"{visible(name)}={visible(text)}" for name, text in event.attributes.items())
            click.echo(f"    {'also':9}{said}")


def visible(text: str) -> str:
    """Returns the text for a terminal, shortened, with whatever is not printable written as an escape."""
    from stream import naming

    return naming.visible(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")


def visible_end(text: str) -> str:
    """Returns the end of the text for a terminal, as `visible` does its beginning."""
    from stream import naming

    return naming.visible(text if len(text) <= SHOWN else f"…{text[-SHOWN:]}")


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
