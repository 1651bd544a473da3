"""Who may work at the same time: many together, or one alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """Lets those that come together work side by side, and who must be alone wait for all others and keep them out."""

    def __init__(self) -> None:
        self._change = asyncio.Condition()
        self._together = 0
        self._alone = False

    @asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        """Enters unless somebody is alone."""
        async with self._change:
            await self._change.wait_for(lambda: not self._alone)
            self._together += 1
        try:
            yield
        finally:
            async with self._change:
                self._together -= 1
                self._change.notify_all()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Enters when nobody else is in."""
        async with self._change:
            await self._change.wait_for(lambda: not self._alone and not self._together)
            self._alone = True
        try:
            yield
        finally:
            async with self._change:
                self._alone = False
                self._change.notify_all()
