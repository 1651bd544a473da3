"""Detectors that can be made again and again with another setting of their knob, and how they are named on the command line."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from stream.core.settings import EngineSettings
from stream.detectors.calibrated import Calibrated
from stream.detectors.detector import Detector
from stream.detectors.epsilon import Epsilon
from stream.detectors.from_river import OnEntropy, OnShares

Number = float | int | str
LEAST, MOST = 100, 10_000_000
"""Settings of the calibrated knob that are tried."""
KNOWN = 10**13
"""Responses of a reference that is known: so many that its error is nothing."""


@dataclass(frozen=True, slots=True)
class Knob:
    """The parameter that sets how often a detector alarms: where a search starts, its bounds, and whether more of it means fewer alarms."""

    name: str
    start: float
    low: float
    high: float
    calms: bool


_KNOBS = {
    "ADWIN": Knob("delta", 1e-4, 1e-300, 0.999, calms=False),
    "KSWIN": Knob("alpha", 1e-4, 1e-300, 0.999, calms=False),
    "PageHinkley": Knob("threshold", 20.0, 1e-3, 1e6, calms=True),
    "HDDM_A": Knob("drift_confidence", 1e-4, 1e-300, 0.999, calms=False),
    "HDDM_W": Knob("drift_confidence", 1e-4, 1e-300, 0.999, calms=False),
    "DDM": Knob("drift_threshold", 3.0, 0.1, 1e3, calms=True),
}
"""Of river's detectors those that have one number for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A detector as people read it, its knob (None: it is used as it is), and what makes it with a setting of the knob."""

    name: str
    knob: Knob | None
    make: Callable[[float | None], Detector]


def calibrated(
    settings: EngineSettings, *, name: str = "calibrated", reference: tuple[float, ...] | None = None
) -> Recipe:
    """The detector of the rule `drift`; `reference` are its shares if they are known, otherwise it learns them."""
    knob = Knob("false_alarm_interval", settings.false_alarm_interval, LEAST, MOST, calms=True)
    counts = None if reference is None else tuple(round(share * KNOWN) for share in reference)
    return Recipe(name=name, knob=knob, make=partial(_calibrated, settings, counts))


def recipe(text: str, settings: EngineSettings) -> Recipe:
    """The recipe that a text names: `calibrated`, `epsilon:window=100,stride=1`, `ADWIN:on=shares,clock=1` or any of river's detectors.

    `on` is `shares` (one detector a category, the default) or `entropy` (S of the last `window` responses, 100 by default); all else is
    passed to river. The knob's own parameter, where it is given, is used as it is.

    Raises:
        ValueError: the text names no detector, or a parameter that it does not have.
    """
    name, _, rest = text.partition(":")
    given = dict(_parameter(part, text) for part in rest.split(",") if part)
    if name == "calibrated":
        _only(given, ("false_alarm_interval",), text)
        wanted = given.get("false_alarm_interval")
        if wanted is not None:
            settings = replace(settings, false_alarm_interval=_whole(wanted, "false_alarm_interval"))
        made = calibrated(settings)
        return made if wanted is None else replace(made, name=text, knob=None)
    if name == "epsilon":
        _only(given, ("epsilon", "window", "stride"), text)
        window, stride = (_whole(given.pop(key, default), key) for key, default in (("window", 100), ("stride", 1)))
        fixed = given.get("epsilon")
        k = len(settings.taxonomy)
        make = partial(_epsilon, (window, stride, k), None if fixed is None else float(fixed))
        make(0.1 if fixed is None else None)
        title = f"ε rule, window {window}, stride {stride}" + (f", ε = {fixed}" if fixed is not None else "")
        return Recipe(
            name=title, knob=None if fixed is not None else Knob("epsilon", 0.1, 1e-6, 2.0, calms=True), make=make
        )
    return _river(name, given, len(settings.taxonomy))


def _river(name: str, given: dict[str, Number], k: int) -> Recipe:
    on = str(given.pop("on", "shares"))
    if on not in ("shares", "entropy"):
        raise ValueError(f"on must be shares or entropy, got {on!r}")
    window = _whole(given.pop("window", 100), "window")
    knob = _KNOBS.get(name)
    make = partial(_on_entropy if on == "entropy" else _on_shares, (name, window, k), tuple(given.items()))
    if knob is not None and knob.name in given:
        knob = None
    make = partial(make, knob.name if knob else None)
    make(knob.start if knob else None)  # a wrong name or parameter is told now, not after an hour
    watched = f"S of {window} responses" if on == "entropy" else "each share"
    extra = "".join(f", {key} = {value}" for key, value in given.items())
    return Recipe(name=f"{name} on {watched}{extra}", knob=knob, make=make)


def _calibrated(settings: EngineSettings, reference: tuple[int, ...] | None, setting: float | None) -> Detector:
    if setting is not None:
        settings = replace(settings, false_alarm_interval=round(setting))
    return Calibrated(settings, reference=reference)


def _epsilon(sizes: tuple[int, int, int], fixed: float | None, setting: float | None) -> Detector:
    window, stride, categories = sizes
    value = fixed if setting is None else setting
    if value is None:
        raise ValueError("epsilon needs a setting")
    return Epsilon(epsilon=value, window=window, stride=stride, categories=categories)


def _on_entropy(
    what: tuple[str, int, int], given: tuple[tuple[str, Number], ...], knob: str | None, setting: float | None
) -> Detector:
    name, window, categories = what
    return OnEntropy(name, _with(given, knob, setting), window=window, categories=categories)


def _on_shares(
    what: tuple[str, int, int], given: tuple[tuple[str, Number], ...], knob: str | None, setting: float | None
) -> Detector:
    return OnShares(what[0], _with(given, knob, setting), categories=what[2])


def _with(given: tuple[tuple[str, Number], ...], knob: str | None, setting: float | None) -> dict[str, Number]:
    return dict(given) | ({knob: setting} if knob is not None and setting is not None else {})


def _parameter(part: str, text: str) -> tuple[str, Number]:
    key, found, value = part.partition("=")
    if not found or not key or not value:
        raise ValueError(f"{text!r}: {part!r} must be NAME=VALUE")
    for kind in (int, float):
        try:
            return key, kind(value)
        except ValueError:
            continue
    return key, value


def _whole(value: Number, name: str) -> int:
    if isinstance(value, int):
        return value
    raise ValueError(f"{name} must be a whole number of responses, got {value!r}")


def _only(given: dict[str, Number], known: tuple[str, ...], text: str) -> None:
    for key in given:
        if key not in known:
            raise ValueError(f"{text!r}: {key} must be one of {', '.join(known)}")
