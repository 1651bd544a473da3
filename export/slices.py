"""Names the part of the traffic that a row belongs to: its source, its model, the length and the script of its response."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Final

from export.rows import Row

UNKNOWN: Final = "not recorded"

LENGTHS: Final = ((200, "to 200 characters"), (1000, "201 to 1,000 characters"), (4000, "1,001 to 4,000 characters"))
_LONGER: Final = "over 4,000 characters"

_FEW: Final = 20

_READ = 4000
"""Characters that are looked at to tell the script."""

_ACCENTED = 0.01
"""Latin text with at least this share of letters outside A to Z is hardly English."""


def source(row: Row) -> str:
    """Returns the file that the row came from."""
    return row.source


def model(row: Row) -> str:
    """Returns the model that answered."""
    return (row.model or "").strip() or UNKNOWN


def length(row: Row) -> str:
    """Returns the class of length of the response, in characters."""
    size = len(row.response or "")
    return next((name for most, name in LENGTHS if size <= most), _LONGER)


def language(row: Row) -> str:
    """Returns the script that most letters of the response are of, as Unicode names it: a script is not a language.

    Latin is told apart by accents: text without them may be English, or another language, or code.
    """
    scripts: dict[str, int] = {}
    accented = 0
    for character in (row.response or "")[:_READ]:
        if character.isalpha():
            script = unicodedata.name(character, "OTHER").partition(" ")[0]
            scripts[script] = scripts.get(script, 0) + 1
            accented += script == "LATIN" and not character.isascii()
    if not scripts:
        return "no letters"
    script = max(scripts, key=scripts.__getitem__)
    if script == "LATIN":
        return f"Latin {'with' if accented >= _ACCENTED * scripts[script] else 'without'} accents"
    return script if script == "CJK" else script.capitalize()


def common(names: Sequence[str]) -> list[str]:
    """Returns the names with all that occur fewer than 20 times under one."""
    counts = Counter(names)
    return [name if counts[name] >= _FEW else f"others, under {_FEW} rows each" for name in names]
