"""The `valuedrift` program: finds the command, and turns an error into a sentence and an exit code."""

import importlib
import signal
import sys
from typing import NoReturn

import click

from models.errors import ModelError
from stream.errors import ValueDriftError
from stream.interrupts import is_interrupted

COMMANDS = {
    "demo": "The whole story on this machine, ending with an alert and a plot.",
    "broker": "Run a real Apache Kafka on this machine, without Docker.",
    "topics": "Create the topics, or show what differs from the settings.",
    "worker": "The stream processor: classify responses, detect drift.",
    "check": "Say what is in a log file or topic, and whether it can be used.",
    "formats": "List the log formats that are read, each with an example.",
    "produce": "Send log files to Kafka.",
    "tail": "Follow growing log files into Kafka, across rotation and restarts.",
    "collect": "Take responses over HTTP and put them into Kafka.",
    "replay": "Run history through the same pipeline, paging nobody.",
    "baseline": "See, compare, accept and learn what monitors take for normal.",
    "sample": "Ask a model the same prompts again and again.",
    "notify": "Tell PagerDuty, Alertmanager, Slack and others of alerts.",
    "deadletters": "List, show and resend the records that could not be used.",
    "classify": "Label a file of prompts and responses.",
    "label": "Label some of your own responses; correct shares and entropy by them.",
    "experiment": "Repeat the experiments of the paper on real responses.",
    "backtest": "Measure how late detectors find a change, at equal false alarms.",
    "power": "Say what can be seen at your traffic, and how soon.",
    "train": "Train a classifier from labelled rows.",
    "evaluate": "Measure a classifier on labelled rows.",
    "export": "Turn a T5 checkpoint into a verified ONNX bundle.",
    "status": "Show lag, groups, workers and monitors at a glance.",
    "config": "Print the settings in force, secrets masked.",
}
"""Name and one-line help of each command; its code is imported only when it is called, so that --help stays fast."""


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"stream.commands.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="valuedrift", message="%(prog)s %(version)s")
def cli() -> None:
    """ValueDrift says within minutes, and with proof, that the behaviour of an LLM in production has changed.

    `valuedrift demo` shows all of it on this machine. `valuedrift COMMAND --help` explains each command.
    """


def main() -> NoReturn:
    """Runs the command line and exits: 0 done, 1 failed, 2 wrong use, 130 interrupted, by Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # like Ctrl-C: what a command has begun is cleared away
    state = {"debug": False}
    try:
        code = cli.main(prog_name="valuedrift", standalone_mode=False, obj=state)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except (ValueDriftError, ModelError) as error:
        if state["debug"]:
            raise
        click.echo(f"valuedrift: {error}", err=True)
        sys.exit(130 if is_interrupted(error) else 1)
    except BrokenPipeError:
        sys.stderr.close()  # the reader went away (`valuedrift … | head`): nothing to say, nobody to say it to
        sys.exit(1)
    except Exception as error:
        # A library that Ctrl-C finds in the middle of something may make another error of it.
        if state["debug"] or not is_interrupted(error):
            raise
        click.echo("interrupted", err=True)
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)
