"""What every format shares: strict JSON, checked fields, and what a record gets that does not say it itself."""

import json
import re
from dataclasses import dataclass
from typing import NoReturn, TypeVar

import msgspec

from stream import naming, times
from stream.core.records import Micros, Reject, RejectReason

DEEPEST = 64
"""Levels of nesting that are read. A fixed number, because Python's own limit depends on who calls."""

LONGEST_NAME = naming.LONGEST
"""Characters in a name (model, event id, …): names go into keys, labels and alerts, texts do not."""


class Unusable(Exception):  # noqa: N818 - no error of the program: a record that becomes a dead letter
    """Carries a Reject from the field that is wrong to the one place that catches it, `recognise.decode`."""

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(detail)
        self.reject = Reject(reason, detail)


@dataclass(frozen=True, slots=True)
class Fallback:
    """What an event gets that names no id or no time of its own; `ts` is None where a time is demanded."""

    event_id: str
    ts: Micros | None


def parse_object(content: bytes | str) -> dict[str, object]:
    """Returns the JSON object that the bytes hold, as `parse_json` reads it.

    Raises:
        Unusable: with the reason.
    """
    value = parse_json(content)
    if not isinstance(value, dict):
        raise Unusable(RejectReason.NOT_AN_OBJECT, "the record is JSON, but no object")
    return value


def parse_json(content: bytes | str) -> object:
    """Returns the JSON value that the bytes hold, without duplicate fields, NaN, or nesting deeper than `DEEPEST`.

    Raises:
        Unusable: with the reason.
    """
    try:
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unusable(RejectReason.INVALID_UTF8, f"byte {error.start} is not UTF-8") from None
    if not text.strip():
        raise Unusable(RejectReason.EMPTY_RECORD, "the record holds nothing but white space")
    try:
        value: object = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise Unusable(RejectReason.INVALID_JSON, f"malformed at character {error.pos}") from None
    except RecursionError:
        raise Unusable(RejectReason.INVALID_JSON, _TOO_DEEP) from None
    except ValueError:  # Python reads no integer of more than 4,300 digits
        raise Unusable(RejectReason.INVALID_JSON, "a number has too many digits") from None
    if text.count("{") + text.count("[") > DEEPEST and _is_deep(value):
        raise Unusable(RejectReason.INVALID_JSON, _TOO_DEEP)
    return value


_TOO_DEEP = f"nested deeper than {DEEPEST} levels"


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Unusable(RejectReason.DUPLICATE_FIELD, "one object has the same field twice")
    return fields


def _refuse_constant(_: str) -> NoReturn:
    raise Unusable(RejectReason.INVALID_JSON, "NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [
            child
            for parent in level
            if isinstance(parent, (dict, list))
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
        if not level:
            return False
    return True


Shape = TypeVar("Shape", bound=msgspec.Struct)


def convert(fields: object, shape: type[Shape], *, at: str = "") -> Shape:
    """Returns the fields as `shape`, strictly: a number is no text. Fields that `shape` does not know are left out.

    `at` names where the fields stand in the record, for the detail.

    Raises:
        Unusable: a field is missing or has another type.
    """
    try:
        return msgspec.convert(fields, shape, strict=True)
    except msgspec.ValidationError as error:
        raise _explain(str(error), at) from None
    except UnicodeEncodeError:
        raise Unusable(RejectReason.INVALID_UTF8, "the name of a field has half of a surrogate pair") from None


_PATH = re.compile(r" - at `\$\.?(.*)`$", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(\w+)`")
_TYPES = re.compile(r"Expected `([\w |]+)`, got `(\w+)`")


def _explain(message: str, at: str) -> Unusable:
    """Msgspec's message in our words; what is not one of its two known forms is not passed on, as it might quote a value."""
    path = _PATH.search(message)
    where = ".".join(filter(None, (at, path.group(1) if path else "")))
    if missing := _MISSING.match(message):
        return Unusable(RejectReason.MISSING_FIELD, ".".join(filter(None, (where, missing.group(1)))))
    if types := _TYPES.match(message):
        wanted, got = types.groups()
        return Unusable(RejectReason.WRONG_TYPE, f"{where or 'the record'}: expected {wanted}, got {got}")
    return Unusable(RejectReason.WRONG_TYPE, where or "the record")


def check_text(text: str, field: str, empty: RejectReason) -> str:
    """Returns the text unchanged if a tokenizer can read it and it says anything.

    Raises:
        Unusable: only white space (reason `empty`), or half of a surrogate pair, which no UTF-8 can hold (a text cut
            in the middle of a character).
    """
    if not text.strip():
        raise Unusable(empty, f"{field} is empty")
    _check_unicode(text, field)
    return text


def check_name(name: str | None, field: str) -> str | None:
    """Returns the name unchanged, or None for None and for an empty one.

    Raises:
        Unusable: longer than `LONGEST_NAME`, or with characters that cannot be seen, such as line breaks.
    """
    if not name:
        return None
    _check_unicode(name, field)
    if len(name) > LONGEST_NAME:
        raise Unusable(RejectReason.INVALID_NAME, f"{field} is longer than {LONGEST_NAME} characters")
    if not naming.is_safe(name):
        raise Unusable(RejectReason.INVALID_NAME, f"{field} has control characters")
    return name


def require_name(name: str | None, field: str) -> str:
    """Returns the name unchanged.

    Raises:
        Unusable: as `check_name`, and where there is none.
    """
    checked = check_name(name, field)
    if checked is None:
        raise Unusable(RejectReason.MISSING_FIELD, field)
    return checked


def _check_unicode(text: str, field: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unusable(RejectReason.INVALID_UTF8, f"{field} has half of a surrogate pair") from None


def read_time(text: str, field: str) -> Micros:
    """Returns the instant that an RFC 3339 text names.

    Raises:
        Unusable: it names none, or one outside 2000 to 2099.
    """
    try:
        return times.parse(text)
    except ValueError as error:
        raise Unusable(RejectReason.INVALID_TIME, f"{field}: {error}") from None


def read_unix(seconds: float, field: str) -> Micros:
    """Returns the instant that is `seconds` after 1970-01-01T00:00:00Z, to the microsecond.

    Raises:
        Unusable: it lies outside 2000 to 2099, as milliseconds read as seconds do.
    """
    if not times.EARLIEST <= seconds * 1_000_000 < times.LATEST:
        raise Unusable(
            RejectReason.INVALID_TIME, f"{field}: seconds since 1970 must lie between the years 2000 and 2099"
        )
    return round(seconds * 1_000_000)


def fall_back(ts: Micros | None) -> Micros:
    """Returns the fallback time.

    Raises:
        Unusable: there is none.
    """
    if ts is None:
        raise Unusable(RejectReason.NO_TIME, "the record has no time of its own")
    return ts


Scalar = str | int | float | bool | None
"""What an attribute may be on the wire; it is text inside."""


def read_attributes(attributes: dict[str, Scalar] | None) -> dict[str, str]:
    """Returns the attributes as texts (JSON's own spelling of numbers and booleans), without those that are null.

    Raises:
        Unusable: a name or a text is not Unicode; texts may be of any length, the pipeline shortens what it keeps.
    """
    found = {}
    for name, value in (attributes or {}).items():
        if value is not None:
            text = value if isinstance(value, str) else json.dumps(value)
            _check_unicode(name, "the name of an attribute")
            _check_unicode(text, "an attribute")
            found[name] = text
    return found
