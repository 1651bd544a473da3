"""`valuedrift collect`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream.commands.options import kafka_options, log_option

if TYPE_CHECKING:
    from stream.logs import Form


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8787, show_default=True, help="Port; 0 lets the system choose, it is printed.")
@click.option("--topic", metavar="T", help="Topic to send to; the input topic of the settings by default.")
@click.option(
    "--token-env",
    default="COLLECT_TOKEN",
    show_default=True,
    metavar="NAME",
    help="Variable that holds the token which posts must bring (Authorization: Bearer …).",
)
@log_option
@kafka_options
def collect(
    *,
    host: str,
    port: int,
    topic: str | None,
    token_env: str,
    config: Path | None,
    bootstrap_servers: str | None,
    log_format: "Form",
) -> None:
    """Take responses over HTTP and put them into Kafka; a post is answered once Kafka has acknowledged all of it.

    POST to any path: one JSON object in any known format (`valuedrift formats`), an array of them, or JSON lines
    (application/x-ndjson). LiteLLM's generic API callback can be pointed here as it is. Answers: 200 taken, 400 no JSON, 401 wrong
    token, 413 too large, 415 not JSON, 422 nothing in it can be read, 503 try again. A post that is repeated after 503 may be in
    Kafka twice.

    Without a token it listens on this machine only. Runs until Ctrl-C or SIGTERM.
    """
    import asyncio
    import signal

    from stream import logs
    from stream.collect import application, require_token, sender, serve
    from stream.config import load
    from stream.environment import environment_secret
    from stream.kafka.client import open_producer
    from stream.kafka.presence import watched
    from stream.kafka.topics import MAX_INPUT_BYTES, require_topics

    settings = load(config, bootstrap_servers=bootstrap_servers)
    topic = topic or settings.kafka.topics.input
    token = environment_secret(token_env)
    require_token(host, token)
    require_topics(settings.kafka, [topic])
    logs.set_up(debug=bool(click.get_current_context().find_root().obj["debug"]), form=log_format)

    async def run() -> None:
        stop = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, stop.set)

        def ready(address: str) -> None:
            click.echo(f"collecting at {address} into {topic}")

        with (
            open_producer(settings.kafka, max_request_size=MAX_INPUT_BYTES) as producer,
            watched(settings.kafka, meanwhile="posts that it does not take in time are answered 503"),
        ):
            app = application(sender(producer, topic), monitor_by=settings.monitor.monitor_by, token=token)
            await serve(app, host, port, ready=ready, stop=stop.wait())

    asyncio.run(run())
