"""What it costs the detect stage that nothing is acknowledged before it is durable.

Baseline: the same worker on the same broker, which neither writes states nor waits for what it sends. The three take turns of a few
seconds (each is halted meanwhile), so that other load hits all alike.
"""

import sys
from collections.abc import Sequence
from typing import Any

from tests.bench.bench_detect import COUNTED, RESPONSES, scored_records
from tests.bench.kafka_bench import Process, Turns, bench_kafka, fill, fresh_topics, table, take_turns, worker

RECORDS = 40_000
TURNS, SECONDS = 4, 2.0
UNSAFE = ("-m", "tests.bench.bench_safety")
NO_STATES, NO_WAITING = "no-states", "no-waiting"


def unsafe(what: str) -> None:
    """The worker without a part of its safety."""
    from stream.cli import main as program
    from stream.worker import detect
    from stream.worker.driver import WorkerApp
    from stream.worker.sending import Outgoing
    from stream.worker.table import StateTable

    async def write_nothing(self: StateTable, changed: Sequence[Any]) -> None:
        """The state stays in memory."""

    async def send_and_forget(app: WorkerApp, records: Sequence[Outgoing]) -> None:
        for each in records:
            await app.producer.send(each.topic, each.key, each.value, None, None, None)

    StateTable.write = write_nothing  # type: ignore[method-assign]
    if what == NO_WAITING:
        detect.send_all = send_and_forget  # type: ignore[attr-defined]
    sys.argv[1:] = ["worker", "--role", "detect"]
    program()


def turns(process: Process) -> Turns:
    return Turns(process.pid, lambda: int(process.metric(COUNTED)))


def main() -> None:
    with bench_kafka() as kafka:
        topics = [fresh_topics(kafka) for _ in range(3)]
        for each in topics:
            fill(each, each.topics.scored, scored_records(RECORDS))
        with (
            worker(topics[0], NO_WAITING, variables={}, program=UNSAFE) as hasty,
            worker(topics[1], NO_STATES, variables={}, program=UNSAFE) as stateless,
            worker(topics[2], "--role", "detect", variables={}) as safe,
        ):
            running = [turns(each) for each in (hasty, stateless, safe)]
            rates = take_turns(*running, turns=TURNS, seconds=SECONDS)
            if any(each.count() >= RECORDS * RESPONSES for each in running):
                raise RuntimeError("there was too little to read; raise RECORDS")
    names = ("no states, nothing waited for (baseline)", "no states, events waited for", "everything durable")
    rows = [(f"{name}, responses/s", f"{rate:,.0f}") for name, rate in zip(names, rates, strict=True)]
    table(
        f"detect stage, {RESPONSES} responses a scored record, {TURNS} turns of {SECONDS:.0f} s each",
        [*rows, ("everything durable against the baseline", f"{rates[2] / rates[0]:.2f}")],
    )


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in {NO_STATES, NO_WAITING}:
        unsafe(sys.argv[1])
    else:
        main()
