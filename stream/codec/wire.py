"""What every wire record shares: strict JSON with `schema` first, rounded floats, and errors that name the record."""

import math
from typing import TypeVar

import msgspec

from stream.errors import RecordError, UnknownSchemaError

Wire = TypeVar("Wire", bound=msgspec.Struct)


class _Schema(msgspec.Struct):
    schema: str | None = None


_SCHEMA = msgspec.json.Decoder(_Schema)


def schema_of(content: bytes) -> str | None:
    """Returns the `schema` that a record names, None if it names none or is no JSON object with a textual one."""
    try:
        return _SCHEMA.decode(content).schema
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def decode(content: bytes, decoder: msgspec.json.Decoder[Wire], schema: str) -> Wire:
    """Returns the record as the decoder's type.

    Raises:
        UnknownSchemaError: it names another schema than `schema`, or none.
        RecordError: it is no JSON, lacks a field, has one too many, or one of another type.
    """
    try:
        return decoder.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        named = schema_of(content)
        if named != schema:
            raise UnknownSchemaError(
                f"expected a record of {schema}, found {named or 'one without a schema'}; "
                "it was written by another version of ValueDrift or does not belong into this topic",
                schema=named,
            ) from None
        raise RecordError(f"a record of {schema} cannot be read: {error}") from None


def rounded(value: float) -> float:
    """Returns the value to 9 significant digits, so that machines whose last bits differ write the same bytes.

    Raises:
        ValueError: the value is no finite number; JSON has none.

    Examples:
        >>> rounded(0.1 + 0.2), rounded(1 / 3), rounded(-0.0)
        (0.3, 0.333333333, 0.0)
    """
    if not math.isfinite(value):
        raise ValueError(f"a record's number must be finite, got {value}")
    return float(f"{value:.9g}") + 0.0


def rounded_or_none(value: float | None) -> float | None:
    """Returns `rounded` of a value, None for None."""
    return None if value is None else rounded(value)
