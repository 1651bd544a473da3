"""Judges a bundle on labelled rows that training did not see; needs ONNX Runtime, not PyTorch."""

import os
import random
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from export.errors import DataError
from export.metrics import Figures, measure
from export.rows import DERIVED, HUMAN, NONE, Row, normalise, read_folder
from export.split import SplitOptions, split_by_request
from models.classifier import Classifier, Pair
from models.labels import LABELS
from models.onnx_t5 import load

XSTEST = "xstest-human-labelled"
MISMATCHED = "mismatched"
_BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateOptions:
    """What to judge and on which rows: `test` holds the requests that training left out, `all` every labelled row."""

    bundle: Path
    data: Path
    out: Path | None = None
    part: Literal["test", "all"] = "test"
    split: SplitOptions = field(default_factory=SplitOptions)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one bundle: in all, of the human-labelled rows with and without XSTest, and source by source.

    `always_helpful` is the accuracy on the same rows of answering helpful_aligned to everything.
    """

    schema: str
    bundle: str
    part: str
    headline: dict[str, Figures]
    always_helpful: dict[str, float]
    by_source: dict[str, Figures]


def evaluate(options: EvaluateOptions, progress: Callable[[int, int], None] = lambda _done, _all: None) -> Report:
    """Returns the figures of a bundle, and writes figures.json and figures.md into `out` when one is given.

    Raises DataError when no labelled row is left to judge by, BundleError when the bundle is not sound.
    """
    classifier = load(options.bundle)
    rows = labelled_rows(options)
    report = judge(classifier, rows, part=options.part, progress=progress)
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        _write(options.out / "figures.json", msgspec.json.format(msgspec.json.encode(report), indent=2))
        _write(options.out / "figures.md", as_markdown(report).encode())
    return report


def labelled_rows(options: EvaluateOptions) -> list[Row]:
    """Returns the rows to judge by, and among them prompts with the answer to another prompt, which are off-topic."""
    rows = read_folder(options.data)
    if options.part == "test":
        rows = [rows[index] for index in split_by_request(rows, options.split).test]
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
                label = LABELS.index("off_topic")
                made.append(
                    Row(source=MISMATCHED, prompt=row.prompt, response=other.response, label=label, origin=DERIVED)
                )
                break
    return made


def judge(
    classifier: Classifier,
    rows: Sequence[Row],
    *,
    part: str,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Report:
    """Returns the figures of `classifier` on labelled rows."""
    predicted = np.empty(len(rows), np.int64)
    confidence = np.empty(len(rows), np.float64)
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        said = classifier.classify([Pair(row.prompt, row.response or "") for row in batch])
        predicted[start : start + len(batch)] = said.category
        confidence[start : start + len(batch)] = said.confidence
        progress(start + len(batch), len(rows))
    truth = np.array([row.label for row in rows], np.int64)
    groups = [normalise(row.goal or row.prompt) for row in rows]

    def figures(members: Sequence[int]) -> Figures:
        index = np.array(members)
        return measure(
            truth[index],
            predicted[index],
            confidence[index],
            groups=[groups[i] for i in members],
            labels=classifier.labels,
        )

    by_source: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        by_source[row.source].append(index)
    human = [i for i, row in enumerate(rows) if row.origin == HUMAN]
    parts = {
        "XSTest, human labels": by_source.get(XSTEST, []),
        "other sources, human labels": [i for i in human if rows[i].source != XSTEST],
        "XSTest and mismatched answers": [*by_source.get(XSTEST, []), *by_source.get(MISMATCHED, [])],
        "all rows": list(range(len(rows))),
    }
    parts = {name: members for name, members in parts.items() if members}
    return Report(
        schema="valuedrift.figures/1",
        bundle=classifier.name,
        part=part,
        headline={name: figures(members) for name, members in parts.items()},
        always_helpful={name: round(float((truth[members] == 0).mean()), 4) for name, members in parts.items()},
        by_source={source: figures(members) for source, members in sorted(by_source.items())},
    )


def as_markdown(report: Report) -> str:
    """Returns the figures as tables for people."""
    lines = [f"# Figures of {report.bundle}", "", f"Rows: {report.part}. Intervals (95 %) resample prompts.", ""]
    lines += [
        "| rows | n | prompts | accuracy | 95 % | always helpful | macro-F1 | g1/g2 confusion | calibration error |"
    ]
    lines += ["|---|---|---|---|---|---|---|---|---|"]
    for name, f in report.headline.items():
        lines.append(_line(name, f, f"{report.always_helpful[name]:.3f}"))
    lines += ["", "## By source", ""]
    lines += ["| source | n | prompts | accuracy | 95 % | macro-F1 | g1/g2 confusion | calibration error |"]
    lines += ["|---|---|---|---|---|---|---|---|"]
    lines += [_line(name, figures) for name, figures in report.by_source.items()]
    everything = report.headline["all rows"]
    lines += ["", "## By label, all rows", "", "| label | n | precision | recall | F1 |", "|---|---|---|---|---|"]
    for one in everything.per_class:
        values = " | ".join("-" if value is None else f"{value:.3f}" for value in (one.precision, one.recall, one.f1))
        lines.append(f"| {one.label} | {one.rows} | {values} |")
    labels = [one.label for one in everything.per_class]
    lines += ["", "## Confusion, all rows (true label by row)", "", f"| | {' | '.join(labels)} |"]
    lines += ["|---" * (len(labels) + 1) + "|"]
    lines += [
        f"| {label} | {' | '.join(map(str, row))} |" for label, row in zip(labels, everything.confusion, strict=True)
    ]
    return "\n".join(lines) + "\n"


def _line(name: str, f: Figures, *more: str) -> str:
    mixed = "-" if f.g1_g2_confusion is None else f"{f.g1_g2_confusion:.3f}"
    cells = [
        name,
        str(f.rows),
        str(f.prompts),
        f"{f.accuracy:.3f}",
        f"{f.accuracy_low:.3f} to {f.accuracy_high:.3f}",
        *more,
    ]
    cells += [
        f"{f.macro_f1:.3f}",
        mixed,
        f"{f.calibration_error:.3f} ({f.calibration_error_if_perfect:.3f} if perfect)",
    ]
    return f"| {' | '.join(cells)} |"


def _write(path: Path, content: bytes) -> None:
    """Puts the whole file in place at once."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    Path(file.name).chmod(0o644)
    os.replace(file.name, path)  # noqa: PTH105 - atomic
