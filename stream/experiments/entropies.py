"""Experiment (a), of entropies: those of the classifier's labels against those of people's, and what makes them vary."""

import numpy as np

from stream.experiments import drawing
from stream.experiments.agreement import PROMPTS, SAMPLES, Trial, confusion, correlation, entropy_pairs
from stream.experiments.drawing import Labels, Line
from stream.experiments.findings import Basis, Finding, Picture, Table
from stream.experiments.rows import Labelled
from stream.sampling.estimates import Parts, decompose, half_width, pool

KS = (5, 10, 20, 50, 100, 200)
"""Answers in each stratum for which the precision of S is told."""


def agreement(trial: Trial, rng: np.random.Generator) -> Finding:
    """How near the entropy of the classifier's labels comes to that of people's, sample by sample."""
    theirs, ours = entropy_pairs(trial, rng)
    rho, low, high = correlation(theirs, ours, rng)
    bias = float((ours - theirs).mean())
    return Finding(
        heading=f"Entropy from the classifier against entropy from people: ρ = {rho:.2f} ({low:.2f} to {high:.2f}), the paper 0.91",
        basis=Basis.RESAMPLED,
        words=(
            (
                f"{SAMPLES} samples of {PROMPTS} prompts, each answered by one of the models in proportions drawn "
                "anew. Samples share prompts, so the "
                f"interval is too narrow by an unknown amount. On average the classifier's entropy is {bias:+.3f} "
                "nats from people's. ρ rises with the "
                "spread of the entropies in the samples, which the paper does not give."
            ),
        ),
        tables=(
            Table(
                name="entropies",
                caption="Entropy (nats) of each sample, by people's labels and by the classifier's",
                header=("sample", "people", "classifier"),
                rows=tuple(
                    (number, float(one), float(other))
                    for number, (one, other) in enumerate(zip(theirs, ours, strict=True), 1)
                ),
            ),
        ),
        pictures=(
            Picture(
                name="entropies",
                caption=f"Each point is a sample of {PROMPTS} prompts",
                png=drawing.points(
                    theirs, ours, Labels(x="S from people's labels (nats)", y="S from the classifier's (nats)")
                ),
            ),
        ),
    )


def variance(trial: Trial, labelled: Labelled, rng: np.random.Generator) -> Finding:
    """Which part of the variance of S comes from sampling, from the classifier and from the models."""
    tables = [strata for model in labelled.models if (strata := labelled.by_kind(model)).sum(axis=1).min() > 1]
    known = confusion(trial.predicted, trial.truth)
    found: Parts = decompose(tables, known, draws=2000, rng=rng)
    shares = found.shares
    half = [float(np.mean([half_width(table, k) for table in tables])) for k in KS]
    error = float(np.mean([pool(table).error for table in tables]))
    return Finding(
        heading=(
            f"Variance of S: {100 * shares[0]:.0f} % sampling, {100 * shares[1]:.0f} % classifier, {100 * shares[2]:.0f} % between models; "
            "the paper 78, 4 and 18 %"
        ),
        basis=Basis.REAL,
        words=(
            (
                f"{len(tables)} models, prompts in two strata (benign, harmful) of about 115 answers each, so the "
                f"sampling part (standard error {error:.3f} nats) is that of 231 "
                "answers; it shrinks with their number, the other two do not. Shares of a variance therefore say "
                "more about how many answers were taken "
                "and which models were chosen than about models in general. The classifier's part is what its "
                "confusion, known from "
                f"{len(trial.rows):,} rows only, leaves open; its bias is not in it."
            ),
        ),
        tables=(
            Table(
                name="variance",
                caption="Parts of Var(S) in nats²",
                header=("part", "variance", "share", "the paper's share"),
                rows=(
                    ("sampling", found.sampling, shares[0], 0.78),
                    ("classifier", found.classifier, shares[1], 0.04),
                    ("model", found.model, shares[2], 0.18),
                ),
            ),
            Table(
                name="precision",
                caption="Half the 95 % interval of S (nats) by the number of answers k in each stratum, mean over the models",
                header=("k", "± nats"),
                rows=tuple(zip(KS, half, strict=True)),
            ),
        ),
        pictures=(
            Picture(
                name="precision",
                caption="The interval of S shrinks with the square root of k: k = 50 costs half as much as 100 and is 1.41 times as wide",
                png=drawing.lines(
                    [Line(label="half the 95 % interval", x=KS, y=half, style="o-")],
                    Labels(x="k (answers a stratum)", y="± nats", log_x=True, log_y=True),
                ),
            ),
        ),
    )
