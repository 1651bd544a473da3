"""`valuedrift deadletters list`, `show` and `resend`."""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream.commands.options import kafka_options
from stream.core.records import RejectReason

if TYPE_CHECKING:
    from stream.config import KafkaSettings, Settings
    from stream.core.records import DeadLetter, SourceRecord
    from stream.deadletters import Contents, Place


@click.group()
def deadletters() -> None:
    """List the records that could not be used, show one, or send them again after a repair."""


@deadletters.command(name="list")
@kafka_options
def list_letters(config: Path | None, bootstrap_servers: str | None) -> None:
    """List the reasons: how many records, how many of them were sent again, when the first and the last came.

    Texts are not shown.
    """
    from stream.commands.tabular import print_table
    from stream.wording import instant

    found = _contents(_settings(config, bootstrap_servers).kafka)
    rows: dict[RejectReason, list[Place]] = {}
    for place, entry in sorted(found.entries.items()):
        for reason in {reason for reason, _ in entry.reasons}:
            rows.setdefault(reason, []).append(place)
    table = []
    for reason, places in sorted(rows.items(), key=lambda row: -len(row[1])):
        times = sorted(ts for place in places if (ts := found.entries[place].ts) is not None)
        first, last = (instant(times[0]), instant(times[-1])) if times else ("", "")
        again = sum(bool(found.entries[place].resent) for place in places)
        newest = str(max(places, key=lambda place: (found.entries[place].ts or 0, place)))
        repair = "nothing to repair" if reason.skipped else ""
        table.append((reason.value, f"{len(places):,}", f"{again:,}", first, last, newest, repair))
    if table:
        print_table(("reason", "records", "sent again", "first", "last", "newest", ""), table)
    else:
        click.echo("no dead letters")
    _note_unreadable(found)


@deadletters.command()
@click.argument("place", metavar="PARTITION/OFFSET")
@click.option("--text", is_flag=True, help="Show key, headers and value too, safe for a terminal.")
@click.option(
    "--raw", is_flag=True, help="Write the original value, byte for byte and nothing else: to a file or a pipe."
)
@kafka_options
def show(*, place: str, text: bool, raw: bool, config: Path | None, bootstrap_servers: str | None) -> int:
    """Show one letter: the place it was read at (of the input topic, or TOPIC/PARTITION/OFFSET), and why it could not be used.

    Prompts and responses are shown with --text or --raw only.
    """
    from stream.wording import instant

    if raw and sys.stdout.isatty():
        raise click.UsageError(
            "--raw writes bytes that may harm a terminal; send them to a file or a pipe, or use --text"
        )
    settings = _settings(config, bootstrap_servers)
    wanted = _place(settings, place)
    found = [letter for letter in _letters(settings.kafka) if _is_at(letter, wanted)]
    if not found:
        click.echo(f"no dead letter is about {_visible(str(wanted))}", err=True)
        return 1
    letter = found[0]
    if raw:
        click.get_binary_stream("stdout").write(letter.value or b"")
        return 0
    click.echo(f"place   {_visible(str(wanted))}")
    click.echo(f"came    {instant(letter.ts) if letter.ts is not None else 'at no known time'}")
    for each in found:
        click.echo(f"reason  {each.reason.value}: {_visible(each.detail)}")
    for ts in _contents(settings.kafka).entries[wanted].resent:
        click.echo(f"sent again {instant(ts)}")
    value = "none" if letter.value is None else f"{len(letter.value):,} bytes"
    click.echo(f"value   {value}{'' if text or letter.value is None else ' (--text shows them)'}")
    if text:
        click.echo(f"key     {_shown(letter.key)}")
        for name, content in letter.headers:
            click.echo(f"header  {_visible(name)}: {_shown(content)}")
        click.echo(_shown(letter.value))
    return 0


