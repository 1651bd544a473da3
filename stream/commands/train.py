"""`valuedrift train`."""

from pathlib import Path

import click

from stream.commands.options import common_options


@click.command()
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of labelled rows: .jsonl or .jsonl.gz with prompt, response, label.",
)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the checkpoint."
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="T5 checkpoint (Hugging Face folder) to fine-tune; without it a small T5 is taught by MiniLM.",
)
@click.option(
    "--teacher",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="teacher.safetensors of an earlier run's work folder, to go on from there; with --checkpoint, to teach that one further.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="End the student's lessons after so long; its teacher's come first and are not counted.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on where a stopped run with the same --out and options was last saved.",
)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--threads", type=click.IntRange(min=0), default=0, help="CPU threads; 0 leaves it to PyTorch.")
@common_options
def train(  # noqa: PLR0917 - click passes them by name
    data: Path,
    out: Path,
    checkpoint: Path | None,
    teacher: Path | None,
    minutes: float | None,
    resume: bool,
    seed: int,
    threads: int,
    config: Path | None,
) -> None:
    """Train a classifier from labelled rows, keeping a test part out of sight, and write a checkpoint.

    OUT.work keeps the curve so far and, at least every two minutes or so, teacher and student as they are, so that a stopped
    run can --resume. With --checkpoint alone it cannot.

    Next: `valuedrift export`. Needs the extra valuedrift[export] (PyTorch).
    """
    from stream.commands.needs import export_extra, settings_are_sound
    from stream.commands.progress import stages

    settings_are_sound(config)
    with export_extra():
        from export.finetune import FinetuneOptions
        from export.learner import DistilOptions
        from export.teaching import TeachingOptions
        from export.train import TrainOptions
        from export.train import train as run
    options = TrainOptions(
        data=data,
        out=out,
        checkpoint=checkpoint,
        teacher=teacher,
        resume=resume,
        seed=seed,
        threads=threads,
        teaching=TeachingOptions(seed=seed),
        distilling=DistilOptions(seed=seed, minutes=minutes),
        finetuning=FinetuneOptions(seed=seed),
    )
    try:
        with stages() as progress:
            trained = run(options, progress)
    except KeyboardInterrupt:
        if list(out.with_name(f"{out.name}.work").glob("*.state")):
            click.echo("the same command with --resume goes on from what was last saved", err=True)
        raise
    record = trained.note.record
    if record is not None:
        reached = record.validation
        click.echo(
            f"on {record.calibration_rows:,} validation rows: accuracy {reached['validation_accuracy']:.3f},"
            f" macro-F1 {reached['validation_macro_f1']:.3f}"
        )
    click.echo(f"checkpoint in {out}; next: valuedrift export {out} --data {data} --out BUNDLE")
