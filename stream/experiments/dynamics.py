"""Experiment (b): entropy over 1,000 steps for base and tuned models, the rate σ, and γ_eff = σ - dS/dt."""

import math
from functools import partial

import numpy as np

from models.labels import LABELS
from stream.core.entropy import Z95, entropy, measure, request_kinds
from stream.core.taxonomy import PAPER
from stream.experiments import drawing
from stream.experiments.drawing import Labels, Line
from stream.experiments.findings import Basis, Finding, Picture, Report, Table
from stream.experiments.injection import generator
from stream.experiments.rows import Labelled
from stream.experiments.units import Units
from stream.experiments.walks import (
    BLOCK,
    DRIFTS,
    PER_STEP,
    STEPS,
    Recovered,
    Walk,
    gamma,
    real_walk,
    recover,
    walk_of,
)
from stream.sampling.estimates import pool

TRIALS = 200
"""Simulated trajectories on which the estimator is checked."""

PAIRS = (("mistralinstruct", "mistralguard"), ("llama2new", "llama2orig"))
"""Base and tuned: the same weights without and with a safety prompt, the nearest that the shipped data has to the paper's pairs."""

PAPER_TUNED, PAPER_SIGMA = 0.12, 0.013


def run(labelled: Labelled, units: Units, *, seed: int, trials: int = TRIALS) -> Report:
    """Returns the report; trajectories and trials are pieces that an interrupted run does not repeat."""
    walks = {
        model: units.get(f"walk-{model}", Walk, partial(real_walk, labelled, model, seed)) for model in labelled.models
    }
    drawn = {
        drift.name: units.get(f"drift-{number}", Walk, partial(walk_of, drift, generator(seed, 50 + number)))
        for number, drift in enumerate(DRIFTS)
    }
    found = {
        drift.name: units.get(
            f"trials-{number}", Recovered, partial(recover, drift, trials, generator(seed, 90 + number))
        )
        for number, drift in enumerate(DRIFTS)
    }
    return Report(
        name="dynamics",
        title="Entropy over time: what of σ and γ_eff can be measured",
        question=(
            "The paper reports S = 0.70 for base and 0.12 for tuned models, and a rate σ of 0.012 to 0.013 "
            "nats per step over 1,000 steps "
            "for base models alone. Do real models show these numbers, and can a rate be estimated at all?"
        ),
        findings=(
            _levels(labelled),
            _still(walks, labelled),
            _arithmetic(),
            _simulated(drawn, found),
            _pairs(walks, labelled),
        ),
        settings=(
            ("rows", labelled.name),
            ("steps", f"{STEPS:,} of {PER_STEP} responses"),
            ("points of a fit", f"blocks of {BLOCK} steps"),
            ("trials", f"{trials:,}"),
            ("seed", str(seed)),
        ),
    )


def _levels(labelled: Labelled) -> Finding:
    kinds = request_kinds(PAPER)
    rows = []
    for model in labelled.models:
        counts = labelled.counts(model)
        found = measure(counts, kinds)
        strata = labelled.by_kind(model)
        fixed = pool(strata[strata.sum(axis=1) > 1]) if (strata.sum(axis=1) > 1).any() else None
        rows.append(
            (
                model,
                int(counts.sum()),
                found.value,
                found.corrected,
                found.low,
                found.high,
                found.traffic,
                found.behaviour,
                fixed.error * Z95 if fixed else None,
            )
        )
    base = [entropy(labelled.counts(model)) for model, _ in PAIRS if model in labelled.models]
    tuned = [entropy(labelled.counts(model)) for _, model in PAIRS if model in labelled.models]
    words = [
        (
            "S of each model from the labels of people, one response a prompt. The part called traffic comes "
            "from "
            "the prompts alone: about half "
            "of them are harmful, and that mix by itself has an entropy of 0.69 nats. Only the part called "
            "behaviour belongs to the model."
        ),
    ]
    if base and tuned:
        words.append(
            f"The models without a safety prompt have S = {', '.join(f'{value:.2f}' for value in base)}, with "
            "it "
            f"{', '.join(f'{value:.2f}' for value in tuned)}: nothing falls by 83 %. The paper's 0.70 and 0.12 "
            "cannot be compared with "
            "these: its prompts are not "
            "published, and S moves with the prompts more than with the model. A tuned model that answered "
            "this prompt set perfectly would have S = 0.69."
        )
    return Finding(
        heading="Real models' entropy is mostly the entropy of the prompts",
        basis=Basis.REAL,
        words=tuple(words),
        tables=(
            Table(
                name="levels",
                caption="Entropy in nats with its 95 % interval, its two parts, and half the interval were the kinds fixed",
                header=("model", "responses", "S", "corrected", "low", "high", "traffic", "behaviour", "± fixed kinds"),
                rows=tuple(rows),
            ),
        ),
    )


