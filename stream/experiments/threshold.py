"""Experiment (c): what the fixed ε does on noise, how it would have to be chosen, and what it sees compared with the calibrated rule."""

import math
from functools import partial

import numpy as np

from stream.core.entropy import entropy
from stream.core.events import Rule
from stream.experiments import detection, drawing
from stream.experiments.delays import (
    CALM,
    HORIZON,
    INTERVALS,
    LEAD,
    LEARN,
    PAPER_EPSILON,
    WANTED,
    Calm,
    Delays,
    calm_under,
    delays_of,
)
from stream.experiments.drawing import Labels, Line
from stream.experiments.findings import Basis, Cell, Finding, Picture, Report, Table
from stream.experiments.injection import HARMFUL, INJECTIONS, Injection, generator, production_mix, unchanged
from stream.experiments.judging import EpsilonRule
from stream.experiments.rows import Labelled
from stream.experiments.units import Units

WINDOWS = ((100, 10), (500, 50), (1000, 100))

RUNS = 200


def run(labelled: Labelled, units: Units, *, seed: int, runs: int = RUNS) -> Report:
    """Returns the report; each model, window and injection is a piece that an interrupted run does not repeat."""
    models = tuple(model for model in ("gpt4", "mistralguard") if model in labelled.models) or labelled.models[:2]
    calm = {
        (model, window, stride): units.get(
            f"calm-{model}-{window}",
            Calm,
            partial(calm_under, production_mix(labelled, model), window, stride, generator(seed, place, window)),
        )
        for place, model in enumerate(models)
        for window, stride in WINDOWS
    }
    mix = production_mix(labelled, models[-1])
    wanted = INTERVALS.index(WANTED)
    rules: list[EpsilonRule | None] = [
        None,
        *(
            EpsilonRule(window, stride, calm[models[-1], window, stride].chosen[wanted])
            for window, stride in WINDOWS[:2]
        ),
        EpsilonRule(*WINDOWS[1], PAPER_EPSILON),
    ]
    constant = Injection(name="nothing (constant model)", change=unchanged)
    found = {
        (injection.name, number): units.get(
            f"delay-{place}-{number}",
            Delays,
            partial(delays_of, injection, rule, mix, runs, generator(seed, 1000 + place, 0)),
        )
        for place, injection in enumerate((constant, *INJECTIONS))
        for number, rule in enumerate(rules)
    }
    traffic = units.get(
        "traffic",
        Delays,
        partial(
            delays_of, INJECTIONS[-1], None, mix, runs, generator(seed, 1000 + len(INJECTIONS), 0), Rule.TRAFFIC_MIX
        ),
    )
    return Report(
        name="threshold",
        title="The threshold: why a fixed ε fires on noise, and what to use instead",
        question=(
            "The paper's monitor alerts when S moves by more than ε = 0.001 nats between two steps. How often "
            "does that happen when nothing "
            "changes, how would ε have to be chosen, and what is then still seen?"
        ),
        findings=(
            _noise(labelled, calm),
            _choice(calm),
            detection.compared(rules, found, models[-1]),
            detection.blind(rules, found, traffic),
        ),
        settings=(
            ("rows", labelled.name),
            ("traffic", f"{100 * HARMFUL:.0f} % harmful requests"),
            (
                "runs",
                f"{runs:,} an injection and rule; learning {LEARN:,}, lead {LEAD:,}, horizon {HORIZON:,} responses",
            ),
            ("constant model", f"{CALM:,} responses"),
            ("seed", str(seed)),
        ),
    )


def _noise(labelled: Labelled, calm: dict[tuple[str, int, int], Calm]) -> Finding:
    rows = tuple(
        (
            model,
            entropy_of(labelled, model),
            window,
            stride,
            found.spread,
            found.fires,
            stride / found.fires if found.fires else math.inf,
        )
        for (model, window, stride), found in calm.items()
    )
    return Finding(
        heading="On a model that does not change, the paper's rule fires most of the time",
        basis=Basis.RESAMPLED,
        words=(
            (
                "One response more or less in a window of 100 moves S by some hundredths of a nat. ε = 0.001 lies "
                "far below that, so the rule fires whenever "
                "the counts of the window change at all."
            ),
        ),
        tables=(
            Table(
                name="noise",
                caption="A constant model under abs(ΔS) > 0.001 (ΔS between windows one stride apart)",
                header=(
                    "model",
                    "S (nats)",
                    "window",
                    "stride",
                    "sd of ΔS",
                    "steps that fire",
                    "responses between alarms",
                ),
                rows=rows,
            ),
        ),
    )


def entropy_of(labelled: Labelled, model: str) -> float:
    """Returns S in nats of the model's mix in simulated traffic."""
    return entropy(np.rint(production_mix(labelled, model) * 1e9).astype(np.int64))


def _choice(calm: dict[tuple[str, int, int], Calm]) -> Finding:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (model, window, stride, *found.chosen) for (model, window, stride), found in calm.items()
    )
    ratios = [epsilon / PAPER_EPSILON for found in calm.values() for epsilon in found.chosen]
    series = [
        Line(label=f"{model}, window {window}", x=INTERVALS, y=found.chosen, style="o-")
        for (model, window, _), found in calm.items()
    ]
    return Finding(
        heading=(
            "ε has to be chosen for the model, the window and the wanted quiet, and then it is "
            f"{min(ratios):.0f} to {max(ratios):.0f} times larger"
        ),
        basis=Basis.RESAMPLED,
        words=(
            (
                "The smallest ε with the wanted mean number of responses between firings on a constant model: the "
                "quantile 1 - stride/interval of "
                "abs(ΔS). It follows from the window, the stride and the wanted quiet, and from the model's mix: these two "
                "mixes happen to need nearly the same, a purer one needs less. So it cannot be one constant; the rule "
                "that ships calibrates itself on the reference."
            ),
        ),
        tables=(
            Table(
                name="epsilon",
                caption="ε in nats per stride, by the wanted responses between false alarms",
                header=("model", "window", "stride", *(f"{interval:,}" for interval in INTERVALS)),
                rows=rows,
            ),
        ),
        pictures=(
            Picture(
                name="epsilon",
                caption="ε needed for a wanted false-alarm interval",
                png=drawing.lines(
                    series,
                    Labels(
                        x="responses between false alarms",
                        y="ε (nats per stride)",
                        log_x=True,
                        log_y=True,
                        mark=PAPER_EPSILON,
                        marked="the paper's ε",
                    ),
                ),
            ),
        ),
    )
