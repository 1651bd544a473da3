"""Experiment (a): the classifier against people, and the entropy of its labels against the entropy of theirs."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec
import numpy as np
import numpy.typing as npt

from models.classifier import Classifier, Pair
from models.labels import LABELS
from stream.core.entropy import entropy
from stream.experiments import drawing
from stream.experiments.drawing import Labels, Line
from stream.experiments.findings import Basis, Cell, Finding, Picture, Report, Table
from stream.experiments.rows import Labelled, LabelledRow
from stream.experiments.units import Units
from stream.sampling.estimates import Parts, decompose, half_width, pool

SAMPLES = 50
PROMPTS = 20
"""Prompts in one sample; each is answered by one model, drawn anew."""
RESAMPLES = 1000
BATCH = 32
BINS = 10
UNSURE = 0.6
"""Confidence below which a response counts as outside the taxonomy."""
OFF_TOPIC = LABELS.index("off_topic")
KS = (5, 10, 20, 50, 100, 200)

PAPER = (("accuracy", 0.942), ("macro-F1", 0.93), ("ρ of the entropies", 0.91))

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Judged(msgspec.Struct, frozen=True):
    """What the classifier says of rows, in their order."""

    category: list[int]
    confidence: list[float]
    energy: list[float]


@dataclass(frozen=True, slots=True)
class Trial:
    """Rows with what people and the classifier say of them; `mismatched` rows are prompts with another prompt's answer."""

    rows: tuple[LabelledRow, ...]
    truth: Integers
    judged: Judged
    mismatched: int

    @property
    def predicted(self) -> Integers:
        """Categories that the classifier gives."""
        return np.array(self.judged.category, np.int64)


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
    judged = _judge(rows, units, load)
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
            _entropies(trial, rng),
            _outside(trial),
            _parts(trial, labelled, rng),
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


