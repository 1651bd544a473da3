"""The folder of one labelling: how the sample was drawn, its rows with their texts, and the labels so far. It never leaves the machine."""

import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from stream.errors import InputError, OutputError

DESIGN, ROWS, LABELS, SHEET = "design.json", "rows.jsonl", "labels.json", "sheet.csv"
SCHEMA = "valuedrift.label.design/1"
LABELS_SCHEMA = "valuedrift.label.labels/1"

T = TypeVar("T")


class StratumEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One stratum: what was predicted in it and whether surely, its responses, the mean of their probabilities."""

    category: str
    sure: bool
    size: int
    mean: tuple[float, ...]


class Design(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the sample was drawn, and all that an estimate needs of the responses that are not in it.

    `without_text` scored responses had no text in the log; no estimate speaks of them. `covariance` is that of the probabilities.
    """

    schema: str
    monitor: str
    classifier: str
    categories: tuple[str, ...]
    seed: int
    responses: int
    without_text: int
    counts: tuple[int, ...]
    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    strata: tuple[StratumEntry, ...]


class SampleRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One response to label; `row` names it in the sheet and among the labels, `stratum` is a place in the design's strata."""

    row: str
    stratum: int
    event_id: str
    probs: tuple[float, ...]
    prompt: str
    response: str


Labels = dict[str, str | None]
"""By row, in the order given: the name of a behaviour, or None where a person could not tell."""


class _Labels(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="schema", tag=LABELS_SCHEMA):
    labels: Labels


def row_name(event_id: str, place: int) -> str:
    """Returns the name of a row: a letter first, because spreadsheets take digits with an e for numbers."""
    return "r" + hashlib.sha256(f"{place} {event_id}".encode("utf-8", "surrogatepass")).hexdigest()[:10]


def write_sample(folder: Path, design: Design, rows: list[SampleRow]) -> None:
    """Writes design and rows; readable by their owner alone, because they hold what users wrote."""
    write(folder / DESIGN, msgspec.json.format(msgspec.json.encode(design), indent=1) + b"\n")
    write(folder / ROWS, b"".join(msgspec.json.encode(row) + b"\n" for row in rows))


def load_design(folder: Path) -> Design:
    """Returns the design.

    Raises:
        InputError: the folder holds none, or one of another version.
    """
    design = _decode(folder / DESIGN, _read(folder / DESIGN), Design)
    if design.schema != SCHEMA:
        raise InputError(f"{folder / DESIGN} is of another version ({design.schema!a}); pick the sample again")
    return design


def load_rows(folder: Path) -> list[SampleRow]:
    """Returns the rows in the order to ask for.

    Raises:
        InputError: they cannot be read.
    """
    return [_decode(folder / ROWS, line, SampleRow) for line in _read(folder / ROWS).split(b"\n") if line]


def load_labels(folder: Path, categories: Sequence[str]) -> Labels:
    """Returns the labels so far, none where nobody has begun.

    Raises:
        InputError: they cannot be read, or one is none of the categories.
    """
    path = folder / LABELS
    labels = _decode(path, _read(path), _Labels).labels if path.exists() else {}
    if unknown := {label for label in labels.values() if label is not None} - set(categories):
        raise InputError(f"{path} has the label {min(unknown)[:40]!a}; labels are {', '.join(categories)}")
    return labels


def save_labels(folder: Path, labels: Mapping[str, str | None]) -> None:
    """Replaces the labels by these, in one step: whatever happens, the file is complete.

    Raises:
        OutputError: they cannot be written.
    """
    write(folder / LABELS, msgspec.json.format(msgspec.json.encode(_Labels(dict(labels))), indent=1) + b"\n")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}; name a folder that `valuedrift label pick` made"
        ) from None


def _decode(path: Path, content: bytes, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is damaged ({error}); restore it, or pick the sample again") from None


def write(path: Path, content: bytes) -> None:
    """Puts a file into the folder, complete or not at all, readable by its owner alone.

    Raises:
        OutputError: it cannot be written.
    """
    staged = None
    try:
        handle, staged = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # readable by its owner alone
        with open(handle, "wb") as sink:  # noqa: PTH123 - a descriptor, not a path
            sink.write(content)
            sink.flush()
            os.fsync(handle)
        os.replace(staged, path)  # noqa: PTH105 - atomic
    except OSError as error:
        if staged is not None:
            Path(staged).unlink(missing_ok=True)
        raise OutputError(f"cannot write {path}: {error.strerror}") from None
