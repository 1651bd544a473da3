"""`valuedrift export`."""

from pathlib import Path
from typing import Literal

import click

from stream.commands.options import common_options


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the bundle.")
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of labelled rows, for the parity gate and the figures.",
)
@click.option("--name", default="valuedrift-t5-mini", show_default=True, help="Name of the bundle.")
@click.option("--artefact", type=click.Choice(["int8", "fp32"]), default="int8", show_default=True)
@common_options
def export(
    checkpoint: Path, out: Path, data: Path, name: str, artefact: Literal["int8", "fp32"], config: Path | None
) -> None:
    """Turn a T5 CHECKPOINT into a bundle: one ONNX graph, checked against PyTorch, with figures and checksums.

    Nothing is written when the graph and the PyTorch model disagree. Needs the extra valuedrift[export] (PyTorch).
    """
    from stream.commands.needs import export_extra, settings_are_sound

    settings_are_sound(config)
    with export_extra():
        from export.bundle import ExportOptions
        from export.bundle import export as run
    options = ExportOptions(checkpoint=checkpoint, out=out, data=data, name=name, artefact=artefact)
    report = run(options, lambda text: click.echo(text, err=True))
    headline = next(iter(report.headline.values()))
    click.echo(
        f"bundle in {out}; accuracy {headline.accuracy:.3f} on {headline.rows} held-out rows; figures in README.md"
    )