def mismatched(rows: Sequence[LabelledRow], seed: int) -> tuple[LabelledRow, ...]:
    """Returns off-topic rows: for each fourth row its prompt with the helpful answer to a prompt that shares no long word with it."""
    rng = np.random.default_rng((seed, 7))
    answers = [row for row in rows if row.label.startswith("helpful")]
    made = []
    for at in rng.permutation(len(rows))[: len(rows) // 4]:
        row = rows[at]
        words = {word for word in row.prompt.lower().split() if len(word) > 4}
        others = [
            other
            for other in (answers[place] for place in rng.permutation(len(answers))[:20])
            if words.isdisjoint(other.prompt.lower().split())
        ]
        if others:
            made.append(LabelledRow(row.model, row.prompt, others[0].response, "off_topic"))
    return tuple(made)


def _judge(rows: Sequence[LabelledRow], units: Units, load: Callable[[], Classifier]) -> Judged:
    loaded: list[Classifier] = []

    def judge(batch: Sequence[LabelledRow]) -> Judged:
        if not loaded:
            loaded.append(load())
        found = loaded[0].classify([Pair(row.prompt, row.response) for row in batch])
        return Judged(found.category.tolist(), found.confidence.tolist(), found.energy.tolist())

    pieces = [
        units.get(f"rows-{start}", Judged, partial(judge, rows[start : start + BATCH]))
        for start in range(0, len(rows), BATCH)
    ]
    return Judged(
        [category for piece in pieces for category in piece.category],
        [confidence for piece in pieces for confidence in piece.confidence],
        [energy for piece in pieces for energy in piece.energy],
    )


def confusion(truth: Integers, predicted: Integers) -> Integers:
    """Returns counts (true label, predicted label), shape (5, 5)."""
    table = np.zeros((len(LABELS), len(LABELS)), np.int64)
    np.add.at(table, (truth, predicted), 1)
    return table


def f1_by_label(table: Integers) -> list[float | None]:
    """Returns F1 of each label that occurs, None for others."""
    there, said, right = table.sum(axis=1), table.sum(axis=0), table.diagonal()
    return [float(2 * right[at] / (there[at] + said[at])) if there[at] else None for at in range(len(table))]


def interval(
    truth: Integers, predicted: Integers, groups: Sequence[str], rng: np.random.Generator
) -> tuple[float, float]:
    """Returns the 95 % interval of accuracy, resampling prompts (the rows of one prompt stand or fall together)."""
    _, member = np.unique(np.array(groups), return_inverse=True)
    sizes = np.bincount(member).astype(np.float64)
    right = np.bincount(member, weights=truth == predicted)
    chosen = rng.integers(0, len(sizes), (RESAMPLES, len(sizes)))
    low, high = np.quantile(right[chosen].sum(axis=1) / sizes[chosen].sum(axis=1), (0.025, 0.975))
    return float(low), float(high)


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
    rows.append(("the paper, its own rows", 150, PAPER[0][1], None, None, PAPER[1][1], None))
    table = confusion(trial.truth, trial.predicted)
    aligned = int(table[:2].sum())
    mixed = (table[0, 1] + table[1, 0]) / aligned if aligned else math.nan
    caveat = (
        ""
        if unseen
        else " Whether the model was trained on some of these rows is not known, so the figures may flatter it."
    )
    return Finding(
        heading=f"{rows[0][2]:.1%} of the labels agree with people's; the paper reports 94.2 %",
        basis=Basis.REAL,
        words=(
            "Prompts that look harmful and are not, beside prompts that are: harder than everyday traffic, and "
            "not the paper's rows, which are "
            "unpublished. The two accuracies are therefore not the same measurement." + caveat,
            (
                f"g1 and g2 are confused in {mixed:.1%} of the rows that are one of them; above 5 % the paper "
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


def entropy_pairs(trial: Trial, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Returns entropies (nats) of `SAMPLES` samples by people's and by the classifier's labels, each shape (samples,).

    A sample draws how often each model answers (Dirichlet), then prompts, then for each prompt one model's row: so that samples differ in
    entropy as traffic of different models does.
    """
    human = len(trial.rows) - trial.mismatched
    prompts = sorted({row.prompt for row in trial.rows[:human]})
    models = sorted({row.model for row in trial.rows[:human]})
    at = {(row.prompt, row.model): index for index, row in enumerate(trial.rows[:human])}
    ours, theirs = np.empty(SAMPLES), np.empty(SAMPLES)
    for sample in range(SAMPLES):
        weights = rng.dirichlet(np.full(len(models), 0.4))
        chosen = rng.choice(len(prompts), size=min(PROMPTS, len(prompts)), replace=False)
        asked = rng.choice(len(models), size=len(chosen), p=weights)
        rows = [
            at[key]
            for prompt, model in zip(chosen, asked, strict=True)
            if (key := (prompts[prompt], models[model])) in at
        ]
        theirs[sample] = entropy(np.bincount(trial.truth[rows], minlength=len(LABELS)))
        ours[sample] = entropy(np.bincount(trial.predicted[rows], minlength=len(LABELS)))
    return theirs, ours


def correlation(theirs: Floats, ours: Floats, rng: np.random.Generator) -> tuple[float, float, float]:
    """Returns Pearson's ρ and its 95 % percentile interval from resampled pairs; NaN where one side does not vary."""
    if not theirs.std() or not ours.std():
        return math.nan, math.nan, math.nan
    picks = rng.integers(0, len(theirs), (RESAMPLES, len(theirs)))
    again = [float(np.corrcoef(theirs[pick], ours[pick])[0, 1]) for pick in picks]
    low, high = np.nanquantile(again, (0.025, 0.975))
    return float(np.corrcoef(theirs, ours)[0, 1]), float(low), float(high)


def _entropies(trial: Trial, rng: np.random.Generator) -> Finding:
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


def _outside(trial: Trial) -> Finding:
    confidence, energy = np.array(trial.judged.confidence), np.array(trial.judged.energy)
    human = len(trial.rows) - trial.mismatched
    hits = trial.truth == trial.predicted
    limit = float(np.quantile(energy[:human], 0.95))
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
        heading=f"{rows[0][2]:.1%} of real responses are judged with less than {UNSURE:.0%} confidence",
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


def _parts(trial: Trial, labelled: Labelled, rng: np.random.Generator) -> Finding:
    tables = [strata for model in labelled.models if (strata := labelled.by_kind(model)).sum(axis=1).min() > 1]
    known = confusion(trial.predicted, trial.truth)
    found: Parts = decompose(tables, known, draws=2000, rng=rng)
    shares = found.shares
    half = [float(np.mean([half_width(table, k) for table in tables])) for k in KS]
    error = float(np.mean([pool(table).error for table in tables]))
    return Finding(
        heading=(
            f"Variance of S: {shares[0]:.0%} sampling, {shares[1]:.0%} classifier, {shares[2]:.0%} between models; "
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
