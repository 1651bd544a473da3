"""`valuedrift formats`."""

import click

from stream.commands.options import debug_option
from stream.formats.recognise import FORMATS

_MORE = """\
Around any of them: CloudEvents, binary (ce_ headers) or structured.
Files: JSON lines; CSV, TSV and Parquet by their names, each row like a JSON object; all of them gzipped or not.
Anything else: --map prompt=FIELD,response=FIELD,ts=FIELD,model=FIELD of produce, replay, tail and check.
"""


@click.command()
@click.argument("name", required=False, type=click.Choice(list(FORMATS)))
@debug_option
def formats(name: str | None) -> None:
    """List the log formats that are read, each with an example; with NAME only that one, its example alone.

    A format is recognised by the record itself. --format NAME of the other commands forces one.
    """
    if name is not None:
        click.echo(FORMATS[name].example)
        return
    for known, form in FORMATS.items():
        click.echo(click.style(known, bold=True) + f": {form.title}")
        click.echo("".join(f"    {line}\n" for line in form.example.splitlines()))
    click.echo(_MORE, nl=False)
