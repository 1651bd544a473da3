"""What a rule does on a constant model, and how long it takes to see an injected change."""

import math

import msgspec
import numpy as np

from models.labels import LABELS
from stream.core.events import Rule
from stream.core.settings import EngineSettings
from stream.experiments.injection import Floats, Injection, unchanged
from stream.experiments.judging import EpsilonRule, Judge, entropy_steps, epsilon_alarms, first_after

PAPER_EPSILON = 0.001

INTERVALS = (1_000, 10_000, 100_000)

LEARN = 1_000

LEAD = 2_000
"""Responses between the end of learning and the change."""

HORIZON = 20_000
"""Responses after the change within which an alarm counts; later is missed."""

CALM = 2_000_000
"""Responses of a constant model from which ε is chosen."""

WANTED = 10_000
"""Responses between false alarms at which the rules are compared."""


class Calm(msgspec.Struct, frozen=True):
    """A constant model under the paper's rule: share of steps that fire at ε = 0.001, sd of ΔS, and ε for each wanted interval."""

    fires: float
    spread: float
    chosen: list[float]


class Delays(msgspec.Struct, frozen=True):
    """One injection under one rule: delays in responses (None: missed), runs left out for an earlier alarm, and such alarms (`early`)."""

    delays: list[int | None]
    spoiled: int
    early: int
    runs: int
    in_time: int


def calm_under(shares: Floats, window: int, stride: int, rng: np.random.Generator) -> Calm:
    """Returns how the paper's rule behaves on a constant model with these shares."""
    categories = Injection(name="", change=unchanged).draw(shares, CALM, 0, rng)
    steps = np.abs(entropy_steps(categories, len(LABELS), window=window, stride=stride))
    return Calm(
        fires=float((steps > PAPER_EPSILON).mean()),
        spread=float(np.sqrt((steps**2).mean())),
        chosen=[float(np.quantile(steps, 1 - stride / interval)) for interval in INTERVALS],
    )


def delays_of(
    injection: Injection,
    rule: EpsilonRule | None,
    shares: Floats,
    runs: int,
    rng: np.random.Generator,
    engine_rule: Rule = Rule.DRIFT,
) -> Delays:
    """The same draws for every rule, because each begins from the same generator; None is the calibrated rule."""
    at = LEARN + LEAD
    judge = Judge(EngineSettings(window=500, stride=500, learn_from=LEARN, false_alarm_interval=WANTED), at + HORIZON)
    delays: list[int | None] = []
    early = spoiled = in_time = 0
    for _ in range(runs):
        categories = injection.draw(shares, at + HORIZON, at, rng)
        if rule is None:
            alarms = np.array(judge.alarms(categories, engine_rule, enough_after=at), np.int64)
        else:
            alarms = epsilon_alarms(categories, len(LABELS), rule)
        before = int(((alarms > LEARN) & (alarms <= at)).sum())
        early += before
        if rule is None and before:
            spoiled += 1  # an open alert fires no second time
            continue
        first = first_after(alarms, at)
        delays.append(None if first is None else first - at)
        in_time += first is not None and first - at <= injection.ramp
    return Delays(delays, spoiled, early, runs, in_time)


def summary(found: Delays) -> tuple[float | None, float | None, float]:
    """Median and 90th percentile of the delay (a missed change is later than any), and the share missed."""
    if not found.delays:
        return None, None, math.nan
    values = np.array([math.inf if delay is None else delay for delay in found.delays])
    middle, late = np.quantile(values, (0.5, 0.9), method="higher")
    return float(middle), float(late), float(np.isinf(values).mean())
