"""Notes that a stage keeps in Kafka of the partitions it reads. They help to find what is wrong; losing one does no harm."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from stream.core.records import Source
from stream.errors import BrokerError
from stream.kafka.memo import Memo, Note

log = logging.getLogger(__name__)

Argument = TypeVar("Argument")
Answer = TypeVar("Answer")

PAUSE = 30.0
"""Seconds without notes after Kafka did not take one: a stage must not wait for them at every micro-batch."""


class Notebook:
    """The notes of one stage, in Kafka; without a memo there are none.

    Where Kafka does not answer, work goes on without them, and a warning says so.
    """

    def __init__(self, memo: Memo | None = None) -> None:
        self._memo = memo
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="notes")
        self._resume = 0.0

    async def read(self, sources: Collection[Source]) -> dict[Source, Note]:
        """What was noted of each of these partitions; nothing of any where Kafka does not answer."""
        if self._memo is None:
            return dict.fromkeys(sources, Note())
        try:
            return await self._call(self._memo.read, sources)
        except BrokerError as error:
            log.warning("%s; it is asked again with the next micro-batch", error)
            return {}

    async def write(self, notes: Mapping[Source, Note]) -> None:
        """Returns when Kafka has the notes, or has not taken them."""
        if self._memo is None or not notes or time.monotonic() < self._resume:
            return
        try:
            await self._call(self._memo.write, notes)
        except BrokerError as error:
            self._resume = time.monotonic() + PAUSE
            log.warning("%s; no notes are taken for %.0f s", error, PAUSE)

    def close(self) -> None:
        """Lets go of the thread; what it is doing is not waited for."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _call(self, function: Callable[[Argument], Answer], argument: Argument) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, argument)
