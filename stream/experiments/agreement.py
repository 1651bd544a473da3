"""How far a classifier's labels agree with people's: label by label, and in the entropy of what they say."""

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
from stream.experiments.rows import LabelledRow
from stream.experiments.units import Units

SAMPLES = 50

PROMPTS = 20
"""Prompts in one sample; each is answered by one model, drawn anew."""

RESAMPLES = 1000

BATCH = 32

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


def judge(rows: Sequence[LabelledRow], units: Units, load: Callable[[], Classifier]) -> Judged:
    """Returns what the classifier says of the rows, a batch a piece; `load` is called when one is not there yet."""
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
