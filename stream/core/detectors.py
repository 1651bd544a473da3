"""The detector behind `drift` and `traffic_mix`: a Shiryaev-Roberts mixture over shifts of nested yes/no streams.

For each alternative j the kernel keeps R_j, the sum over all possible onsets of the likelihood ratio "changed by j then" against "not
changed", and alarms when Σ w_j R_j reaches a limit A. As R_j - n is a martingale while nothing changes, A follows from the wanted
interval between false alarms alone. Method, calibration and measured figures: docs/statistics.md, "Detector".
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from stream.core.alternatives import Grid, grid
from stream.core.entropy import request_kinds
from stream.core.kernel import Belief, Plan, tabulate
from stream.core.records import Rule
from stream.core.settings import EngineSettings
from stream.core.streams import TRAFFIC, Stream, nested_streams, sides, watched

OVERSHOOT = {True: 0.70, False: 0.72}
"""Limit over interval, for one stream alone and for several: sums jump past the limit, so a lower one gives the wanted interval."""
CEILING = 0.25
"""Share of the limit up to which onsets without evidence may add up."""
GROWTH = 1.5
"""The table of alternatives is made afresh each time the reference has grown by this factor."""


@dataclass(frozen=True, slots=True, eq=False)
class Channel:
    """What one rule watches: its streams and the alternatives that move them."""

    rule: Rule
    streams: tuple[Stream, ...]
    alternatives: Grid


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """What all monitors of the same settings share. Channel 0 is the drift rule's; the arrays are those of `Plan` that never change."""

    settings: EngineSettings
    streams: tuple[Stream, ...]
    side: npt.NDArray[np.int8]
    kinds: npt.NDArray[np.int8]
    channels: tuple[Channel, ...]
    odds: npt.NDArray[np.float64]
    group: npt.NDArray[np.int64]
    moves: npt.NDArray[np.int8]
    first: npt.NDArray[np.int64]
    first_group: npt.NDArray[np.int64]
    limit: npt.NDArray[np.float64]
    ceiling: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    fingerprint: bytes


@lru_cache(maxsize=64)
def design(settings: EngineSettings) -> Design:
    """Streams, channels, alternatives and limits that follow from settings.

    Raises:
        ValueError: the taxonomy leaves nothing to watch.
    """
    streams = nested_streams(settings.taxonomy)
    chosen = watched(streams, settings.watch)
    channels = [Channel(Rule.DRIFT, chosen, grid(streams, chosen))]
    mix = tuple(stream for stream in streams if stream.name == TRAFFIC)
    if settings.traffic_mix and mix:
        channels.append(Channel(Rule.TRAFFIC_MIX, mix, grid(streams, mix)))
    grids = [channel.alternatives for channel in channels]
    groups = np.cumsum([0] + [len(part.moves) for part in grids])
    limit = np.array([OVERSHOOT[len(channel.streams) == 1] for channel in channels]) * settings.false_alarm_interval
    return Design(
        settings=settings,
        streams=streams,
        side=sides(streams, len(settings.taxonomy)),
        kinds=request_kinds(settings.taxonomy),
        channels=tuple(channels),
        odds=np.concatenate([part.odds for part in grids]),
        group=np.concatenate([part.group + shift for part, shift in zip(grids, groups[:-1], strict=True)]),
        moves=np.concatenate([part.moves for part in grids]),
        first=np.cumsum([0] + [len(part.odds) for part in grids]),
        first_group=groups,
        limit=limit,
        weight=np.concatenate([part.weight for part in grids]),
        ceiling=np.repeat(CEILING * limit, [len(part.odds) for part in grids]),
        fingerprint=bytes.fromhex(settings.fingerprint),
    )


def new_plan(plan_of: Design) -> Plan:
    """A plan without a reference yet: `settle` writes each channel's part."""
    alternatives = len(plan_of.odds)
    return Plan(
        likelihood=np.ones((len(plan_of.settings.taxonomy), alternatives)),
        prior=np.zeros(alternatives),
        weight=plan_of.weight,
        ceiling=plan_of.ceiling,
        group=plan_of.group,
        moves=plan_of.moves,
        side=plan_of.side,
        first=plan_of.first,
        first_group=plan_of.first_group,
        limit=plan_of.limit,
        rebuild_at=np.full(len(plan_of.channels), np.inf),
    )


def settle(plan_of: Design, plan: Plan, anchors: npt.NDArray[np.int64], *, only: int | None = None) -> None:
    """Make the alternatives of all channels, or of one, the shifts of their reference counts in `anchors` (c, k)."""
    tabulate(anchors, plan_of.odds, (0, len(anchors)) if only is None else (only, only + 1), plan)
    plan.rebuild_at[:] = GROWTH * anchors.sum(axis=1)


def restart(belief: Belief, plan: Plan, channel: int, *, at: int) -> None:
    """Forget a channel's evidence: the next response, `at`, is the first that counts."""
    belief.sums[int(plan.first[channel]) : int(plan.first[channel + 1])] = 0.0
    belief.statistic[channel] = 0.0
    belief.begun[channel] = at


def leading_group(belief: Belief, plan: Plan, channel: int) -> npt.NDArray[np.int8]:
    """Which streams (s,) the alternative with most evidence moves: 1 moved, 0 not."""
    first, last = int(plan.first[channel]), int(plan.first[channel + 1])
    top = first + int(np.argmax(plan.prior[first:last] * belief.sums[first:last]))
    leading: npt.NDArray[np.int8] = plan.moves[plan.group[top]]
    return leading
