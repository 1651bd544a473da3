"""`valuedrift notify`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream.commands.options import kafka_options, log_option

if TYPE_CHECKING:
    from stream.logs import Form


@click.command()
@click.option("--once", is_flag=True, help="Tell what is there now, then exit; 1 if something could not be told.")
@click.option(
    "--dry-run", is_flag=True, help="Print what would be sent for every alert there is; send and remember nothing."
)
@click.option("--page-replays", is_flag=True, help="Tell of alerts from replayed history too; otherwise none leaves.")
@log_option
@kafka_options
def notify(
    *,
    once: bool,
    dry_run: bool,
    page_replays: bool,
    config: Path | None,
    bootstrap_servers: str | None,
    log_format: "Form",
) -> int:
    """Tell PagerDuty, Alertmanager, Slack, webhooks, a CloudEvents topic or the screen of alerts.

    Who is told of what stands in [[notify.receivers]] of the settings; docs/route-alerts.md has an example for each tool. A
    receiver that cannot be reached is tried again and holds up no other. What was told is remembered in Kafka, so a restart
    tells nothing twice. A new receiver is told what is open now, not the past. Runs until Ctrl-C or SIGTERM.
    """
    import logging
    import threading

    from stream import logs
    from stream.config import load
    from stream.interrupts import set_on_signals
    from stream.notify.courier import Orders
    from stream.notify.run import notify as run
    from stream.notify.run import preview

    settings = load(config, bootstrap_servers=bootstrap_servers)
    if dry_run:
        for text in preview(settings, page_replays=page_replays):
            click.echo(text)
        return 0
    # Ours alone: what libraries log may hold an address that is a secret.
    handler = logging.StreamHandler()
    handler.setFormatter(logs.formatter(log_format))
    ours = logging.getLogger("stream")
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)
    orders = Orders(stop=threading.Event(), once=once, page_replays=page_replays)
    set_on_signals(orders.stop)
    return 0 if run(settings, orders) or not once else 1
