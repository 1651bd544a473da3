"""Keeps README's table of the shipped classifier equal to what an evaluation of that very bundle says.

`python -m tests.figures out/evaluation/evaluation.json` stores the evaluation as docs/evaluation.json and writes the table
between the markers of README.md; `make evaluation DATA=DIR` measures first.
"""

import hashlib
import sys
from pathlib import Path

import msgspec

from export.metrics import Interval
from export.report import Report
from export.tables import markdown_table
from models.bundle import DEFAULT_BUNDLE, MANIFEST

README, STORED = Path("README.md"), Path("docs/evaluation.json")
BEGIN = "<!-- figures: written by `make evaluation`, from docs/evaluation.json -->"
END = "<!-- end of figures -->"
SHOWN = ("XSTest, human labels", "other sources, human labels", "all rows")


def read(path: Path) -> Report:
    """Returns the evaluation in the file."""
    return msgspec.json.decode(path.read_bytes(), type=Report)


def belongs(report: Report) -> bool:
    """Says whether it is the bundle in the package that was judged, by its manifest's SHA-256."""
    return report.manifest_sha256 == hashlib.sha256((DEFAULT_BUNDLE / MANIFEST).read_bytes()).hexdigest()


def table(report: Report) -> str:
    """Returns README's table."""
    header = (
        "held-out rows", "n / prompts", "accuracy (95 %)", "macro-F1 (95 %)", "g1/g2 confusion", "calibration error beyond chance",
        "ρ of the entropies", 'always "helpful"',
    )  # fmt: skip
    rows = []
    for name in SHOWN:
        f, entropies = report.headline[name], report.entropy[name]
        mixed = "-" if f.g1_g2_confusion is None else f"{f.g1_g2_confusion:.1%}"
        rows.append(
            (
                name,
                f"{f.rows:,} / {f.prompts:,}",
                f"{f.accuracy:.3f} ({_range((f.accuracy_low, f.accuracy_high))})",
                f"{f.macro_f1:.3f} ({_range(f.macro_f1_interval)})",
                mixed.replace("%", " %"),
                f"{f.calibration.excess:.3f} ({_range(f.calibration.excess_interval)})",
                "-" if entropies.pearson is None else f"{entropies.pearson:.2f}",
                f"{report.always_helpful[name]:.3f}",
            )
        )
    return "\n".join(markdown_table(header, rows))


def shown(page: str, *, begin: str = BEGIN) -> str:
    """Returns the table that a page has below a marker."""
    return page.partition(begin)[2].partition(END)[0].strip()


def replaced(page: str, text: str, *, at: Path = README, begin: str = BEGIN) -> str:
    """Returns the page, which lies `at`, with another table between the markers."""
    before, found, rest = page.partition(begin)
    _, end, after = rest.partition(END)
    if not found or not end:
        raise SystemExit(f"{at} lacks the lines {begin!r} and {END!r}: put them where the table belongs")
    return f"{before}{begin}\n{text}\n{end}{after}"


def main(path: Path) -> int:
    """Stores the evaluation and rewrites the table."""
    report = read(path)
    if report.part != "test" or not belongs(report):
        print(f"{path} is not an evaluation of {DEFAULT_BUNDLE} on held-out rows: run make evaluation", file=sys.stderr)
        return 1
    README.write_text(replaced(README.read_text(encoding="utf-8"), table(report)), encoding="utf-8")
    STORED.write_bytes(path.read_bytes())
    print(f"{README} and {STORED} say what {report.bundle} reaches")
    return 0


def _range(interval: Interval) -> str:
    return f"{interval[0]:.3f} to {interval[1]:.3f}"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
