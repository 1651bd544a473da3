"""`valuedrift experiment`."""

from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from stream.commands.options import FILE, common_options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream.experiments.findings import Report
    from stream.experiments.rows import Labelled
    from stream.experiments.units import Units

P = ParamSpec("P")
R = TypeVar("R")


def _options(command: Callable[P, R]) -> Callable[P, R]:
    command = click.option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder for the report; out/experiments/NAME by default.",
    )(command)
    command = click.option(
        "--labelled", type=FILE, help="JSONL of model, prompt, response, label; the shipped XSTest rows by default."
    )(command)
    command = click.option("--seed", default=1, show_default=True, help="Seed of everything that is drawn.")(command)
    return common_options(command)


@click.group()
def experiment() -> None:
    """Repeat the three experiments of arXiv 2512.03047 on real responses, and see what of them holds.

    Each writes report.html, figures.json and a CSV and PNG for each table and picture. One that was interrupted goes on where it
    stopped when the same command is given again.
    """


@experiment.command()
@_options
def classifier(out: Path | None, labelled: Path | None, seed: int, config: Path | None) -> None:
    """Compare the classifier, and the entropy of its labels, with people's labels."""
    from models.bundle import DEFAULT_BUNDLE, load_manifest
    from models.onnx_t5 import load
    from stream.config import load as load_settings
    from stream.experiments import classifier as work
    from stream.experiments.rows import held_out

    chosen = load_settings(config).classifier
    bundle = chosen.bundle or DEFAULT_BUNDLE
    manifest = load_manifest(bundle)

    def run(rows: "Labelled", units: "Units") -> "Report":
        return work.run(
            rows,
            held_out(rows.rows, bundle) if labelled is None else None,
            units,
            load=lambda: load(bundle, device=chosen.device, threads=chosen.threads),
            seed=seed,
        )

    identity = repr(sorted((name, entry.sha256) for name, entry in manifest.files.items()))
    _carry_out("classifier", out, labelled, f"{seed} {identity}", run)


@experiment.command()
@_options
def dynamics(out: Path | None, labelled: Path | None, seed: int, config: Path | None) -> None:
    """Measure S over 1,000 steps, the rate σ and γ_eff, for real models and for simulated drift."""
    from stream.config import load as load_settings
    from stream.experiments import dynamics as work

    load_settings(config)
    _carry_out("dynamics", out, labelled, str(seed), lambda rows, units: work.run(rows, units, seed=seed))


@experiment.command()
@_options
def threshold(out: Path | None, labelled: Path | None, seed: int, config: Path | None) -> None:
    """Inject drift of known size and speed, and compare the fixed ε with the calibrated rule."""
    from stream.config import load as load_settings
    from stream.experiments import threshold as work

    load_settings(config)
    _carry_out("threshold", out, labelled, str(seed), lambda rows, units: work.run(rows, units, seed=seed))


def _carry_out(
    name: str, out: Path | None, labelled: Path | None, settings: str, run: Callable[["Labelled", "Units"], "Report"]
) -> None:
    from stream.experiments.rows import load
    from stream.experiments.units import Units
    from stream.experiments.writing import write
    from stream.output import output_folder

    folder = out or Path("out") / "experiments" / name
    rows = load(labelled)
    with _progress(name) as told:
        report = run(rows, Units(folder, f"{name} {rows.digest} {settings}", told=told))
    with output_folder(folder) as staging:
        write(staging, report)
    for finding in report.findings:
        click.echo(f"- {finding.heading} ({finding.basis})")
    click.echo(f"report: {folder / 'report.html'}")


@contextmanager
def _progress(name: str) -> "Iterator[Callable[[str], None]]":
    """The piece that is being worked on, on a terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _piece: None
        return
    with console.status(name) as status:
        yield lambda piece: status.update(f"{name}: {piece}")
