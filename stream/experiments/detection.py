"""Experiment (c), of changes: how late the fixed ε and the calibrated rule see them, and what entropy alone cannot tell."""

import math

from stream.experiments.delays import LEAD, Delays, summary
from stream.experiments.findings import Basis, Cell, Finding, Table
from stream.experiments.injection import INJECTIONS
from stream.experiments.judging import EpsilonRule

Outcomes = dict[tuple[str, int], Delays]
"""By the injection's name, and the rule's place."""


def compared(rules: list[EpsilonRule | None], found: Outcomes, model: str) -> Finding:
    """How late each rule sees each change that is injected into the model's traffic, and how often it alarms before."""
    rows = []
    for name in dict.fromkeys(name for name, _ in found):
        row: list[str | float | None] = [name]
        for number in range(len(rules)):
            middle, late, missed = summary(found[name, number])
            row += [middle, late, missed]
        rows.append(tuple(row))
    header = ["injected into " + model]
    for rule in rules:
        label = "calibrated" if rule is None else f"ε {rule.epsilon:.3g}, {rule.window}"
        header += [f"{label}: {part}" for part in ("median", "90 %", "missed")]
    quiet = tuple(
        (_name(rule), sum(each.early for (_, at), each in found.items() if at == number), _quiet(found, number))
        for number, rule in enumerate(rules)
    )
    ramps = [injection for injection in INJECTIONS if injection.ramp]
    before: tuple[tuple[Cell, ...], ...] = tuple(
        (injection.name, *(_share(found[injection.name, number]) for number in range(len(rules))))
        for injection in ramps
    )
    return Finding(
        heading="At the same rate of false alarms the calibrated rule sees changes that ε misses",
        basis=Basis.RESAMPLED,
        words=(
            (
                "Delays are in responses after the change began; a run without an alarm within the horizon counts "
                "as missed and as later than any. The "
                "first two ε rules are set to one false alarm in 10,000 responses like the calibrated rule; the "
                "last is the paper's. Its short delays are "
                "no detection: it fires as soon on the constant model in the first row."
            ),
            (
                "ΔS compares two windows that overlap by nine tenths, so it sees the speed of a change, not its "
                "size: once a new level is reached, nothing "
                "is left to see. A slow change never moves ΔS above its noise at all."
            ),
        ),
        tables=(
            Table(
                name="delays",
                caption="Delay in responses: median, 90th percentile, share missed",
                header=tuple(header),
                rows=tuple(rows),
            ),
            Table(
                name="quiet",
                caption="False alarms between learning and change, all injections together",
                header=("rule", "false alarms", "responses between false alarms"),
                rows=quiet,
            ),
            Table(
                name="in_time",
                caption="Gradual drifts: share of runs in which the alarm came before the drift was complete",
                header=("drift", *map(_name, rules)),
                rows=before,
            ),
        ),
    )


def _quiet(found: Outcomes, number: int) -> float:
    early = sum(each.early for (_, at), each in found.items() if at == number)
    runs = sum(each.runs for (_, at), each in found.items() if at == number)
    return runs * LEAD / early if early else math.inf


def _share(found: Delays) -> float:
    return found.in_time / len(found.delays) if found.delays else math.nan


def _name(rule: EpsilonRule | None) -> str:
    return "calibrated" if rule is None else rule.name


def blind(rules: list[EpsilonRule | None], found: Outcomes, traffic: Delays) -> Finding:
    """What entropy makes of a swap, which it cannot see, and of the users' own change, which it takes for the model's."""
    swap = next(injection.name for injection in INJECTIONS if "change places" in injection.name)
    only = INJECTIONS[-1].name
    rows: list[tuple[Cell, ...]] = [
        (swap, "calibrated (behaviour)", *summary(found[swap, 0])),
        (swap, _name(rules[2]), *summary(found[swap, 2])),
        (only, "calibrated (behaviour): should stay silent", *summary(found[only, 0])),
        (only, "traffic_mix (information)", *summary(traffic)),
        (only, _name(rules[2]), *summary(found[only, 2])),
    ]
    return Finding(
        heading="Entropy is blind to a swap, and takes the users' change for the model's",
        basis=Basis.RESAMPLED,
        words=(
            (
                "When misaligned help and appropriate refusal change places, S is the same to the last digit "
                "before and after; ΔS only sees the short "
                "passage between them. When users send more harmful requests, S moves though the model did not; "
                "the calibrated rule watches "
                "behaviour given the request, and a separate rule reports the traffic."
            ),
        ),
        tables=(
            Table(
                name="blind",
                caption="Median delay, 90th percentile, share missed",
                header=("what changes", "rule", "median", "90 %", "missed"),
                rows=tuple(rows),
            ),
        ),
    )
