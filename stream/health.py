"""What a worker says of itself over HTTP, on loopback unless told otherwise: health, readiness, metrics, monitors."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from aiohttp import web

from stream import metrics
from stream.errors import SettingsError

STOP_WITHIN = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorRow:
    """One monitor at a glance: its latest response (`seq` counts from 0, `ts` is RFC 3339) and its current window.

    `entropy` is in nats; `shares` gives each behaviour's part of the window, by name.
    """

    name: str
    seq: int
    ts: str
    state: str
    entropy: float
    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """One stage of a worker: its consumer group, the records that wait for it, and its last commit (RFC 3339, None: not yet)."""

    name: str
    group: str
    ready: bool
    lag: int
    last_commit: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What a worker says of itself in one answer; `failure`, `unready` and `stuck` are None where all is well."""

    version: str
    failure: str | None
    unready: str | None
    stuck: str | None
    stages: tuple[StageRow, ...]
    monitors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """Where the answers come from; a reason in words means no, None means yes.

    `failure` says why the process is about to end, `unready` why it processes nothing yet, `stuck` what waits though nothing
    is committed.
    """

    failure: Callable[[], str | None]
    unready: Callable[[], str | None]
    stuck: Callable[[], str | None]
    status: Callable[[], Status]
    metrics: Callable[[], bytes]
    monitors: Callable[[], Awaitable[Sequence[MonitorRow]]]


class HealthServer:
    """Answers `/healthz`, `/readyz` (200 or 503 with the reason), `/metrics` (Prometheus), `/monitors` and `/status` (JSON)."""

    def __init__(self, vitals: Vitals) -> None:
        self._vitals = vitals
        application = web.Application()
        application.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
                web.get("/monitors", self._monitors),
                web.get("/status", self._status),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=STOP_WITHIN)

    async def start(self, host: str, port: int) -> str:
        """Listens and returns the URL; port 0 takes a free one.

        Raises:
            SettingsError: the address cannot be listened on.
        """
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as error:
            await self._runner.cleanup()
            reason = error.strerror or str(error)
            raise SettingsError(
                f"cannot answer health checks on {host}:{port} ({reason}); set [worker] health_port to a free port, or to 0 "
                "to let the system choose"
            ) from None
        name = f"[{host}]" if ":" in host else host
        return f"http://{name}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Closes the port and what is connected to it."""
        await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        return _verdict(self._vitals.failure() or self._vitals.stuck())

    async def _readyz(self, _: web.Request) -> web.Response:
        return _verdict(self._vitals.failure() or self._vitals.unready() or self._vitals.stuck())

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._vitals.metrics(), headers={"Content-Type": metrics.CONTENT_TYPE})

    async def _monitors(self, _: web.Request) -> web.Response:
        rows = await self._vitals.monitors()
        return web.Response(body=msgspec.json.encode(rows), content_type="application/json")

    async def _status(self, _: web.Request) -> web.Response:
        return web.Response(body=msgspec.json.encode(self._vitals.status()), content_type="application/json")


def _verdict(reason: str | None) -> web.Response:
    return web.Response(text="ok\n") if reason is None else web.Response(text=f"{reason}\n", status=503)
