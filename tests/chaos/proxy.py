"""A wire between one worker and the broker that can be made slow, or hold everything back for a while: nothing is ever dropped."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

HOST = "127.0.0.1"
PIECE = 64 * 1024


class Wire:
    """Listens on a port of its own and passes everything on to `target`, late by `delay` seconds on the way back.

    While it is held, nothing passes in either direction: what was sent arrives when the wire lets go, as it would after a network
    was cut and TCP tried again.
    """

    def __init__(self, target: int) -> None:
        self.port = 0
        self.delay = 0.0
        self._open = asyncio.Event()
        self._open.set()
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._connect, HOST, 0))
        self.port = self._server.sockets[0].getsockname()[1]

    def hold(self) -> None:
        """Lets nothing pass until `let_go`."""
        self._loop.call_soon_threadsafe(self._open.clear)

    def let_go(self) -> None:
        """Passes on what was held back."""
        self._loop.call_soon_threadsafe(self._open.set)

    def close(self) -> None:
        """Hangs up."""
        self._do(self._hang_up())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, what: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    async def _hang_up(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connect(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            far, out = await asyncio.open_connection(HOST, self._target)
        except OSError:
            back.close()
            return
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(near, out, late=False))
                both.create_task(self._pass(far, back, late=True))
        except* OSError:
            pass  # one side is gone
        finally:
            out.close()
            back.close()

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, late: bool) -> None:
        while piece := await source.read(PIECE):
            await asyncio.sleep(self.delay if late else 0)
            await self._open.wait()
            sink.write(piece)
            await sink.drain()
        raise ConnectionError("closed")
