"""Judges a bundle on labelled rows that training did not see; needs ONNX Runtime, not PyTorch."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from export import slices
from export.errors import DataError
from export.judged import Judged, Progress
from export.report import EVERYTHING, Report, Wrong
from export.rows import DERIVED, HUMAN, NONE, Row, normalise, read_folder
from export.split import SplitOptions, request_hash, split_by_request
from models.bundle import Bundle, verify
from models.classifier import Classifier
from models.labels import LABELS
from models.onnx_t5 import load

XSTEST = "xstest-human-labelled"
MISMATCHED = "mismatched"


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
    judged = Judged(classifier, rows, progress)
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


class _TrainingRecord(msgspec.Struct, frozen=True):
    held_out: tuple[str, ...] = ()


def _not_held_out(bundle: Bundle, rows: Sequence[Row]) -> int | None:
    """Counts the rows that training may have seen, going by the bundle's own record of the requests that it left out."""
    path = bundle.folder / "training.json"
    if not path.is_file():
        return None
    listed = frozenset(msgspec.json.decode(path.read_bytes(), type=_TrainingRecord).held_out)
    return sum(request_hash(row) not in listed for row in rows) if listed else None
