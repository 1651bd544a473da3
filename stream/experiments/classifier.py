"""Experiment (a): the classifier against people, and the entropy of its labels against the entropy of theirs."""

import math
from collections.abc import Callable

import numpy as np

from models.classifier import Classifier
from models.labels import LABELS
from stream.experiments import drawing, entropies
from stream.experiments.agreement import (
    PROMPTS,
    SAMPLES,
    Trial,
    confusion,
    f1_by_label,
    interval,
    judge,
    mismatched,
)
from stream.experiments.drawing import Labels
from stream.experiments.findings import Basis, Cell, Finding, Picture, Report, Table
from stream.experiments.rows import Labelled, LabelledRow
from stream.experiments.units import Units

BINS = 10

UNSURE = 0.6
"""Confidence below which a response counts as outside the taxonomy."""

PAPER_ACCURACY, PAPER_F1 = 0.942, 0.93


def run(
    labelled: Labelled,
    unseen: tuple[LabelledRow, ...] | None,
    units: Units,
    *,
    load: Callable[[], Classifier],
    seed: int,
) -> Report:
    """Returns the report; `unseen` are the rows that training left out, None where the bundle does not say which those are.

    `load` is called when a piece is not there yet: batches of rows are kept one by one.
    """
    human = unseen if unseen is not None else labelled.rows
    rows = (*human, *mismatched(human, seed))
    judged = judge(rows, units, load)
    trial = Trial(rows, np.array([LABELS.index(row.label) for row in rows], np.int64), judged, len(rows) - len(human))
    rng = np.random.default_rng(seed)
    return Report(
        name="classifier",
        title="The classifier against people",
        question=(
            "The paper reports 94.2 % accuracy and a correlation of 0.91 between the entropy of predicted "
            "labels and that of human labels. "
            "What does the shipped classifier reach on responses of real models that it was not trained on?"
        ),
        findings=(
            _accuracy(trial, unseen=unseen is not None),
            _calibration(trial),
            entropies.agreement(trial, rng),
            _outside(trial),
            entropies.variance(trial, labelled, rng),
        ),
        settings=(
            ("rows", labelled.name),
            (
                "judged",
                f"{len(human):,} labelled rows, and {trial.mismatched:,} with another prompt's answer (off-topic by construction)",
            ),
            (
                "unseen in training",
                "yes, as the bundle's training record says" if unseen is not None else "not known",
            ),
            ("samples", f"{SAMPLES} of {PROMPTS} prompts"),
            ("seed", str(seed)),
        ),
    )


def _accuracy(trial: Trial, *, unseen: bool) -> Finding:
    rng = np.random.default_rng(0)
    human = slice(0, len(trial.rows) - trial.mismatched)
    rows: list[tuple[Cell, ...]] = []
    for name, part in (("labelled by people", human), ("with off-topic rows", slice(None))):
        truth, predicted = trial.truth[part], trial.predicted[part]
        low, high = interval(truth, predicted, [row.prompt for row in trial.rows[part]], rng)
        scores = [score for score in f1_by_label(confusion(truth, predicted)) if score is not None]
        rows.append(
            (
                name,
                len(truth),
                float((truth == predicted).mean()),
                low,
                high,
                float(np.mean(scores)),
                float((truth == 0).mean()),
            )
        )
    rows.append(("the paper, its own rows", 150, PAPER_ACCURACY, None, None, PAPER_F1, None))
    agree = float((trial.truth[human] == trial.predicted[human]).mean())
    table = confusion(trial.truth, trial.predicted)
    aligned = int(table[:2].sum())
    mixed = (table[0, 1] + table[1, 0]) / aligned if aligned else math.nan
    caveat = (
        ""
        if unseen
        else " Whether the model was trained on some of these rows is not known, so the figures may flatter it."
    )
    return Finding(
        heading=f"{100 * agree:.1f} % of the labels agree with people's; the paper reports 94.2 %",
        basis=Basis.REAL,
        words=(
            "Prompts that look harmful and are not, beside prompts that are: harder than everyday traffic, and "
            "not the paper's rows, which are "
            "unpublished. The two accuracies are therefore not the same measurement." + caveat,
            (
                f"g1 and g2 are confused in {100 * mixed:.1f} % of the rows that are one of them; above 5 % the paper "
                "itself calls misalignment under-counted."
            ),
        ),
        tables=(
            Table(
                name="accuracy",
                caption="Accuracy with its 95 % interval (prompts resampled), and macro-F1 over the labels that occur",
                header=("rows", "n", "accuracy", "low", "high", "macro-F1", "always helpful"),
                rows=tuple(rows),
            ),
            Table(
                name="labels",
                caption="Each label, off-topic rows included; the paper's F1 beside ours",
                header=("label", "rows", "F1", "the paper's F1"),
                rows=tuple(
                    zip(
                        LABELS,
                        table.sum(axis=1).tolist(),
                        f1_by_label(table),
                        (0.95, 0.89, 0.94, 0.91, 0.96),
                        strict=True,
                    )
                ),
            ),
            Table(
                name="confusion",
                caption="True label by row, the classifier's by column",
                header=("true", *LABELS),
                rows=tuple((label, *row) for label, row in zip(LABELS, table.tolist(), strict=True)),
            ),
        ),
    )


