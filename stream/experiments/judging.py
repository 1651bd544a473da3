"""When two rules raise an alarm on a sequence of categories: the paper's abs(ΔS) > ε, and the calibrated one that ships."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream.core.engine import Engine
from stream.core.events import Rule, Status
from stream.core.records import Scored, Source
from stream.core.settings import EngineSettings
from stream.experiments.injection import Categories

Floats = npt.NDArray[np.float64]
CHUNK = 500


@dataclass(frozen=True, slots=True)
class EpsilonRule:
    """The paper's rule on windows of `window` responses, looked at every `stride`; `epsilon` is in nats per stride."""

    window: int
    stride: int
    epsilon: float

    @property
    def name(self) -> str:
        """The rule as people read it."""
        return f"ε = {self.epsilon:.3g}, window {self.window}, stride {self.stride}"


def entropy_steps(categories: Categories, behaviours: int, *, window: int, stride: int) -> Floats:
    """Returns ΔS (nats) between full windows one stride apart; the i-th is known after response window + (i + 1) stride."""
    full = categories[: len(categories) // stride * stride].reshape(-1, stride)
    panes = np.stack([(full == behaviour).sum(axis=1) for behaviour in range(behaviours)], axis=1)
    sums = np.concatenate([np.zeros((1, behaviours), np.int64), panes.cumsum(axis=0)])
    counts = sums[window // stride :] - sums[: -(window // stride)]
    shares = counts / window
    logs = np.log(np.where(counts > 0, shares, 1.0))
    steps: Floats = np.diff(-(shares * logs).sum(axis=1))
    return steps


def epsilon_alarms(categories: Categories, behaviours: int, rule: EpsilonRule) -> npt.NDArray[np.int64]:
    """Returns the responses (counted from 1) after which the rule fires."""
    steps = entropy_steps(categories, behaviours, window=rule.window, stride=rule.stride)
    alarms: npt.NDArray[np.int64] = rule.window + (np.flatnonzero(np.abs(steps) > rule.epsilon) + 1) * rule.stride
    return alarms


def first_after(alarms: npt.NDArray[np.int64], at: int) -> int | None:
    """Returns the first alarm after response `at`, None if there is none."""
    later = alarms[alarms > at]
    return int(later[0]) if len(later) else None


class Judge:
    """The engine that ships, fed with categories; stops reading as soon as it has said what was asked."""

    def __init__(self, settings: EngineSettings, longest: int) -> None:
        self._settings = settings
        self._ids = tuple(map(str, range(longest)))
        self._ts = np.arange(longest, dtype=np.int64) * 1_000_000 + 1_772_366_400_000_000

    def alarms(self, categories: Categories, rule: Rule, *, enough_after: int | None = None) -> list[int]:
        """Returns the responses (counted from 1) at which the rule opened an alert, up to the first one after `enough_after`."""
        engine = Engine(self._settings)
        found: list[int] = []
        for start in range(0, len(categories), CHUNK):
            end = min(start + CHUNK, len(categories))
            observed = engine.observe(
                Scored(
                    monitor="experiment",
                    classifier="labels",
                    source=Source("experiment", 0),
                    offset=np.arange(start, end),
                    event_id=self._ids[start:end],
                    ts=self._ts[start:end],
                    category=categories[start:end],
                    attributes={},
                )
            )
            found += [
                alert.seq + 1 for alert in observed.alerts if alert.rule is rule and alert.status is Status.FIRING
            ]
            if enough_after is not None and found and found[-1] > enough_after:
                break
        return found
