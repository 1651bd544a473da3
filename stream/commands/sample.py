"""`valuedrift sample`."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from stream.commands.options import FILE, kafka_options

if TYPE_CHECKING:
    from stream.config import Settings
    from stream.sampling.outputs import FileOutput, StreamOutput
    from stream.sampling.plan import Plan
    from stream.sampling.sampler import Adaptive
    from stream.sampling.schedule import Schedule

Made = TypeVar("Made")


@click.command()
@click.option("--endpoint", required=True, metavar="URL", help="OpenAI-compatible API, usually ending in /v1.")
@click.option("--model", required=True, metavar="NAME", help="Model to ask for; the monitor's name by default.")
@click.option("--out", type=FILE, help="JSONL file to add the answers to (- is standard output).")
@click.option("--topic", metavar="T", help="Kafka topic to send the answers to.")
@click.option("--prompts", type=FILE, help="Prompt set (JSONL); the shipped 60 by default.")
@click.option("-k", "--responses", default=100, show_default=True, help="Answers to each prompt.")
@click.option("-t", "--temperature", default=0.7, show_default=True, help="Sampling temperature.")
@click.option("--top-p", type=float, help="Nucleus sampling; the endpoint's default otherwise.")
@click.option("--max-tokens", default=256, show_default=True, help="Longest answer.")
@click.option("--per-request", default=10, show_default=True, help="Answers a request (n), where the endpoint can.")
@click.option("--seed", type=int, help="Makes each request's seed, where the endpoint takes one.")
@click.option("--adaptive", is_flag=True, help="Stop asking a prompt whose distribution is settled.")
@click.option(
    "--tolerance", default=0.2, show_default=True, help="With --adaptive: nats that settle a prompt's entropy."
)
@click.option("--every", metavar="TIME", help="A round every TIME (30s, 10m, 1h) until stopped.")
@click.option("--rounds", type=int, help="With --every: how many rounds.")
@click.option("--jitter", default=0.1, show_default=True, help="With --every: latest start, as a part of TIME.")
@click.option("--concurrency", default=4, show_default=True, help="Requests at once.")
@click.option("--rate", type=float, metavar="N", help="Requests a minute at most.")
@click.option("--timeout", default=120.0, show_default=True, help="Seconds for one answer.")
@click.option("--tries", default=6, show_default=True, help="How often one request is tried.")
@click.option("--budget-requests", type=int, metavar="N", help="Stop before the N+1st request.")
@click.option("--budget-tokens", type=int, metavar="N", help="Stop before N tokens are passed.")
@click.option("--budget-cost", type=float, metavar="X", help="Stop before X is spent, at the prices below.")
@click.option("--price-input", default=0.0, metavar="X", help="Price of a million tokens read.")
@click.option("--price-output", default=0.0, metavar="X", help="Price of a million tokens written.")
@click.option(
    "--api-key-env", default="OPENAI_API_KEY", show_default=True, metavar="NAME", help="Variable that holds the key."
)
@click.option("--environment", default="probe", show_default=True, help="Environment of the events.")
@click.option("--no-model-check", is_flag=True, help="Do not ask first which models there are.")
@kafka_options
def sample(
    *,
    endpoint: str,
    model: str,
    out: Path | None,
    topic: str | None,
    prompts: Path | None,
    responses: int,
    temperature: float,
    top_p: float | None,
    max_tokens: int,
    per_request: int,
    seed: int | None,
    adaptive: bool,
    tolerance: float,
    every: str | None,
    rounds: int | None,
    jitter: float,
    concurrency: int,
    rate: float | None,
    timeout: float,
    tries: int,
    budget_requests: int | None,
    budget_tokens: int | None,
    budget_cost: float | None,
    price_input: float,
    price_output: float,
    api_key_env: str,
    environment: str,
    no_model_check: bool,
    config: Path | None,
    bootstrap_servers: str | None,
) -> int:
    """Ask a model the same prompts again and again, and write its answers as response events.

    Passive logs show what users saw; probes show what the model does on fixed prompts, so that traffic can neither hide nor fake a
    change. Each of the prompts is asked --responses times at one --temperature. The answers go to --out or --topic, where the worker
    or `valuedrift replay` reads them like any other response.

    A run that was killed goes on where it stopped when the same command is given again; nothing that was answered is asked for twice.
    The key is read from the environment only. Exit status 1 if answers are missing in the end, be it by a budget.
    """
    from stream.commands.sampling import Job
    from stream.config import load
    from stream.environment import environment_secret
    from stream.sampling import prompt_set
    from stream.sampling.budget import Budget, Ledger
    from stream.sampling.endpoint import Endpoint, Patience
    from stream.sampling.exchange import normalise
    from stream.sampling.pace import Pace
    from stream.sampling.plan import Plan
    from stream.sampling.sampler import Sampler

    if (out is None) == (topic is None):
        raise click.UsageError("say where the answers go: either --out FILE (or -), or --topic T")
    schedule = _schedule(every, rounds, jitter)
    settings = load(config, bootstrap_servers=bootstrap_servers)
    budget = _valid(
        lambda: Budget(
            requests=budget_requests,
            tokens=budget_tokens,
            cost=budget_cost,
            price_input=price_input,
            price_output=price_output,
        )
    )
    plan = _valid(
        lambda: Plan(
            endpoint=normalise(endpoint),
            model=model,
            prompts=prompt_set.load(prompts),
            responses=responses,
            temperature=temperature,
            top_p=top_p,
            max_tokens=max_tokens,
            per_request=per_request,
            seed=seed,
        )
    )
    pace = _valid(lambda: Pace(concurrency, rate=rate))
    patience = _valid(lambda: Patience(timeout=timeout, tries=tries))
    rule = _adaptive(settings, tolerance) if adaptive else None
    ledger = Ledger(budget)
    asked = Endpoint(plan, key=environment_secret(api_key_env), pace=pace, ledger=ledger, patience=patience)
    with ExitStack() as stack:
        output = _output(stack, settings, plan, out, topic)
        sampler = Sampler(plan, asked, output, concurrency=concurrency, environment=environment or None, adaptive=rule)
        job = Job(sampler, asked, ledger, output.place)
        try:
            return asyncio.run(job.run(output, schedule, check=not no_model_check))
        except asyncio.CancelledError:  # asked to stop for the second time
            return 130


def _valid(make: Callable[[], Made]) -> Made:
    """A value of the options; what it refuses is wrong use."""
    try:
        return make()
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _schedule(every: str | None, rounds: int | None, jitter: float) -> "Schedule | None":
    from stream.sampling.schedule import Schedule, seconds

    if every is None:
        if rounds is not None:
            raise click.UsageError("--rounds needs --every")
        return None
    return _valid(lambda: Schedule(every=seconds(every), jitter=jitter, rounds=rounds))


def _output(
    stack: ExitStack, settings: "Settings", plan: "Plan", out: Path | None, topic: str | None
) -> "FileOutput | StreamOutput":
    from stream.environment import cache_folder
    from stream.kafka.client import open_producer
    from stream.kafka.topics import MAX_INPUT_BYTES, require_topics
    from stream.sampling.journal import Journal
    from stream.sampling.outputs import FileOutput, StreamOutput, TopicOutput, journal_for

    if topic is None and out is not None:
        if str(out) == "-":
            output = StreamOutput(sys.stdout.buffer, [prompt.id for prompt in plan.prompts.prompts])
            stack.callback(output.finish)
            return output
        return FileOutput(stack.enter_context(Journal(out, plan)))
    topic = topic or settings.kafka.topics.input
    require_topics(settings.kafka, [topic])
    producer = stack.enter_context(open_producer(settings.kafka, max_request_size=MAX_INPUT_BYTES))
    journal = stack.enter_context(Journal(journal_for(topic, plan.fingerprint, cache_folder()), plan))
    return TopicOutput(journal, producer, topic=topic, settings=settings)


def _adaptive(settings: "Settings", tolerance: float) -> "Adaptive":
    from models.bundle import DEFAULT_BUNDLE
    from models.classifier import Pair
    from models.onnx_t5 import load
    from stream.sampling.sampler import Adaptive
    from stream.sampling.settle import Settled

    rule = _valid(lambda: Settled(tolerance=tolerance))
    chosen = settings.classifier
    classifier = load(chosen.bundle or DEFAULT_BUNDLE, device=chosen.device, threads=chosen.threads)

    def label(texts: "list[tuple[str, str]]") -> list[int]:
        return [int(category) for category in classifier.classify([Pair(*text) for text in texts]).category]

    return Adaptive(rule, label, len(classifier.labels))
