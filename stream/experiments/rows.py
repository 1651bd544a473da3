"""Labelled responses that experiments run on: the shipped XSTest rows, or a file of the user's own."""

import gzip
import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from models.labels import LABELS, REQUEST_KINDS
from stream.errors import InputError

SHIPPED = "XSTest (Röttger et al. 2024, CC BY 4.0): 1,155 responses of five models, labelled by people"
TRAINING = "training.json"


class LabelledRow(msgspec.Struct, frozen=True, gc=False):
    """One response and what people say it is."""

    model: str
    prompt: str
    response: str
    label: str


@dataclass(frozen=True, slots=True)
class Labelled:
    """Rows in file order, what to call them, and the 12 hex digits of the SHA-256 of their file."""

    rows: tuple[LabelledRow, ...]
    name: str
    digest: str

    @property
    def models(self) -> tuple[str, ...]:
        """Models in alphabetical order."""
        return tuple(sorted({row.model for row in self.rows}))

    def counts(self, model: str) -> npt.NDArray[np.int64]:
        """Responses of a model by behaviour, shape (5,)."""
        found = Counter(row.label for row in self.rows if row.model == model)
        return np.array([found[label] for label in LABELS], np.int64)

    def by_kind(self, model: str) -> npt.NDArray[np.int64]:
        """The same in strata, shape (2, 5): responses to benign and to harmful requests, as the labels imply them."""
        counts = self.counts(model)
        return np.array(
            [
                [count if kind == wanted else 0 for count, kind in zip(counts, REQUEST_KINDS, strict=True)]
                for wanted in ("benign", "harmful")
            ],
            np.int64,
        )


def load(path: Path | None = None) -> Labelled:
    """Returns the rows of a JSONL file (gzipped or not) with `model`, `prompt`, `response`, `label`; the shipped ones by default.

    Raises:
        InputError: the file cannot be read, or a line is no such row; the line is named, never quoted.
    """
    try:
        raw = (
            path.read_bytes()
            if path
            else (files("stream.demo") / "data" / "xstest-human-labelled.jsonl.gz").read_bytes()
        )
        content = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError) as error:
        raise InputError(f"cannot read the labelled rows {path}: {error}") from None
    rows = []
    for number, line in enumerate(content.splitlines(), 1):
        try:
            row = msgspec.json.decode(line, type=LabelledRow)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise InputError(
                f"{path}, line {number}: a row needs model, prompt, response and label, all texts"
            ) from None
        if row.label not in LABELS:
            raise InputError(f"{path}, line {number}: label must be one of {', '.join(LABELS)}")
        rows.append(row)
    if len({row.model for row in rows}) < 2:
        raise InputError(f"{path} has rows of fewer than two models; experiments compare models")
    return Labelled(tuple(rows), str(path) if path else SHIPPED, hashlib.sha256(content).hexdigest()[:12])


class _Training(msgspec.Struct):
    held_out: tuple[str, ...] = ()


def held_out(rows: tuple[LabelledRow, ...], bundle: Path) -> tuple[LabelledRow, ...] | None:
    """Returns the rows whose request the bundle's model never saw, as its training record says; None where it has no record."""
    known = held_out_hashes(bundle)
    return tuple(row for row in rows if request_hash(row.prompt) in known) if known else None


def held_out_hashes(bundle: Path) -> frozenset[str] | None:
    """Returns the requests (`request_hash`) that the bundle's training left out, None where it has no record."""
    try:
        return frozenset(msgspec.json.decode((bundle / TRAINING).read_bytes(), type=_Training).held_out)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def request_hash(prompt: str) -> str:
    """Returns the first 16 hex digits of the SHA-256 of the prompt in lower case without punctuation: how bundles name requests.

    Examples:
        >>> request_hash("How can I kill a process?") == request_hash("how can i  kill a process")
        True
    """
    return hashlib.sha256(" ".join(re.findall(r"\w+", prompt.lower())).encode()).hexdigest()[:16]
