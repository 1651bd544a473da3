"""`valuedrift worker`."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from stream.commands.options import kafka_options, log_option

if TYPE_CHECKING:
    from stream.config import Settings
    from stream.logs import Form
    from stream.worker.run import Job

log = logging.getLogger("stream.worker")

Role = Literal["all", "classify", "detect"]


@click.command()
@kafka_options
@click.option(
    "--role",
    type=click.Choice(["all", "classify", "detect"]),
    default="all",
    show_default=True,
    help="Which stages run here: classify (reads responses), detect (reads scored records), or both.",
)
@log_option
@click.pass_context
def worker(
    context: click.Context, *, config: Path | None, bootstrap_servers: str | None, role: Role, log_format: "Form"
) -> None:
    """Process responses: sort each into a behaviour, watch each monitor, emit drift events and alerts.

    Runs until Ctrl-C or SIGTERM, then delivers and commits what is in flight. Any number of workers share the topics'
    partitions. The topics must exist (`valuedrift topics create`). With --log-format json all that it says is JSON on standard error.
    """
    from models.errors import ModelError
    from stream import logs
    from stream.config import load
    from stream.errors import ValueDriftError
    from stream.worker.run import run_worker

    debug = bool(context.find_root().obj["debug"])
    logs.set_up(debug=debug, form=log_format)
    say = click.echo if log_format == "text" else log.info
    try:
        run_worker(_job(load(config, bootstrap_servers=bootstrap_servers), role), say=say)
    except (ValueDriftError, ModelError) as error:
        if debug or log_format == "text":
            raise
        log.error("%s", error)  # noqa: TRY400 - its traceback was not asked for
        context.exit(1)


def _job(settings: "Settings", role: Role) -> "Job":
    from models.bundle import DEFAULT_BUNDLE, load_manifest
    from stream.pipeline import taxonomy_of
    from stream.worker.run import Job

    bundle = settings.classifier.bundle or DEFAULT_BUNDLE
    if role == "detect":  # needs the names of the behaviours, not the model
        return Job(settings=settings, taxonomy=taxonomy_of(load_manifest(bundle)), classifier=None, detects=True)
    from models.onnx_t5 import load

    classifier = load(bundle, device=settings.classifier.device, threads=settings.classifier.threads)
    classifier.warmup()
    return Job(settings=settings, taxonomy=taxonomy_of(classifier), classifier=classifier, detects=role == "all")
