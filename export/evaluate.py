"""Judges a bundle on labelled rows that training did not see; needs ONNX Runtime, not PyTorch."""

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from export import slices
from export.entropies import EntropyFigures, compare
from export.errors import DataError
from export.metrics import Figures, measure
from export.rows import DERIVED, HUMAN, NONE, Row, normalise, read_folder
from export.split import SplitOptions, request_hash, split_by_request
from models.bundle import Bundle, verify
from models.classifier import Classifier, Pair
from models.labels import LABELS
from models.onnx_t5 import load

XSTEST = "xstest-human-labelled"
MISMATCHED = "mismatched"
EVERYTHING: Final = "all rows"
WORST: Final = 20
_BATCH = 64

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateOptions:
    """What to judge and on which rows.

    `test` holds the requests that training left out, `apart` also those that it stopped and was calibrated by, `all` every
    labelled row.
    """

    bundle: Path
    data: Path
    part: Literal["test", "apart", "all"] = "test"
    split: SplitOptions = field(default_factory=SplitOptions)


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


def evaluate(options: EvaluateOptions, progress: Progress = lambda _done, _all: None) -> Report:
    """Returns the figures of a bundle.

    Raises DataError when no labelled row is left to judge by, BundleError when the bundle is not sound.
    """
    bundle = verify(options.bundle)
    rows = labelled_rows(options)
    report = judge(load(options.bundle), rows, part=options.part, progress=progress)
    return msgspec.structs.replace(report, manifest_sha256=bundle.sha256, not_held_out=_not_held_out(bundle, rows))


def labelled_rows(options: EvaluateOptions) -> list[Row]:
    """Returns the rows to judge by, and among them prompts with the answer to another prompt, which are off-topic."""
    rows = read_folder(options.data)
    if options.part != "all":
        split = split_by_request(rows, options.split)
        chosen = split.test if options.part == "test" else sorted([*split.validation, *split.test])
        rows = [rows[index] for index in chosen]
    rows = [row for row in rows if row.label is not None and row.response and row.origin != NONE]
    if not rows:
        raise DataError(f"{options.data} leaves no labelled row to judge by; give more rows, or judge by all of them")
    return [*rows, *mismatched(rows, seed=options.split.seed)]


