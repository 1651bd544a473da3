"""The detector of the rules `drift` and `traffic_mix` behind river's contract: the same kernel, limits and onset as in a live monitor."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stream.core.detectors import design
from stream.core.events import Rule
from stream.core.evidence import parts_of_change
from stream.core.kernel import (
    ALARM,
    LEARNED,
    LEARNT,
    SEEN,
    advance,
    derive,
)
from stream.core.onset import onset_ages
from stream.core.reference import is_stable
from stream.core.rules import shown
from stream.core.settings import EngineSettings
from stream.core.state import new_state
from stream.core.window import since
from stream.detectors.detector import Categories, Contributor, largest_first, require_category

_DEFAULTS = EngineSettings()


class Calibrated:
    """Alarms once in `settings.false_alarm_interval` responses on average while nothing changes, and soon after a change.

    The first `settings.learn_from` responses are its reference, unless `reference` has counts by category (k,); after a detection it
    begins anew in the same way. The slow check of monitors is no part of it.
    Statistic and threshold are in nats of evidence, ln(1 + Σ w R) (docs/statistics.md, "Detector").
    `rule` is `drift`, or `traffic_mix` for the mix of requests alone.

    Raises:
        ValueError: the reference does not have one count for each category, or the taxonomy has no request kinds for `traffic_mix`.

    Examples:
        >>> detector = Calibrated(reference=[9_000, 100, 300, 300, 300])
        >>> for _ in range(40):
        ...     detector.update(4)
        ...     if detector.drift_detected:
        ...         break
        >>> detector.contributors[0].category
        4
    """

    def __init__(
        self,
        settings: EngineSettings = _DEFAULTS,
        *,
        reference: Sequence[int] | None = None,
        rule: Rule = Rule.DRIFT,
    ) -> None:
        self._design = design(replace(settings, traffic_mix=rule is Rule.TRAFFIC_MIX))
        rules = [channel.rule for channel in self._design.channels]
        if rule not in rules:
            raise ValueError(f"rule must be one of {', '.join(rules)} for this taxonomy, got {rule}")
        self._channel = rules.index(rule)
        self._reference = None if reference is None else np.array(reference, np.int64)
        if self._reference is not None:
            k = len(settings.taxonomy)
            if self._reference.shape != (k,) or self._reference.min() < 0 or not self._reference.sum():
                raise ValueError(f"reference must have {k} counts of at least 0, not all 0, got {reference}")
        self._one = np.zeros(1, np.uint8)
        self._times = np.zeros(1, np.int64)
        self._before = 0
        self._begin()

    @property
    def drift_detected(self) -> bool:
        """Whether the last update raised an alarm."""
        return self._detected

    @property
    def statistic(self) -> float:
        """Nats of evidence that something changed."""
        return shown(self._state.belief.statistic[self._channel])

    @property
    def threshold(self) -> float:
        """Nats of evidence that raise an alarm."""
        return shown(self._state.plan.limit[self._channel])

    @property
    def onset(self) -> int | None:
        """At a detection the median of the onset's posterior, as a response counted from 0."""
        return self._onset

    @property
    def contributors(self) -> tuple[Contributor, ...]:
        """At a detection each category's part of KL(level since the onset, reference) in the streams that are watched."""
        return self._contributors

    def update(self, x: int) -> None:
        """Counts the category of one response.

        Raises:
            ValueError: x is no category.
        """
        self._one[0] = require_category(x, len(self._design.settings.taxonomy))
        self.scan(self._one)

    def scan(self, categories: Categories) -> int:
        """Updates up to and including the first response that raises an alarm; returns how many were taken."""
        if self._detected and len(categories):
            self._before += int(self._state.counts.scalars[SEEN])
            self._begin()
        times = self._times if len(categories) == 1 else np.zeros(len(categories), np.int64)
        index, state = 0, self._state
        while index < len(categories) and not self._detected:
            index, code = advance(categories, times, index, state.counts, state.belief, state.plan)
            if code & LEARNED:
                self._learn()
            if code & (ALARM << self._channel):
                self._detect()
        state.counts.latest[:] = -1
        return index

    def _begin(self) -> None:
        self._state = new_state(self._design)
        self._detected = False
        self._onset: int | None = None
        self._contributors: tuple[Contributor, ...] = ()
        belief = self._state.belief
        belief.firing[: self._channel] = 1  # another rule's alarm is none of this detector
        if self._reference is not None:
            belief.counts[:] = self._reference
            self._judge()

    def _judge(self) -> None:
        """Take the reference into use."""
        counts, belief = self._state.counts, self._state.belief
        counts.scalars[LEARNT] = -1
        derive(counts, belief, self._state.plan)
        belief.begun[:] = counts.scalars[SEEN]

    def _learn(self) -> None:
        """Take what was learned into use, or learn afresh because it was not at rest."""
        counts, belief = self._state.counts, self._state.belief
        if is_stable(counts.cuts, belief.counts[0], self._design.channels[0].streams):
            self._judge()
        else:
            counts.scalars[LEARNT] = 0
            belief.counts[:] = 0
            belief.size[:] = 0

    def _detect(self) -> None:
        state, watching = self._state, self._design.channels[self._channel]
        age = onset_ages(state, self._design, self._channel).median
        stretch = since(state.counts, age)
        parts, _ = parts_of_change(self._design, watching, stretch.counts, state.belief.counts[self._channel])
        self._detected = True
        self._onset = self._before + int(state.counts.scalars[SEEN]) - round(age)
        self._contributors = largest_first(parts)
