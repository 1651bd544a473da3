"""What a classifier of responses promises, whichever model is behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Pair:
    """One request and the response to it, as plain text.

    `earlier` is what was said before, up to the mark of the request's speaker. As much of its end is read as the request leaves room for.
    """

    prompt: str
    response: str
    earlier: str = ""


@dataclass(frozen=True, slots=True)
class Classification:
    """The judgement of a batch of n pairs among k labels, one row or element a pair, in the order given.

    `category` (n,) is the index of the likeliest label; `probs` (n, k) are calibrated probabilities; `confidence` (n,)
    is the largest of them; `energy` (n,) is -logsumexp of the logits, higher for text unlike the training data;
    `truncated` (n,) says whether part of the prompt or of the response was not read.
    """

    category: NDArray[np.uint8]
    probs: NDArray[np.float32]
    confidence: NDArray[np.float32]
    energy: NDArray[np.float32]
    truncated: NDArray[np.bool_]


class Classifier(Protocol):
    """Sorts pairs into labels; what it says of a pair depends on that pair alone, never on what shares its batch."""

    @property
    def name(self) -> str:
        """Names the model and its exact version, as `bundle@sha12`."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the columns of `probs`."""

    @property
    def request_kinds(self) -> tuple[str | None, ...]:
        """The kind of request that each label implies: "benign", "harmful" or None."""

    def classify(self, pairs: Sequence[Pair]) -> Classification:
        """Judges a batch of any size, the empty one included; several threads may call it at once."""

    def warmup(self) -> None:
        """Runs the model once, so that the first real batch is as fast as the rest."""
