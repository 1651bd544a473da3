"""What a person is told while `valuedrift sample` runs, and what Ctrl-C means to it."""

import asyncio
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass

import click

from stream.sampling.budget import Ledger
from stream.sampling.endpoint import Endpoint
from stream.sampling.outputs import Output
from stream.sampling.progress import figures, shown
from stream.sampling.run import Listeners, RoundReport, Runner
from stream.sampling.sampler import Ending, Sampler
from stream.sampling.schedule import Schedule


@dataclass(slots=True)
class Job:
    """One run of the command; `say` is where its lines go, `place` where its answers do."""

    sampler: Sampler
    endpoint: Endpoint
    ledger: Ledger
    place: str
    say: Callable[[str], None] = click.echo

    async def run(self, output: Output, schedule: Schedule | None, *, check: bool) -> int:
        """The exit status, once the rounds are over: 1 if answers are missing, 130 if it was stopped before they were there."""
        listeners = Listeners(began=self._began, ended=self._ended, waits=self._waits)
        runner = Runner(self.sampler, self.endpoint, output, schedule=schedule, listeners=listeners)
        with shown(self.sampler, self.endpoint, self.ledger) as self.say:
            _on_signals(runner, self.say)
            ending = await runner.run(check=check, rng=random.Random())  # noqa: S311 - jitter is no secret
        if ending is Ending.STOPPED:
            return 0 if schedule is not None and not self.sampler.tally.missing else 130
        return 0 if ending is Ending.COMPLETE else 1

    def _began(self, name: str) -> None:
        have = sum(map(len, self.sampler.kept.values()))
        if have:
            self.say(f"going on with round {name}: {have:,} answers are there already")

    def _ended(self, report: RoundReport) -> None:
        tally = report.tally
        line = figures(tally, self.endpoint.retries, self.ledger, seconds=report.seconds)
        self.say(f"round {report.name} {report.ending} after {report.seconds:.1f} s: {line} → {self.place}")
        if report.error:
            self.say(report.error)
        for trouble, requests in tally.troubles.items():
            self.say(f"{requests:,} requests failed every time they were tried ({trouble})")
        if tally.missing:
            self.say(
                f"{tally.missing:,} of {tally.total:,} answers are missing; run the same command again to ask for them"
            )

    def _waits(self, seconds: float, missed: int) -> None:
        late = f" ({missed} missed: a round took longer than --every)" if missed else ""
        self.say(f"next round in {max(0.0, seconds):,.0f} s{late}")


def _on_signals(runner: Runner, say: Callable[[str], None]) -> None:
    """The first Ctrl-C or SIGTERM waits for the answers under way; the second does not."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()

    def interrupted() -> None:
        say("stopping: waiting for the answers under way; once more to leave at once")
        runner.stop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
            if task is not None:
                loop.add_signal_handler(number, task.cancel)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted)
