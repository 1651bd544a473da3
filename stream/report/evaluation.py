"""`report.html` of an evaluation: how good a classifier is, on one page that needs no other file and runs no script."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import jinja2

SIDE = 320
"""Width and height of the reliability diagram's square, in user units."""


class TableLike(Protocol):
    """A table as the page shows it; the first column is text, the others are figures."""

    @property
    def heading(self) -> str:
        """What the table is about."""

    @property
    def header(self) -> Sequence[str]:
        """What stands above the columns."""

    @property
    def rows(self) -> Sequence[Sequence[str]]:
        """The cells, a row at a time."""


class BinLike(Protocol):
    """One bin of the reliability diagram."""

    @property
    def rows(self) -> int:
        """Rows in the bin."""

    @property
    def confidence(self) -> float:
        """Their mean confidence, 0 to 1."""

    @property
    def accuracy(self) -> float:
        """The share of them that is right, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A misjudged row with its texts; only for a report that stays with whoever has the rows."""

    place: str
    true: str
    predicted: str
    prompt: str
    response: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the page shows; `readings` is empty unless texts were asked for."""

    bundle: str
    lead: str
    notes: Sequence[str]
    tables: Sequence[TableLike]
    bins: Sequence[BinLike]
    readings: Sequence[Reading] = ()


@dataclass(frozen=True, slots=True)
class _Point:
    x: float
    y: float
    title: str


def render(page: Page) -> str:
    """The page; every text that came from a row or a bundle is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("stream.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    points = [
        _Point(
            round(SIDE * one.confidence, 1),
            round(SIDE * (1 - one.accuracy), 1),
            f"{one.rows} rows: confidence {one.confidence:.3f}, right {one.accuracy:.3f}",
        )
        for one in page.bins
    ]
    return environment.get_template("evaluation.html").render(
        page=page, points=points, side=SIDE, ticks=(0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    )
