"""Times as other systems write them: numbers in any of four units, and calendar times without a zone, which are UTC."""

import re

from stream import times
from stream.core.records import Micros, RejectReason
from stream.formats.fields import Unusable

_UNITS = (1_000_000.0, 1_000.0, 1.0, 0.001)
"""Microseconds in a second, a millisecond, a microsecond, a nanosecond."""

_ABSURD = 1e20
"""Beyond every unit; a number of a thousand digits would not even fit a float."""

_NAIVE = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?", re.ASCII)
_NUMBER = re.compile(r"\d{9,20}(?:\.\d+)?", re.ASCII)


def read_loose_time(value: str | float, field: str) -> Micros:
    """Returns the instant that a number, a number's text, or a calendar time names; without a zone it is UTC.

    A number counts seconds, milliseconds, microseconds or nanoseconds since 1970, whichever lies between 2000 and 2099: no two do.

    Raises:
        Unusable: it names no instant between 2000 and 2099.

    Examples:
        >>> read_loose_time(1741569952, "t") == read_loose_time("1741569952000", "t") == read_loose_time("2025-03-10 01:25:52", "t")
        True
    """
    if isinstance(value, str):
        text = value.strip()
        if _NUMBER.fullmatch(text):
            return read_loose_time(int(text) if text.isdecimal() else float(text), field)
        if _NAIVE.fullmatch(text):
            text += "Z"
        try:
            return times.parse(text)
        except ValueError as error:
            raise Unusable(RejectReason.INVALID_TIME, f"{field}: {error}") from None
    for unit in _UNITS:
        if abs(value) < _ABSURD and times.EARLIEST <= value * unit < times.LATEST:
            return value // 1000 if isinstance(value, int) and unit < 1 else min(round(value * unit), times.LATEST - 1)
    raise Unusable(RejectReason.INVALID_TIME, f"{field}: a number must be a time between the years 2000 and 2099")
