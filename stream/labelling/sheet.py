"""The sample as a CSV sheet for people who label in a spreadsheet, written so that no cell can run, and read back strictly."""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from stream.errors import InputError
from stream.labelling.folder import Labels, SampleRow
from stream.labelling.texts import harmless

HEADINGS = ("row", "label", "prompt", "response")
SKIP = "skip"
"""What stands in the sheet where a person cannot tell."""
LONGEST_CELL = 32_000
"""Characters; a spreadsheet cuts cells at 32,767 without a word."""

_FORMULA = re.compile(r"""(^|[,;\n])([\s"]*)([=+\-@\uff1d\uff0b\uff0d\uff20])""")
"""Where a spreadsheet may take a text for a formula: at its beginning, and, as one that expects another separator cuts cells
elsewhere, after every separator and line feed. A tab or carriage return may begin a formula too, but `harmless` leaves none."""
_SHOWN_ERRORS = 10


def write(rows: Sequence[SampleRow]) -> bytes:
    """Returns the sheet, UTF-8 with the mark by which spreadsheets know it: a line for each row, its label still empty.

    What a spreadsheet would take for a formula gets an apostrophe in front (OWASP, "CSV Injection").
    """
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(HEADINGS)
    for row in rows:
        writer.writerow((row.row, "", cell(row.prompt), cell(row.response)))
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def cell(text: str) -> str:
    """Returns the text as it may stand in a cell.

    Examples:
        >>> cell("=1+1"), cell(" @SUM(A1)"), cell("a-b = c"), cell("a;=1")
        ("'=1+1", " '@SUM(A1)", 'a-b = c', "a;'=1")
    """
    shown = _FORMULA.sub(r"\1\2'\3", harmless(text))
    if len(shown) > LONGEST_CELL:
        return f"{shown[:LONGEST_CELL]} [… {len(shown) - LONGEST_CELL:,} more characters]"
    return shown


def read(path: Path, rows: Sequence[SampleRow], categories: Sequence[str]) -> Labels:
    """Returns the labels in a sheet; rows without one are left out. Commas, semicolons and tabs may separate the cells.

    A label is the name of a behaviour, its number counted from 1, or `skip`. The columns `row` and `label` are enough.

    Raises:
        InputError: the sheet cannot be read or does not belong to this sample, or a label is none; every line at fault is named.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path} as UTF-8 text: {error}; save the sheet as CSV UTF-8") from None
    known = {row.row for row in rows}
    names = {name: name for name in categories} | {str(at): name for at, name in enumerate(categories, 1)}
    labels: Labels = {}
    wrong: list[str] = []
    for line, row, said in _cells(path, text):
        label = names.get(said.lower())
        if row not in known:
            wrong.append(f"line {line}: there is no row {row[:20]!a} in this sample")
        elif label is None and said.lower() not in ("", SKIP):
            wrong.append(f"line {line}: {said[:40]!a} is no label")
        elif said and labels.setdefault(row, label) != label:
            wrong.append(f"line {line}: row {row} has had another label above")
    if wrong:
        more = f"; {len(wrong) - _SHOWN_ERRORS} more" if len(wrong) > _SHOWN_ERRORS else ""
        raise InputError(
            f"{path}: {'; '.join(wrong[:_SHOWN_ERRORS])}{more}. Labels are {', '.join(categories)}, "
            f"their numbers 1 to {len(categories)}, or {SKIP}; nothing was taken over"
        )
    return labels


def _cells(path: Path, text: str) -> list[tuple[int, str, str]]:
    """Of each line of the sheet its number in the file (that of its last line, where cells have several), its row and its label.

    Raises:
        InputError: it is no CSV, or lacks a column.
    """
    heading = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=heading.count)
    csv.field_size_limit(4 * 1024 * 1024)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        if not {"row", "label"} <= set(reader.fieldnames or ()):
            raise InputError(
                f"{path}: the first line must name the columns row and label, as in the sheet that pick writes"
            )
        return [
            (reader.line_num, (line["row"] or "").strip(), (line["label"] or "").strip())
            for line in reader
            if line["row"] or line["label"]
        ]
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}; save the sheet as CSV UTF-8") from None
