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
@click.option(
    "--artefacts",
    "names",
    default="int8",
    show_default=True,
    metavar="A[,…]",
    help="Of int8 (CPU), fp16 (CUDA) and fp32; more than one makes a folder with a bundle for each.",
)
@common_options
def export(checkpoint: Path, out: Path, data: Path, name: str, names: str, config: Path | None) -> None:
    """Turn a T5 CHECKPOINT into a bundle: one ONNX graph, checked against PyTorch, with figures and checksums.

    Nothing is written when a graph and the PyTorch model disagree. Needs the extra valuedrift[export] (PyTorch).
    """
    from stream.commands.needs import export_extra, settings_are_sound

    settings_are_sound(config)
    artefacts = _artefacts(names)
    with export_extra():
        from export.bundle import ExportOptions
        from export.bundle import export as run
    options = ExportOptions(checkpoint=checkpoint, out=out, data=data, name=name, artefacts=artefacts)
    for artefact, report in run(options, lambda text: click.echo(text, err=True)).items():
        headline = next(iter(report.headline.values()))
        place = out if len(artefacts) == 1 else out / artefact
        click.echo(
            f"{artefact} bundle in {place}; accuracy {headline.accuracy:.3f} on {headline.rows} held-out rows; figures in README.md"
        )


def _artefacts(names: str) -> "tuple[Literal['int8', 'fp16', 'fp32'], ...]":
    """Returns the artefacts that are named, in that order."""
    known: dict[str, Literal["int8", "fp16", "fp32"]] = {"int8": "int8", "fp16": "fp16", "fp32": "fp32"}
    wanted = dict.fromkeys(name.strip() for name in names.split(","))
    if unknown := [name for name in wanted if name not in known]:
        raise click.BadParameter(f"{unknown[0]!r} is none of {', '.join(known)}", param_hint="--artefacts")
    return tuple(known[name] for name in wanted)