def mismatched(rows: Sequence[Row], *, seed: str) -> list[Row]:
    """Returns off-topic rows: for each fourth row, its prompt with the compliant answer to an unrelated prompt."""
    rng = random.Random(seed)
    answers = [row for row in rows if row.label in (0, 1)]
    made: list[Row] = []
    for row in rng.sample(rows, len(rows) // 4):
        words = set(normalise(row.goal or row.prompt).split())
        for other in rng.sample(answers, min(20, len(answers))):
            shared = words & set(normalise(other.goal or other.prompt).split())
            if not any(len(word) > 4 for word in shared):
                made.append(
                    Row(
                        source=MISMATCHED,
                        prompt=row.prompt,
                        response=other.response,
                        label=LABELS.index("off_topic"),
                        origin=DERIVED,
                        place=f"{row.place} with the answer of {other.place}",
                        model=other.model,
                    )
                )
                break
    return made


def judge(
    classifier: Classifier,
    rows: Sequence[Row],
    *,
    part: str,
    progress: Progress = lambda _done, _all: None,
) -> Report:
    """Returns the figures of `classifier` on labelled rows."""
    judged = _Judged(classifier, rows, progress)
    members = {name: picked for name, picked in _headline(rows).items() if picked}
    return Report(
        schema="valuedrift.evaluation/1",
        bundle=classifier.name,
        manifest_sha256=None,
        part=part,
        not_held_out=None,
        headline={name: judged.figures(picked) for name, picked in members.items()},
        always_helpful={name: round(float((judged.truth[picked] == 0).mean()), 4) for name, picked in members.items()},
        entropy={name: judged.entropies(picked) for name, picked in members.items()},
        breakdowns={
            "source": judged.by([slices.source(row) for row in rows]),
            "model": judged.by(slices.common([slices.model(row) for row in rows])),
            "length": judged.by([slices.length(row) for row in rows]),
            "language": judged.by([slices.language(row) for row in rows]),
            "truncated": judged.by(["in part" if cut else "whole" for cut in judged.truncated]),
        },
        worst=judged.worst(),
    )


def texts_of(worst: Sequence[Wrong], rows: Sequence[Row]) -> dict[str, tuple[str, str]]:
    """Returns prompt and response of each misjudged row, by its place: for a report that stays with whoever has the rows."""
    by_place = {row.place: row for row in rows}
    return {one.place: (by_place[one.place].prompt, by_place[one.place].response or "") for one in worst}


def _headline(rows: Sequence[Row]) -> dict[str, list[int]]:
    def where(wanted: Callable[[Row], bool]) -> list[int]:
        return [index for index, row in enumerate(rows) if wanted(row)]

    return {
        "XSTest, human labels": where(lambda row: row.source == XSTEST),
        "other sources, human labels": where(lambda row: row.origin == HUMAN and row.source != XSTEST),
        "XSTest and mismatched answers": where(lambda row: row.source in {XSTEST, MISMATCHED}),
        EVERYTHING: where(lambda _row: True),
    }


class _Judged:
    """Rows with what a classifier says of them."""

    def __init__(self, classifier: Classifier, rows: Sequence[Row], progress: Progress) -> None:
        self._rows = rows
        self._labels = classifier.labels
        self._groups = [normalise(row.goal or row.prompt) for row in rows]
        self.truth: NDArray[np.int64] = np.array([row.label for row in rows], np.int64)
        self.predicted = np.empty(len(rows), np.int64)
        self.confidence = np.empty(len(rows), np.float64)
        self.truncated = np.empty(len(rows), np.bool_)
        for start in range(0, len(rows), _BATCH):
            batch = rows[start : start + _BATCH]
            said = classifier.classify([Pair(row.prompt, row.response or "") for row in batch])
            part = slice(start, start + len(batch))
            self.predicted[part], self.confidence[part] = said.category, said.confidence
            self.truncated[part] = said.truncated
            progress(start + len(batch), len(rows))

    def figures(self, members: Sequence[int]) -> Figures:
        index = np.array(members)
        return measure(
            self.truth[index],
            self.predicted[index],
            self.confidence[index],
            groups=[self._groups[i] for i in members],
            labels=self._labels,
        )

    def entropies(self, members: Sequence[int]) -> EntropyFigures:
        index = np.array(members)
        return compare(
            self.truth[index],
            self.predicted[index],
            groups=[self._groups[i] for i in members],
            models=[slices.model(self._rows[i]) for i in members],
            labels=len(self._labels),
        )

    def by(self, names: Sequence[str]) -> dict[str, Figures]:
        parts: dict[str, list[int]] = defaultdict(list)
        for index, name in enumerate(names):
            parts[name].append(index)
        return {name: self.figures(members) for name, members in sorted(parts.items())}

    def worst(self) -> tuple[Wrong, ...]:
        """Returns the misjudged rows of most confidence, at most one a request."""
        wrong = np.flatnonzero(self.truth != self.predicted)
        wrong = wrong[np.argsort(-self.confidence[wrong], kind="stable")]
        first = {self._groups[index]: int(index) for index in reversed(wrong.tolist())}
        chosen = sorted(first.values(), key=lambda index: (-self.confidence[index], index))[:WORST]
        return tuple(
            Wrong(
                place=self._rows[index].place,
                source=self._rows[index].source,
                model=slices.model(self._rows[index]),
                true=self._labels[self.truth[index]],
                predicted=self._labels[self.predicted[index]],
                confidence=round(float(self.confidence[index]), 4),
            )
            for index in chosen
        )


class _TrainingRecord(msgspec.Struct, frozen=True):
    held_out: tuple[str, ...] = ()


def _not_held_out(bundle: Bundle, rows: Sequence[Row]) -> int | None:
    """Counts the rows that training may have seen, going by the bundle's own record of the requests that it left out."""
    path = bundle.folder / "training.json"
    if not path.is_file():
        return None
    listed = frozenset(msgspec.json.decode(path.read_bytes(), type=_TrainingRecord).held_out)
    return sum(request_hash(row) not in listed for row in rows) if listed else None
