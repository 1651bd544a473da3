"""What the engine is told: validated where it is made, hashed so that state under other settings is never misread."""

import hashlib
import math
from dataclasses import dataclass, fields
from typing import Literal

from stream.core.aged import AGES, SECOND
from stream.core.events import Rule
from stream.core.limits import Limit, NoData
from stream.core.scenarios import moves
from stream.core.taxonomy import PAPER, Taxonomy
from stream.core.watchers import Watcher

Watch = Literal["behaviour", "all"]

FEWEST = 100
"""Responses that a reference must have: with fewer, rare behaviours would not be in it at all."""
MOST_SCENARIOS = 8
"""Changes that may be declared: each one more delays the others."""
MOST = 10**12
"""Responses that a reference may have, so that no sum overflows."""
ATTRIBUTES = 4
"""Attributes that may be contrasted: each makes a monitor about twice as large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Everything that decides what a monitor emits; units are responses unless said otherwise.

    `false_alarm_interval` is the mean number of responses between false alarms of one monitor and rule. `epsilon` (nats per
    stride, the paper's ε) switches the entropy-rate rule on; None leaves it off. `sigma` (nats per stride, the paper's σ: dS/dt of the base
    model) decides nothing: with it drift events carry γ_eff = σ - dS/dt. `reference` (counts by category) is what every monitor is judged
    against from its first response; without it each learns its own from its first `learn_from` responses. `scenarios` are changes, in the
    words of `stream.core.scenarios`, that the drift rule finds sooner than others. With `guarantee` the interval of
    a reference that is known is never shorter than `false_alarm_interval`, and on average longer. `limits` and
    `no_data` are rules that are judged beside drift; a response is low in confidence below `confident_from`, which only that rule needs.
    `contrast` names the attributes among whose values the change of an alert is shared out. `watchers` are rules whose detectors stand
    outside the core. With `window_age` (microseconds) S(t), and the rules that look at it, go by the responses of so long in event time.

    Raises:
        ValueError: a setting is out of range; the message names it.
    """

    taxonomy: Taxonomy = PAPER
    window: int = 500
    stride: int = 50
    learn_from: int = 1000
    false_alarm_interval: int = 10_000
    watch: Watch = "behaviour"
    scenarios: tuple[str, ...] = ()
    guarantee: bool = False
    traffic_mix: bool = True
    epsilon: float | None = None
    sigma: float | None = None
    reference: tuple[int, ...] | None = None
    limits: tuple[Limit, ...] = ()
    confident_from: float | None = None
    no_data: NoData | None = None
    contrast: tuple[str, ...] = ()
    watchers: tuple[Watcher, ...] = ()
    window_age: int | None = None

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise ValueError(f"stride must be at least 1 response, got {self.stride}")
        if self.window < self.stride or self.window % self.stride:
            raise ValueError(f"window must be a multiple of stride ({self.stride}), got {self.window}")
        if self.learn_from < FEWEST:
            raise ValueError(f"learn_from must be at least {FEWEST} responses, got {self.learn_from}")
        if self.window_age is not None and not AGES[0] <= self.window_age <= AGES[1]:
            raise ValueError(f"window_age must be 1 second to 366 days, got {self.window_age / SECOND:g} s")
        self._check_limits()
        self._check_contrast_and_watchers()
        if self.reference is not None:
            self._check_reference(self.reference)
        if self.false_alarm_interval < 100:
            raise ValueError(f"false_alarm_interval must be at least 100 responses, got {self.false_alarm_interval}")
        if self.watch not in ("behaviour", "all"):
            raise ValueError(f"watch must be 'behaviour' or 'all', got {self.watch!r}")
        self._check_scenarios()
        if self.epsilon is not None and not self.epsilon > 0:
            raise ValueError(f"epsilon must be above 0 nats per stride, got {self.epsilon}")
        if self.sigma is not None and not math.isfinite(self.sigma):
            raise ValueError(f"sigma must be a finite number of nats per stride, got {self.sigma}")

    def _check_scenarios(self) -> None:
        if len(self.scenarios) > MOST_SCENARIOS:
            raise ValueError(f"scenarios must be at most {MOST_SCENARIOS}, got {len(self.scenarios)}")
        if len(set(self.scenarios)) < len(self.scenarios):
            raise ValueError("scenarios must differ from each other")
        for text in self.scenarios:
            try:
                parts = moves(text, self.taxonomy)
            except ValueError as error:
                raise ValueError(f"scenarios: {error}") from None
            if self.watch == "behaviour" and all(part.mix for part in parts):
                raise ValueError(
                    f"scenarios: {text!r} moves the mix of requests only, which the drift rule watches with watch = 'all'"
                )

    def _check_limits(self) -> None:
        keys = [(limit.rule, limit.category) for limit in self.limits]
        if len(set(keys)) < len(keys):
            raise ValueError("there may be only one limit for the same number")
        for limit in self.limits:
            if limit.min_n > self.window and self.window_age is None:
                raise ValueError(f"min_n must be at most the window of {self.window}, got {limit.min_n}")
            if (limit.rule is Rule.CATEGORY_SHARE) != (limit.category in range(len(self.taxonomy))):
                raise ValueError(f"a share's limit, and no other, has a category of the taxonomy, got {limit.category}")
        if any(limit.rule is Rule.LOW_CONFIDENCE for limit in self.limits) != (self.confident_from is not None):
            raise ValueError("confident_from belongs to a limit of low_confidence, and must be set with one")
        if self.confident_from is not None and not 0 < self.confident_from <= 1:
            raise ValueError(f"confident_from must lie between 0 and 1, got {self.confident_from}")

    def _check_contrast_and_watchers(self) -> None:
        if len(self.contrast) > ATTRIBUTES or len(set(self.contrast)) < len(self.contrast) or "" in self.contrast:
            raise ValueError(
                f"contrast must name at most {ATTRIBUTES} attributes, each once, got {list(self.contrast)}"
            )
        names = [watcher.name for watcher in self.watchers]
        if len(set(names)) < len(names):
            raise ValueError(f"watchers must have names of their own, got {names}")
        for watcher in self.watchers:
            if watcher.category not in (None, *range(len(self.taxonomy))):
                raise ValueError(f"a watcher's category must be one of the taxonomy, got {watcher.category}")
            if watcher.memory * self.stride < self.window:
                raise ValueError(
                    f"memory must reach over the window of {self.window}, got {watcher.memory} strides of {self.stride}"
                )

    def _check_reference(self, counts: tuple[int, ...]) -> None:
        if len(counts) != len(self.taxonomy):
            raise ValueError(f"reference must have {len(self.taxonomy)} counts, one a behaviour, got {len(counts)}")
        if min(counts) < 0 or not FEWEST <= sum(counts) <= MOST:
            raise ValueError(
                f"reference must have counts of 0 or more, {FEWEST} to {MOST:,} together, got {sum(counts)}"
            )

    @property
    def fingerprint(self) -> str:
        """First 16 hex digits of the SHA-256 of all settings: equal for equal settings, on every machine."""
        text = "\n".join(f"{field.name}={getattr(self, field.name)!r}" for field in fields(self))
        return hashlib.sha256(text.encode()).hexdigest()[:16]
