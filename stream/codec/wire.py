"""What every wire record shares: strict JSON with `schema` first, finite numbers, and errors that name the record."""

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


def check_finite(*numbers: float | None) -> None:
    """Checks that JSON has each number.

    Raises:
        ValueError: one is not finite.
    """
    if not all(map(math.isfinite, filter(None, numbers))):  # what is left out, None and 0, is well
        raise ValueError(f"a record's numbers must be finite, got {numbers}")