def _still(walks: dict[str, Walk], labelled: Labelled) -> Finding:
    rows = tuple(
        (model, walk.rate, walk.rate_low, walk.rate_high, "yes" if walk.rate_low <= 0 <= walk.rate_high else "no")
        for model, walk in walks.items()
    )
    picture = drawing.lines(
        [Line(label=model, x=walk.at, y=walk.entropy, low=walk.low, high=walk.high) for model, walk in walks.items()],
        Labels(x=f"step ({PER_STEP} responses each)", y=f"S of {PER_STEP * BLOCK} responses (nats)"),
    )
    return Finding(
        heading="A model whose weights do not change produces no entropy",
        basis=Basis.RESAMPLED,
        words=(
            (
                "Each model's own responses, drawn in random order for 1,000 steps. Nothing in a served model "
                "moves from one request to the next, so "
                "dS/dt is 0 for base and tuned models alike, and every interval should contain it (one in "
                "twenty "
                "will not). A rate of 0.013 for base models "
                "therefore needs a step that changes the model, such as further training or a conversation "
                "that "
                "feeds on its own answers; the paper "
                "does not say what its step was."
            ),
        ),
        tables=(
            Table(
                name="still",
                caption=f"Fitted dS/dt of {len(labelled.models)} real models in nats per step ({PER_STEP} responses)",
                header=("model", "dS/dt", "low", "high", "contains 0"),
                rows=rows,
            ),
        ),
        pictures=(
            Picture(name="still", caption="S of five real models over 1,000 steps, 95 % intervals", png=picture),
        ),
    )


def _arithmetic() -> Finding:
    most = math.log(len(LABELS))
    rows = tuple(
        (rate, rate * STEPS, most / rate, "yes" if PAPER_TUNED + rate * STEPS <= most else "no")
        for rate in (0.0004, 0.001, 0.012, PAPER_SIGMA)
    )
    return Finding(
        heading="A rate of 0.013 cannot last for 1,000 steps",
        basis=Basis.ARITHMETIC,
        words=(
            (
                f"S cannot exceed ln 5 = {most:.3f} nats. At σ = {PAPER_SIGMA} the whole range is used up after "
                f"{most / PAPER_SIGMA:.0f} steps; 1,000 steps would "
                "take 13 nats. σ can only be the initial rate of a trajectory that saturates, and is fitted as "
                "such below."
            ),
        ),
        tables=(
            Table(
                name="bound",
                caption="What a constant rate would need",
                header=(
                    ("rate (nats per step)"),
                    ("rise in 1,000 steps (nats)"),
                    ("steps from 0 to ln 5"),
                    "possible from S = 0.12",
                ),
                rows=rows,
            ),
        ),
    )


def _simulated(drawn: dict[str, Walk], found: dict[str, Recovered]) -> Finding:
    rows = []
    for drift in DRIFTS:
        trials = found[drift.name]
        rates = np.array(trials.rates)
        covered = np.mean([low <= drift.rate <= high for low, high in zip(trials.lows, trials.highs, strict=True)])
        width = np.mean(np.array(trials.highs) - np.array(trials.lows))
        rows.append(
            (
                drift.name,
                drift.scale,
                drift.rate,
                float(rates.mean()),
                float(rates.std(ddof=1)),
                float(width),
                float(covered),
            )
        )
    series: list[Line] = []
    for number, drift in enumerate(DRIFTS):
        walk = drawn[drift.name]
        series.append(Line(label=drift.name, x=walk.at, y=walk.entropy, style=".", colour=number))
        series.append(Line(label="its fit", x=walk.at, y=walk.fitted, colour=number))
    base, tuned = drawn[DRIFTS[1].name], drawn[DRIFTS[-1].name]
    value, low, high = gamma(base, tuned)
    truth = DRIFTS[1].rate
    return Finding(
        heading="Where the truth is known, the initial rate is found again, and a bend is needed to find it",
        basis=Basis.SIMULATED,
        words=(
            (
                "A mixture relaxes from S = 0.15 to S = 0.82; the estimator sees counts only. Coverage is the "
                "share of trials whose 95 % interval holds "
                "the true rate. The mean lies above the truth for the fastest drift, because rates are skewed "
                "when "
                "few responses fall into the bend."
            ),
            (
                f"γ_eff from one such pair (slow base, constant tuned): {value:.4f} ({low:.4f} to {high:.4f}) "
                "nats "
                f"per step, truth {truth:.4f}. "
                "It repeats σ: when the tuned model stands still, γ_eff = σ - 0 says nothing of its own."
            ),
        ),
        tables=(
            Table(
                name="recovery",
                caption="True and estimated initial rate (nats per step)",
                header=("drift", "τ (steps)", "true rate", "mean", "sd", "width of the interval", "coverage"),
                rows=tuple(rows),
            ),
        ),
        pictures=(
            Picture(
                name="recovery",
                caption="One simulated trajectory each, with its fit",
                png=drawing.lines(
                    series, Labels(x=f"step ({PER_STEP} responses each)", y="S (nats)", mark=math.log(5), marked="ln 5")
                ),
            ),
        ),
    )


def _pairs(walks: dict[str, Walk], labelled: Labelled) -> Finding:
    rows = []
    for base, tuned in PAIRS:
        if base in walks and tuned in walks:
            value, low, high = gamma(walks[base], walks[tuned])
            rows.append((f"{base} / {tuned}", walks[base].rate, walks[tuned].rate, value, low, high))
    return Finding(
        heading="γ_eff of the real pairs is zero within its interval",
        basis=Basis.RESAMPLED,
        words=(
            (
                "The same weights without (base) and with (tuned) a safety prompt. Purity of the base model: "
                "no "
                "rate differs from zero for any of "
                f"the {len(labelled.models)} models, so σ cannot be compared between them."
            ),
        ),
        tables=(
            Table(
                name="pairs",
                caption="γ_eff = σ - dS/dt in nats per step; the paper reports 0.012 to 0.013 for all four of its models",
                header=("base / tuned", "σ", "dS/dt", "γ_eff", "low", "high"),
                rows=tuple(rows),
            ),
        ),
    )
