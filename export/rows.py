"""Reads labelled, unlabelled and request-kind rows from a folder of JSON-lines files."""

import csv
import gzip
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from export.errors import DataError
from models.labels import LABELS

HUMAN, JUDGE, DERIVED, NONE = "human", "judge", "derived", "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One example: a pair with a label, a pair without one, or a prompt of known kind (`response` is then None).

    `place` says where it was read, as `file:line`, and `model` who answered; they make no row another.
    """

    source: str
    prompt: str
    response: str | None
    label: int | None = None
    kind: int | None = None
    origin: str = NONE
    goal: str | None = None
    stratum: str = ""
    place: str = field(default="", compare=False)
    model: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class _Source:
    stem: str
    origin: str
    assumed: int | None = None


_SOURCES = (
    _Source("xstest-human-labelled", HUMAN),
    _Source("openai-rbr-gold", HUMAN),
    _Source("chatgpt-refusals", HUMAN),
    _Source("purseclab-manual", HUMAN),
    _Source("latent-jailbreak", HUMAN),
    _Source("gptfuzz", HUMAN),
    _Source("oa-sampling-report", HUMAN),
    _Source("jailbreakbench-judge-labelled", JUDGE),
    _Source("refusal-direction-jbb", JUDGE),
    _Source("adaptive-attacks", JUDGE),
    _Source("gemma3-refusal-axis", JUDGE),
    _Source("coconot-pref", DERIVED),
    _Source("gpteacher-roleplay", NONE, assumed=0),
    _Source("gsm8k-worked-answers", NONE, assumed=0),
    _Source("request-kind-prompts", NONE),
)
_NEVER = ("alpaca-eval-responses",)
"""Files that may lie in the folder and are never trained on, because their licence forbids it for a model that ships."""

KINDS = ("benign", "harmful")


class _Meta(msgspec.Struct, frozen=True):
    goal: str | None = None
    last_user: str | None = None


class _Line(msgspec.Struct, frozen=True):
    prompt: str
    response: str | None = None
    label: str | None = None
    kind: str | None = None
    goal: str | None = None
    type: str | None = None
    source: str | None = None
    model: str | None = None
    meta: _Meta | None = None


class _Conversations(msgspec.Struct, frozen=True):
    chosen: str
    rejected: str


def normalise(text: str) -> str:
    """Returns `text` in lower case with single spaces and no punctuation, so that the same request compares equal."""
    return " ".join(re.findall(r"\w+", text.lower()))


def read_folder(folder: Path) -> list[Row]:
    """Returns every row of the known files in `folder`, and of any other `*.jsonl` there that has `label`.

    Raises DataError when the folder holds none, or when a line cannot be read.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give the folder that holds the labelled .jsonl files")
    rows: list[Row] = []
    known = {source.stem: source for source in _SOURCES}
    for path in sorted(folder.iterdir()):
        stem = path.name.removesuffix(".gz").removesuffix(".jsonl").removesuffix(".csv")
        if stem in _NEVER or not path.name.removesuffix(".gz").endswith((".jsonl", ".csv")):
            continue
        if stem == "hh-harmless-test":
            rows.extend(_conversations(path, stem))
        elif stem == "llmdrift-sensitive-questions":
            rows.extend(_csv(path, stem))
        else:
            rows.extend(_lines(path, known.get(stem, _Source(stem, HUMAN))))
    if not any(row.label is not None for row in rows):
        raise DataError(f"{folder} holds no labelled row; each line needs prompt, response and label")
    return rows


def hash_files(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 of every data file in `folder` that training may read, by name."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.name.removesuffix(".gz").endswith((".jsonl", ".csv")) and not path.name.startswith(_NEVER)
    }


def _read(path: Path) -> str:
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")


def _lines(path: Path, source: _Source) -> Iterator[Row]:
    decoder = msgspec.json.Decoder(_Line)
    for number, text in enumerate(_read(path).splitlines(), start=1):
        if not text.strip():
            continue
        try:
            line = decoder.decode(text)
        except msgspec.DecodeError as error:
            raise DataError(f"{path.name} line {number}: {error}; repair or remove the line") from error
        if line.label is not None and line.label not in LABELS:
            raise DataError(f"{path.name} line {number}: label {line.label!r} is not one of {', '.join(LABELS)}")
        label = source.assumed if line.label is None else LABELS.index(line.label)
        meta = line.meta or _Meta()
        yield Row(
            source=source.stem,
            prompt=line.prompt,
            response=line.response,
            label=label,
            kind=None if line.kind is None else KINDS.index(line.kind),
            origin=source.origin,
            goal=line.goal or meta.goal or meta.last_user,
            stratum=line.type or ((line.source or "") if line.response is None else ""),
            place=f"{path.name}:{number}",
            model=line.model,
        )


def _conversations(path: Path, stem: str) -> Iterator[Row]:
    """Cuts each many-turn chat before its last answer: the turns so far are the prompt."""
    decoder = msgspec.json.Decoder(_Conversations)
    for text in _read(path).splitlines():
        both = decoder.decode(text)
        for chat in (both.chosen, both.rejected):
            asked, mark, said = chat.rpartition("\n\nAssistant:")
            if mark and said.strip():
                opening = asked.strip()
                if opening.count("\n\nHuman:") == 0:
                    opening = opening.removeprefix("Human:").strip()
                yield Row(source=stem, prompt=opening, response=said.strip())


def _csv(path: Path, stem: str) -> Iterator[Row]:
    for line in csv.DictReader(io.StringIO(_read(path))):
        if line["query"] and line["answer"]:
            yield Row(source=stem, prompt=line["query"], response=line["answer"])
