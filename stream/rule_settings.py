"""Which rules judge the stream, and how: `[rules]` of the settings, one table for each rule, and what the core makes of it."""

from typing import Annotated, Literal

from pydantic import Field

from stream.core.events import Rule, Severity
from stream.core.limits import Limit, NoData, Silence
from stream.core.settings import Watch
from stream.core.taxonomy import Taxonomy
from stream.core.watchers import Watcher
from stream.section import Section

RuleName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")]


class DriftRule(Section):
    """The calibrated rule; `false_alarm_interval` is the mean number of responses between false alarms of one monitor and rule.

    `scenarios` are changes that it finds sooner than others, such as `helpful_misaligned=3%`. With `guarantee` the interval of a reference
    that is known is never shorter than that.
    """

    false_alarm_interval: int = 10_000
    watch: Watch = "behaviour"
    scenarios: tuple[str, ...] = ()
    guarantee: bool = False


class TrafficMixRule(Section):
    """An information when the users' requests changed though the model did not."""

    enabled: bool = True


class EntropyRateRule(Section):
    """The paper's rule abs(ΔS) > ε, with ε in nats per stride; it fires on noise, so it is off unless enabled."""

    enabled: bool = False
    epsilon: float = 0.001


class LimitRule(Section):
    """Bounds for one number of the window; it fires when the number is beyond one for certain, and resolves when it is back within.

    `critical_at` is a bound further out, from which on an alert is critical.
    """

    above: float | None = None
    below: float | None = None
    confidence: float = 0.99
    min_n: int = 200
    severity: Severity = Severity.WARNING
    critical_at: float | None = None

    def limit(self, rule: Rule, category: int | None = None) -> Limit:
        """The same for the core."""
        return Limit(rule=rule, category=category, **self.model_dump(include=set(LimitRule.model_fields)))


class EntropyLevelRule(LimitRule):
    """Bounds for the entropy of the window, in nats."""

    enabled: bool = False


class LowConfidenceRule(LimitRule):
    """A bound for the share of responses that the classifier is less sure of than `threshold`."""

    enabled: bool = False
    threshold: float = 0.5
    above: float | None = 0.2


class NoDataRule(Section):
    """What silence of a monitor means: nothing (`hold`), an alert, or the end of its open alerts; after `after_s` seconds."""

    policy: Literal["hold", "alert", "resolve"] = "hold"
    after_s: Annotated[float, Field(ge=1)] = 3600
    severity: Severity = Severity.WARNING

    def silence(self) -> NoData | None:
        """The same for the core, None where silence means nothing."""
        if self.policy == "hold":
            return None
        return NoData(after=round(self.after_s * 1_000_000), policy=Silence(self.policy), severity=self.severity)


class RiverRule(Section):
    """A detector of river's (`ADWIN`, `KSWIN`, `PageHinkley`) with its own parameters, on the window's entropy or a behaviour's share.

    It is given one number a stride: S(t) of the window (`watch = "entropy"`), or the share of a behaviour in the stride. A monitor
    keeps at most twice `memory` of them.
    """

    detector: str
    watch: str = "entropy"
    parameters: dict[str, int | float | str] = Field(default_factory=dict)
    memory: int = 256
    severity: Severity = Severity.WARNING

    def watcher(self, name: str, taxonomy: Taxonomy) -> Watcher:
        """The same for the core.

        Raises:
            ValueError: a value cannot be used; the message names it.
        """
        from stream.detectors.durable import durable  # noqa: PLC0415 - river is loaded only where a rule needs it

        if self.watch not in ("entropy", *taxonomy.names):
            raise ValueError(f"watch must be entropy or one of {', '.join(taxonomy.names)}, got {self.watch!r}")
        return Watcher(
            name=name,
            detector=durable(self.detector, self.parameters, memory=self.memory),
            category=None if self.watch == "entropy" else taxonomy.index(self.watch),
            memory=self.memory,
            severity=self.severity,
        )


class Rules(Section):
    """Which rules judge the stream. `category_share` has bounds for the share of behaviours by name, `river` detectors by any name."""

    drift: DriftRule = DriftRule()
    traffic_mix: TrafficMixRule = TrafficMixRule()
    entropy_rate: EntropyRateRule = EntropyRateRule()
    entropy_level: EntropyLevelRule = EntropyLevelRule()
    category_share: dict[str, LimitRule] = Field(default_factory=dict)
    low_confidence: LowConfidenceRule = LowConfidenceRule()
    no_data: NoDataRule = NoDataRule()
    river: dict[RuleName, RiverRule] = Field(default_factory=dict)

    def watchers(self, taxonomy: Taxonomy) -> tuple[Watcher, ...]:
        """The detectors that are set, in order of their names.

        Raises:
            ValueError: one cannot be used; the message names the section.
        """
        found = []
        for name, rule in sorted(self.river.items()):
            try:
                found.append(rule.watcher(name, taxonomy))
            except ValueError as error:
                raise ValueError(f"[rules.river.{name}] {error}") from None
        return tuple(found)

    def limits(self, taxonomy: Taxonomy) -> tuple[Limit, ...]:
        """The bounds that are set.

        Raises:
            ValueError: one is out of range, or of a behaviour that the taxonomy lacks; the message names the section.
        """
        chosen = [(Rule.CATEGORY_SHARE, name, rule) for name, rule in sorted(self.category_share.items())]
        found = []
        for kind, name, rule in (
            *([(Rule.ENTROPY_LEVEL, None, self.entropy_level)] if self.entropy_level.enabled else []),
            *chosen,
            *([(Rule.LOW_CONFIDENCE, None, self.low_confidence)] if self.low_confidence.enabled else []),
        ):
            try:
                found.append(rule.limit(kind, None if name is None else taxonomy.index(name)))
            except ValueError as error:
                section = ".".join(filter(None, ("rules", kind.value, name)))
                raise ValueError(f"[{section}] {error}") from None
        return tuple(found)
