"""What an experiment found: tables, pictures and words, each part saying whether its data are real or simulated."""

from dataclasses import dataclass
from enum import StrEnum

Cell = str | float | int | None


class Basis(StrEnum):
    """Where the numbers of a finding come from."""

    REAL = "real"
    RESAMPLED = "resampled"
    SIMULATED = "simulated"
    ARITHMETIC = "arithmetic"


EXPLAINED = {
    Basis.REAL: "real responses of real models",
    Basis.RESAMPLED: "real responses, drawn with repetition; what changes, and when, was put in",
    Basis.SIMULATED: "simulated: no model answered anything",
    Basis.ARITHMETIC: "follows from definitions, no data needed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of equal length under a header, whose headings differ; `name` becomes the CSV file's."""

    name: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        if len(set(self.header)) < len(self.header):
            raise ValueError(f"table {self.name}: two columns have the same heading")
        for row in self.rows:
            if len(row) != len(self.header):
                raise ValueError(f"table {self.name}: a row has {len(row)} cells under {len(self.header)} headings")


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A plot as PNG, with the words that say what to see in it."""

    name: str
    caption: str
    png: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One result: a heading that says it, the basis, paragraphs, tables and pictures."""

    heading: str
    basis: Basis
    words: tuple[str, ...]
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """An experiment's outcome: its name, what was asked, the findings, and the settings that give it again."""

    name: str
    title: str
    question: str
    findings: tuple[Finding, ...]
    settings: tuple[tuple[str, str], ...]
