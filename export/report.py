"""What an evaluation says, as it is written into evaluation.json and, inside a bundle, figures.json."""

from typing import Final

import msgspec

from export.entropies import EntropyFigures
from export.metrics import Figures

EVERYTHING: Final = "all rows"


class Wrong(msgspec.Struct, frozen=True, kw_only=True):
    """A row that was misjudged with much confidence; `place` is its file and line (of both texts, where two were joined)."""

    place: str
    source: str
    model: str
    true: str
    predicted: str
    confidence: float


class UnseenSource(msgspec.Struct, frozen=True, kw_only=True):
    """Accuracy on the held-out rows of one source of a plain model trained with that source's other rows, and without."""

    source: str
    rows: int
    with_it: float
    without_it: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one bundle: in all, of the human-labelled rows with and without XSTest, and part by part.

    `manifest_sha256` vouches for the bundle that was judged; null in the copy inside the bundle itself, where the manifest
    vouches for the copy. `not_held_out` counts rows whose request the bundle's training record does not list as held out;
    null where the bundle has no such record. `always_helpful` is the accuracy on the same rows of answering helpful_aligned
    to everything. `breakdowns` has figures by source, model, length, language and truncation. `worst` has at most one row
    a request and no text. `unseen_sources` is empty unless it was asked for.
    """

    schema: str
    bundle: str
    manifest_sha256: str | None
    part: str
    not_held_out: int | None
    headline: dict[str, Figures]
    always_helpful: dict[str, float]
    entropy: dict[str, EntropyFigures]
    breakdowns: dict[str, dict[str, Figures]]
    worst: tuple[Wrong, ...]
    unseen_sources: tuple[UnseenSource, ...] = ()
