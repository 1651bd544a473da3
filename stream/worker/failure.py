"""The first thing that went wrong in a worker, as a sentence for the operator."""

import asyncio

from aiokafka.errors import KafkaError

from models.errors import ModelError
from stream.errors import ValueDriftError, WorkerError


class Failure:
    """Remembers the first failure and wakes who waits for it."""

    def __init__(self) -> None:
        self._happened = asyncio.Event()
        self.error: ValueDriftError | ModelError | None = None

    def note(self, stage: str, error: BaseException) -> None:
        """Notes that a micro-batch of the stage failed; only the first counts."""
        if self.error is None:
            self.error = explain(stage, error)
            self._happened.set()

    async def wait(self) -> None:
        """Returns when something went wrong."""
        await self._happened.wait()


def explain(stage: str, error: BaseException) -> ValueDriftError | ModelError:
    """The failure of a stage as a sentence.

    Our own errors explain themselves, and Kafka's carry no text of prompts or responses; of others only the type is named,
    because their message might quote one.
    """
    if isinstance(error, ValueDriftError | ModelError):
        return error
    what = f"{type(error).__name__}: {error}" if isinstance(error, KafkaError) else type(error).__name__
    told = WorkerError(
        f"the {stage} stage failed ({what}); nothing of the micro-batches in flight is committed, and a restart reads them "
        "again. --debug shows where it failed"
    )
    told.__cause__ = error
    return told