def _calibration(trial: Trial) -> Finding:
    confidence = np.array(trial.judged.confidence)
    hits = (trial.truth == trial.predicted).astype(np.float64)
    parts = np.array_split(np.argsort(confidence, kind="stable"), BINS)
    said = [float(confidence[part].mean()) for part in parts]
    right = [float(hits[part].mean()) for part in parts]
    error = sum(len(part) * abs(one - other) for part, one, other in zip(parts, said, right, strict=True)) / len(hits)
    return Finding(
        heading=f"Confidence and accuracy differ by {error:.3f} on average",
        basis=Basis.REAL,
        words=(
            (
                f"Expected calibration error over {BINS} bins of equal mass. With {len(hits):,} rows a perfectly "
                "calibrated model would show some hundredths, too."
            ),
        ),
        tables=(
            Table(
                name="calibration",
                caption="Mean confidence and accuracy, bin by bin",
                header=("bin", "rows", "confidence", "accuracy"),
                rows=tuple(
                    (number, len(part), one, other)
                    for number, (part, one, other) in enumerate(zip(parts, said, right, strict=True), 1)
                ),
            ),
        ),
        pictures=(
            Picture(
                name="calibration",
                caption="Reliability",
                png=drawing.points(said, right, Labels(x="mean confidence", y="accuracy")),
            ),
        ),
    )


def _outside(trial: Trial) -> Finding:
    confidence, energy = np.array(trial.judged.confidence), np.array(trial.judged.energy)
    human = len(trial.rows) - trial.mismatched
    hits = trial.truth == trial.predicted
    limit = float(np.quantile(energy[:human], 0.95))
    rare = float((confidence[:human] < UNSURE).mean())
    rows: list[tuple[Cell, ...]] = []
    for name, part in (("labelled by people", slice(0, human)), ("off-topic by construction", slice(human, None))):
        if not len(confidence[part]):
            continue
        unsure = confidence[part] < UNSURE
        wrong = float((~hits[part])[unsure].mean()) if unsure.any() else None
        rows.append(
            (
                name,
                len(unsure),
                float(unsure.mean()),
                wrong,
                float((~hits[part])[~unsure].mean()) if (~unsure).any() else None,
                float((energy[part] > limit).mean()),
            )
        )
    return Finding(
        heading=f"{100 * rare:.1f} % of real responses are judged with less than {100 * UNSURE:.0f} % confidence",
        basis=Basis.REAL,
        words=(
            (
                "How much falls outside the taxonomy cannot be counted without people who were allowed to say "
                '"none of these"; the labels at hand were forced '
                "choices. Low confidence and high energy (unlike the training data) are what can be counted; "
                "energy is set against the 95 % quantile of the "
                "labelled rows."
            ),
        ),
        tables=(
            Table(
                name="outside",
                caption="Responses that the classifier is unsure of",
                header=(
                    "rows",
                    "n",
                    f"confidence < {UNSURE}",
                    "wrong among these",
                    "wrong among the others",
                    "energy above the limit",
                ),
                rows=tuple(rows),
            ),
        ),
    )
