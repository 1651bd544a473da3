"""Rows of any kind → response events, by names that a person gives: `--map prompt=question,response=answer,model=:gpt-4`."""

import json
import re
from dataclasses import dataclass
from typing import Self

from stream import times
from stream.formats.canonical import SCHEMA
from stream.formats.chat import earlier_of, last_user, system_of
from stream.formats.fields import Unusable, parse_object
from stream.formats.loose import answers, opened, turns
from stream.formats.loose_times import read_loose_time

TARGETS = (
    "prompt",
    "response",
    "model",
    "ts",
    "event_id",
    "provider",
    "system",
    "earlier",
    "conversation_id",
    "environment",
    "finish_reason",
    "refusal_hint",
)
"""Fields of a response event that a map may name; besides them `attributes.NAME`."""

_ATTRIBUTE = "attributes."
_ASSIGNMENTS = re.compile(r",(?=[\w.]+=)")


@dataclass(frozen=True, slots=True)
class FieldMap:
    """Where each field of a response event comes from: a field of the row (dots lead into objects and arrays), or `:` and a constant.

    Fields that are not named are taken from the row where it has them under their own names.
    """

    sources: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Returns the map that a text such as `prompt=question,response=answers.0.text,model=:gpt-4` says.

        Raises:
            ValueError: it says none, or a field that a response event has not.
        """
        found: dict[str, str] = {}
        for assignment in _ASSIGNMENTS.split(text):
            target, equals, source = assignment.partition("=")
            if not equals or not source.removeprefix(":"):
                raise ValueError(f"{assignment!r} must be FIELD=NAME, or FIELD=:CONSTANT")
            if target not in TARGETS and not target.removeprefix(_ATTRIBUTE) != target:
                raise ValueError(
                    f"{target!r} is no field of a response; there are {', '.join(TARGETS)}, attributes.NAME"
                )
            found[target] = source
        return cls(tuple(found.items()))

    def __str__(self) -> str:
        return ",".join(f"{target}={source}" for target, source in self.sources)

    def apply(self, content: bytes) -> bytes:
        """Returns the row as a response event in JSON; bytes that are no JSON object come back unchanged, to be rejected as such."""
        try:
            row = parse_object(content)
        except Unusable:
            return content
        record: dict[str, object] = {"schema": SCHEMA}
        record |= {name: row[name] for name in (*TARGETS, "attributes") if row.get(name) not in (None, "")}
        own = record.get("attributes")
        attributes: dict[str, object] = dict(own) if isinstance(own, dict) else {}
        for target, source in self.sources:
            value = source[1:] if source.startswith(":") else look_up(row, source)
            if value in (None, ""):
                continue
            if target.startswith(_ATTRIBUTE):
                attributes[target.removeprefix(_ATTRIBUTE)] = value
            else:
                record |= {name: read for name, read in _read(target, value).items() if read is not None}
        if attributes:
            record["attributes"] = attributes
        return json.dumps(record).encode()


def look_up(row: object, path: str) -> object:
    """Returns what stands under a name, or under a path of names and numbers with dots between; None where nothing does."""
    if isinstance(row, dict) and path in row:
        return row[path]
    head, _, rest = path.partition(".")
    if isinstance(row, dict) and head in row and rest:
        return look_up(row[head], rest)
    if isinstance(row, list) and head.isdecimal() and len(head) < 6 and int(head) < len(row):
        return look_up(row[int(head)], rest) if rest else row[int(head)]
    return None


def _read(target: str, value: object) -> dict[str, object]:
    """The field as a response event has it: times in any usual form, chats by their last turns, numbers as texts."""
    try:
        if target == "ts" and isinstance(value, (str, int, float)):
            return {"ts": times.render(read_loose_time(value, "ts"))}
        if target == "prompt" and not isinstance(opened(value), str):
            said = turns(value, "prompt")
            return {"prompt": last_user(said, "prompt"), "system": system_of(said), "earlier": earlier_of(said)}
        if target == "response" and not isinstance(opened(value), str):
            answer = next(iter(answers(value, "response")), None)
            if answer is None:
                return {target: value}
            return {"response": answer.text or answer.refusal, "refusal_hint": "refusal" if answer.refusal else None}
    except Unusable:
        return {target: value}  # is refused where all fields are checked, with the same reason as anywhere
    return {target: str(value) if isinstance(value, (int, float)) else value}
