"""Runs a classifier over rows, and finds the temperature that makes its confidence honest."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from export.batches import Encoded, collate
from export.student import T5Classifier
from models.labels import LABELS

_BATCH = 32


def logits_of(model: T5Classifier, rows: Sequence[Encoded], pad: int) -> NDArray[np.float32]:
    """Returns the logits (n, k) of the rows, in their order, without dropout."""
    was_training = model.training
    model.eval()
    out = np.empty((len(rows), len(model.label_ids)), np.float32)
    order = sorted(range(len(rows)), key=lambda index: len(rows[index].ids))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for start in range(0, len(order), _BATCH):
            members = order[start : start + _BATCH]
            batch = collate([rows[index] for index in members], pad)
            out[members] = model(batch.ids, batch.mask).float().numpy()
    model.train(was_training)
    return out


def validate(model: T5Classifier, rows: Sequence[Encoded], pad: int) -> dict[str, float]:
    """Returns the `measures` of a model on labelled rows."""
    return measures(logits_of(model, rows, pad), np.array([row.label for row in rows], np.int64))


def measures(logits: NDArray[np.float32], truth: NDArray[np.int64]) -> dict[str, float]:
    """Returns mean negative log-likelihood, accuracy, macro-F1 and the F1 of each label that occurs."""
    said = logits.argmax(1)
    scores = {
        label: 2 * float(((said == k) & (truth == k)).sum()) / float((said == k).sum() + (truth == k).sum())
        for k, label in enumerate(LABELS)
        if (truth == k).any()
    }
    return {
        "validation_loss": float(nn.functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(truth))),
        "validation_accuracy": float((said == truth).mean()),
        "validation_macro_f1": sum(scores.values()) / len(scores),
        **{f"validation_f1_{label}": score for label, score in scores.items()},
    }


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.int64], weights: NDArray[np.float64]) -> float:
    """Returns the temperature in 0.25..4 that gives held-apart rows the highest weighted likelihood."""
    scores, truth = torch.from_numpy(logits), torch.from_numpy(labels)
    weight = torch.from_numpy(weights)

    def loss(temperature: float) -> float:
        each = nn.functional.cross_entropy(scores / temperature, truth, reduction="none")
        return float((each * weight).sum() / weight.sum())

    return min((round(float(t), 3) for t in np.geomspace(0.25, 4.0, 200)), key=loss)
