"""Prompt sets: fixed requests of known kind, one JSON object a line, that a model is probed with again and again."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from pathlib import Path

import msgspec

from stream.core.records import RejectReason
from stream.errors import InputError
from stream.formats.fields import Unusable, check_text, require_name

LONGEST_ID = 80
"""Characters in a prompt's id: it becomes part of each event's id."""


class PromptKind(StrEnum):
    """What a prompt asks for; borderline ones are benign and look harmful."""

    BENIGN = "benign"
    BORDERLINE = "borderline"
    HARMFUL = "harmful"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One request, with where its text comes from and under which licence; `system` stands before it where given."""

    id: str
    text: str
    kind: PromptKind
    source: str
    license: str
    system: str | None = None


@dataclass(frozen=True, slots=True)
class PromptSet:
    """Prompts in file order, and the first 12 hex digits of the SHA-256 of what they say (not of how the file was formatted)."""

    prompts: tuple[Prompt, ...]
    digest: str


class _Line(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    id: str
    prompt: str
    kind: PromptKind
    source: str
    license: str
    system: str | None = None


def load(path: Path | None = None) -> PromptSet:
    """Returns the prompts of a JSONL file, or the shipped set of 60.

    Raises:
        InputError: the file cannot be read, is empty, or a line is no prompt or repeats an id; the line is named, never quoted.
    """
    name = str(path) if path else "the shipped prompt set"
    try:
        content = path.read_bytes() if path else (files("stream.sampling") / "prompts" / "default.jsonl").read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the prompt set {name}: {error.strerror}") from None
    prompts: list[Prompt] = []
    seen: set[str] = set()
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        prompt = _prompt(line, f"{name}, line {number}")
        if prompt.id in seen:
            raise InputError(
                f"{name}, line {number}: id {prompt.id!r} stands on an earlier line too; ids must be unique"
            )
        seen.add(prompt.id)
        prompts.append(prompt)
    if not prompts:
        raise InputError(
            f"{name} holds no prompt; write one JSON object a line with {', '.join(_Line.__struct_fields__[:5])}"
        )
    return PromptSet(tuple(prompts), _digest(prompts))


def _prompt(line: bytes, where: str) -> Prompt:
    try:
        fields = msgspec.json.decode(line, type=_Line)
        text = check_text(fields.prompt, "prompt", RejectReason.EMPTY_PROMPT)
        identifier = require_name(fields.id, "id")
    except Unusable as unusable:
        raise InputError(f"{where}: {unusable.reject.detail}") from None
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: {_without_values(str(error))}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InputError(f"{where} is no JSON object") from None
    if len(identifier) > LONGEST_ID:
        raise InputError(f"{where}: id is longer than {LONGEST_ID} characters")
    return Prompt(
        id=identifier,
        text=text,
        kind=fields.kind,
        source=fields.source,
        license=fields.license,
        system=fields.system or None,
    )


def _without_values(message: str) -> str:
    """Msgspec quotes the value of a wrong `kind`, which might be a text in the wrong place."""
    return f"kind must be one of {', '.join(PromptKind)}" if message.startswith("Invalid enum value") else message


def _digest(prompts: list[Prompt]) -> str:
    spelt = msgspec.json.encode([(prompt.id, prompt.text, prompt.system) for prompt in prompts])
    return hashlib.sha256(spelt).hexdigest()[:12]
