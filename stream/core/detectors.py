"""The detector behind `drift` and `traffic_mix`: a Shiryaev-Roberts mixture over shifts of nested yes/no streams.

For each alternative j the kernel keeps R_j, the sum over all possible onsets of the likelihood ratio "changed by j then" against "not
changed", and alarms when Σ w_j R_j reaches a limit A. As R_j - n is a martingale while nothing changes, A follows from the wanted
interval between false alarms alone. Method, calibration and measured figures: docs/statistics.md, "Detector".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from stream.core.alternatives import Grid, grid, moved
from stream.core.entropy import request_kinds
from stream.core.events import Rule
from stream.core.kernel import CLOSED, POWER, SEEN, SHORT, Belief, Counts, Plan
from stream.core.scenarios import Move, moves
from stream.core.settings import EngineSettings
from stream.core.streams import TRAFFIC, Stream, nested_streams, sides, watched

OVERSHOOT = {True: 0.70, False: 0.71}
"""Limit over interval, for one stream alone and for several: sums jump past the limit, so a lower one gives the wanted interval."""
OVERSHOOT_DECLARED = 0.65
"""The same where changes are declared, most of which are larger than the grid's and jump further."""
CEILING = 0.25
"""Share of the limit up to which onsets without evidence may add up."""


@dataclass(frozen=True, slots=True, eq=False)
class Channel:
    """What one rule watches: its streams, which of all streams they are (s,), and the alternatives that move them."""

    rule: Rule
    streams: tuple[Stream, ...]
    rows: npt.NDArray[np.bool_]
    alternatives: Grid


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """What all monitors of the same settings share. Channel 0 is the drift rule's; the arrays are those of `Plan` that never change."""

    settings: EngineSettings
    streams: tuple[Stream, ...]
    channels: tuple[Channel, ...]
    kinds: npt.NDArray[np.int8]
    side: npt.NDArray[np.int8]
    odds: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    ceiling: npt.NDArray[np.float64]
    base: npt.NDArray[np.float64]
    first_limit: npt.NDArray[np.float64]
    first: npt.NDArray[np.int64]
    moves: npt.NDArray[np.float64]
    fingerprint: bytes

    def part(self, channel: int) -> slice:
        """Places of a channel's alternatives."""
        return slice(int(self.first[channel]), int(self.first[channel + 1]))


@lru_cache(maxsize=64)
def design(settings: EngineSettings) -> Design:
    """Streams, channels, alternatives and limits that follow from settings.

    Raises:
        ValueError: the taxonomy leaves nothing to watch.
    """
    streams = nested_streams(settings.taxonomy)
    scenarios = [moves(text, settings.taxonomy) for text in settings.scenarios]
    channels = [_channel(Rule.DRIFT, streams, watched(streams, settings.watch), scenarios)]
    mix = tuple(stream for stream in streams if stream.name == TRAFFIC)
    if settings.traffic_mix and mix:
        channels.append(_channel(Rule.TRAFFIC_MIX, streams, mix, []))
    grids = [channel.alternatives for channel in channels]
    lengths = [len(part.odds) for part in grids]
    first = np.cumsum([0, *lengths])
    base = np.array([_overshoot(settings, channel) for channel in channels]) * settings.false_alarm_interval
    return Design(
        settings=settings,
        streams=streams,
        channels=tuple(channels),
        kinds=request_kinds(settings.taxonomy),
        side=sides(streams, len(settings.taxonomy)),
        odds=np.concatenate([part.odds for part in grids]),
        weight=np.concatenate([part.weight for part in grids]),
        ceiling=np.repeat(CEILING * base, lengths),
        base=base,
        first_limit=base * (1.0 + (SHORT / settings.learn_from) ** POWER),
        first=first,
        moves=np.array(
            [
                (first[1] - len(scenarios) + number, move.amount, move.value, *_parties(move, len(settings.taxonomy)))
                for number, scenario in enumerate(scenarios)
                for move in scenario
            ],
            np.float64,
        ).reshape(-1, 3 + len(settings.taxonomy)),
        fingerprint=bytes.fromhex(settings.fingerprint),
    )


def _overshoot(settings: EngineSettings, channel: Channel) -> float:
    """Limit over interval; with 1 the martingale alone promises that the interval is no shorter."""
    if settings.guarantee:
        return 1.0
    if settings.scenarios and channel.rule is Rule.DRIFT:
        return OVERSHOOT_DECLARED
    return OVERSHOOT[len(channel.streams) == 1]


def _channel(
    rule: Rule, streams: tuple[Stream, ...], chosen: tuple[Stream, ...], scenarios: Sequence[tuple[Move, ...]]
) -> Channel:
    shifts = grid(streams, chosen)
    declared = moved(streams, chosen, scenarios)
    alternatives = Grid(
        np.array([*shifts.odds.tolist(), *declared]), np.array([*shifts.weight.tolist(), *(0.0 for _ in declared)])
    )
    return Channel(rule, chosen, np.array([stream in chosen for stream in streams]), alternatives)


def _parties(move: Move, categories: int) -> list[int]:
    return [1 if place in move.rise else -1 if place in move.pays else 0 for place in range(categories)]


def new_plan(plan_of: Design) -> Plan:
    """A plan without a reference yet: the kernel writes what follows from one."""
    alternatives = len(plan_of.odds)
    return Plan(
        ratio=np.empty((len(plan_of.settings.taxonomy), alternatives)),
        prior=np.empty(alternatives),
        limit=plan_of.first_limit.copy(),
        odds=plan_of.odds,
        weight=plan_of.weight,
        ceiling=plan_of.ceiling,
        side=plan_of.side,
        base=plan_of.base,
        first=plan_of.first,
        moves=plan_of.moves,
    )


def restart(counts: Counts, belief: Belief, plan_of: Design, channel: int) -> None:
    """Forget a channel's evidence: the next response is the first that counts."""
    belief.sums[plan_of.part(channel)] = 0.0
    belief.statistic[channel] = 0.0
    belief.begun[channel] = counts.scalars[SEEN]


def hold(counts: Counts, belief: Belief, channel: int, *, firing: bool) -> None:
    """Begin or end a channel's alarm: what has not joined its reference by then, and what comes until the end, never does."""
    belief.firing[channel] = firing
    belief.joins[channel] = counts.scalars[CLOSED] + 1


def leading(belief: Belief, plan: Plan, plan_of: Design, channel: int) -> npt.NDArray[np.bool_]:
    """Which streams (s,) the alternative with most evidence moves."""
    part = plan_of.part(channel)
    moves: npt.NDArray[np.bool_] = plan_of.odds[part][np.argmax(plan.prior[part] * belief.sums[part])] != 1.0
    return moves
