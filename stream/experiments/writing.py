"""An experiment's folder: report.html for people, figures.json and one CSV a table for programs, one PNG a picture."""

import base64
import csv
import io
import math
from pathlib import Path

import jinja2
import msgspec

from stream.experiments.findings import EXPLAINED, Cell, Report, Table

SCHEMA = "valuedrift.experiment/1"
FOLDED = 20
"""Rows above which a table is folded in the report; its CSV has them all."""


def write(folder: Path, report: Report) -> None:
    """Writes all files of the report into `folder`; the caller moves them into place together.

    figures.json: `schema, experiment, settings{}, tables{name: {caption, basis, rows[{heading: value}]}}`.
    """
    tables = {
        table.name: {
            "caption": table.caption,
            "basis": finding.basis.value,
            "rows": [dict(zip(table.header, map(_rounded, row), strict=True)) for row in table.rows],
        }
        for finding in report.findings
        for table in finding.tables
    }
    figures = {"schema": SCHEMA, "experiment": report.name, "settings": dict(report.settings), "tables": tables}
    (folder / "figures.json").write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=1) + b"\n")
    for finding in report.findings:
        for table in finding.tables:
            (folder / f"{table.name}.csv").write_text(_csv(table), encoding="utf-8")
        for picture in finding.pictures:
            (folder / f"{picture.name}.png").write_bytes(picture.png)
    (folder / "report.html").write_text(_html(report), encoding="utf-8")


def _html(report: Report) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("stream.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.filters |= {"cell": cell, "data": lambda png: base64.b64encode(png).decode()}
    return environment.get_template("experiment.html").render(report=report, explained=EXPLAINED, folded=FOLDED)


def cell(value: Cell) -> str:  # noqa: PLR0911 - a case each
    """A table's cell as people read it: three significant digits, thousands separated, `-` for nothing.

    Examples:
        >>> cell(0.123456), cell(12345), cell(None), cell("g1"), cell(1234.5), cell(0.93), cell(1.0), cell(42.0), cell(0.0)
        ('0.123', '12,345', '-', 'g1', '1,234', '0.930', '1.00', '42', '0')
    """
    match value:
        case None:
            return "-"
        case str():
            return value
        case int():
            return f"{value:,}"
        case _ if math.isnan(value):
            return "-"
        case _ if math.isinf(value):
            return "never"
        case _ if abs(value) >= 1000:
            return f"{value:,.0f}"
        case _:
            return f"{value:#.3g}" if 1e-4 <= abs(value) <= 1 else f"{value:.3g}"


def _rounded(value: Cell) -> Cell:
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def _csv(table: Table) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.header)
    writer.writerows([["" if (kept := _rounded(value)) is None else kept for value in row] for row in table.rows])
    return out.getvalue()