@deadletters.command()
@click.option(
    "--reason",
    "reasons",
    multiple=True,
    type=click.Choice([each.value for each in RejectReason]),
    help="Letters of this reason; may be repeated.",
)
@click.option(
    "--at", "places", multiple=True, metavar="PARTITION/OFFSET", help="The letter of this place; may be repeated."
)
@click.option("--dry-run", is_flag=True, help="Say what would be sent; send and mark nothing.")
@click.option("--again", is_flag=True, help="Send also what was sent again before.")
@click.option("--whole", is_flag=True, help="Send also records that hold several responses; some may then count twice.")
@kafka_options
def resend(
    *,
    reasons: tuple[str, ...],
    places: tuple[str, ...],
    dry_run: bool,
    again: bool,
    whole: bool,
    config: Path | None,
    bootstrap_servers: str | None,
) -> int:
    """Send the originals of chosen letters to the input topic again, after a repair.

    Only what can be used now is sent, read as the worker would. Each is marked in the topic of the letters, so that a second
    resend leaves it out, and carries a header that names its former place. Its responses count as new ones of now. To send a corrected
    text instead: `show --raw` into a file, correct it, `valuedrift produce` it.

    Exit status 1 if nothing was chosen or sent.
    """
    if not (reasons or places):
        raise click.UsageError("choose letters by --reason or --at; `valuedrift deadletters list` shows them")
    from stream.deadletters import Resending, Verdict, original, place_of
    from stream.kafka.resend import resend as send

    settings = _settings(config, bootstrap_servers)
    rules = Resending(topic=settings.kafka.topics.input, form=settings.worker.format, again=again, whole=whole)
    entries = _contents(settings.kafka).entries
    wanted = {_place(settings, place) for place in places} | {
        place for place, entry in entries.items() if any(reason.value in reasons for reason, _ in entry.reasons)
    }
    verdicts: dict[Place, Verdict] = {}

    def originals() -> "Iterator[SourceRecord]":
        for letter in _letters(settings.kafka):
            place = place_of(letter)
            if place in wanted and place not in verdicts:
                verdicts[place] = rules.judge(letter, entries[place])
                if verdicts[place] is Verdict.SENT:
                    yield original(letter)

    sent = sum(1 for _ in originals()) if dry_run else send(settings.kafka, originals())
    click.echo(f"{'would send' if dry_run else 'sent'} {sent:,} of {len(wanted):,} records to {rules.topic}")
    for verdict, n in Counter(verdicts.values()).most_common():
        if verdict is not Verdict.SENT:
            click.echo(f"  not sent: {n:,}, {verdict.value}")
    missing = len(wanted - verdicts.keys())
    if missing:
        click.echo(f"  not sent: {missing:,}, no letter is about this place")
    return 0 if sent else 1


def _settings(config: Path | None, bootstrap_servers: str | None) -> "Settings":
    from stream.config import load

    return load(config, bootstrap_servers=bootstrap_servers)


def _contents(kafka: "KafkaSettings") -> "Contents":
    from stream.deadletters import contents
    from stream.kafka.read import read_topic

    return contents(read_topic(kafka, kafka.topics.deadletter))


def _letters(kafka: "KafkaSettings") -> "Iterator[DeadLetter]":
    from stream.deadletters import letters
    from stream.kafka.read import read_topic

    return letters(read_topic(kafka, kafka.topics.deadletter))


def _place(settings: "Settings", text: str) -> "Place":
    from stream.deadletters import Place

    try:
        return Place.parse(text, topic=settings.kafka.topics.input)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _is_at(letter: "DeadLetter", place: "Place") -> bool:
    from stream.deadletters import place_of

    return place_of(letter) == place


def _note_unreadable(found: "Contents") -> None:
    if found.unreadable:
        click.echo(f"{found.unreadable:,} records of the topic are of another kind or version", err=True)


def _shown(content: bytes | None) -> str:
    return "none" if content is None else _visible(content.decode("utf-8", "backslashreplace"))


def _visible(text: str) -> str:
    from stream.naming import visible

    return visible(text)
