"""What a worker's process says of itself: the truth about its stages, asked of Kafka's own client and of the failure."""

import time
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from stream import times
from stream.config import Settings
from stream.health import MonitorRow, StageRow, Status, Vitals
from stream.kafka.presence import Presence
from stream.metrics import wall_clock
from stream.worker import glance
from stream.worker.app import group_name
from stream.worker.detect import DetectStage
from stream.worker.stage import Stage, Surroundings


def vitals_of(
    settings: Settings,
    stages: Sequence[Stage[Any]],
    detect: DetectStage | None,
    around: Surroundings,
    *,
    presence: Presence,
) -> Vitals:
    """Where the health endpoint takes its answers from."""

    async def monitors() -> Sequence[MonitorRow]:
        return [] if detect is None else await glance.rows(detect.states, detect.settings)

    def failure() -> str | None:
        return None if around.failure.error is None else str(around.failure.error)

    def unready() -> str | None:
        if away := presence.away():
            return away
        waiting = [stage.name for stage in stages if not stage.ready]
        return f"waiting for partitions and state of: {', '.join(waiting)}" if waiting else None

    def stuck() -> str | None:
        now, after = time.monotonic(), settings.worker.stuck_after_s
        found = [f"{stage.name}: {why}" for stage in stages if (why := stage.progress.stuck(now, after=after))]
        return "; ".join(found) or None

    def status() -> Status:
        return Status(
            version=version("valuedrift"),
            failure=failure(),
            unready=unready(),
            stuck=stuck(),
            stages=tuple(_row(stage, settings) for stage in stages),
            monitors=0 if detect is None else len(detect.states),
        )

    return Vitals(
        failure=failure,
        unready=unready,
        stuck=stuck,
        status=status,
        metrics=around.metrics.text,
        monitors=monitors,
    )


def _row(stage: Stage[Any], settings: Settings) -> StageRow:
    committed = wall_clock(stage.progress.last_commit())
    return StageRow(
        name=stage.name,
        group=group_name(settings, stage.name),
        ready=stage.ready,
        lag=int(stage.progress.lag()),
        last_commit=None if committed is None else times.render(round(committed) * 1_000_000),
    )
