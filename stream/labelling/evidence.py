"""How a bundle's classifier errs: its confusion on the rows that its training left out, as the bundle's figures tell it."""

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from models.bundle import verify
from stream.core.correction import Floats
from stream.core.entropy import Z95
from stream.errors import InputError

FIGURES, SCOPE = "figures.json", "all rows"


class _Group(msgspec.Struct):
    rows: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    confusion: list[list[int]]


class _Figures(msgspec.Struct):
    headline: dict[str, _Group]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Held-out rows by true (row) and predicted behaviour, shape (k, k), divided by the `design_effect`.

    Rows that share a prompt tell less than as many independent ones: the design effect is the variance of the accuracy, from the
    interval that resamples prompts, over that of independent rows (Kish 1965), at least 1. `rows` are counted before the division.
    """

    confusion: Floats
    rows: int
    design_effect: float


def load_evidence(bundle: Path, classifier: str) -> Evidence | str:
    """Returns the evidence of a bundle for responses that `classifier` (`name@sha`) labelled, or why there is none.

    An empty `classifier` stands for the bundle's own.

    Raises:
        BundleError: the bundle is damaged.
        InputError: its figures are of an unknown form.
    """
    identity = verify(bundle).identity
    if classifier not in ("", identity):
        return f"the responses were labelled by {classifier!a}, the bundle is {identity}: name the one with --bundle"
    path = bundle / FIGURES
    if not path.exists():
        return f"the bundle {identity} holds no {FIGURES}; export it with --data"
    try:
        figures = msgspec.json.decode(path.read_bytes(), type=_Figures)
        group = figures.headline[SCOPE]
        confusion = np.array(group.confusion, np.float64)
    except (msgspec.MsgspecError, KeyError, ValueError):
        raise InputError(f"{path} has no confusion of {SCOPE}; export the bundle again") from None
    independent = group.accuracy * (1 - group.accuracy) / max(group.rows, 1)
    error = (group.accuracy_high - group.accuracy_low) / (2 * Z95)
    effect = max(error**2 / independent, 1.0) if independent > 0 else 1.0
    return Evidence(confusion=confusion / effect, rows=group.rows, design_effect=effect)
