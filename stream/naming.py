"""Names that must be the same wherever they are made: of a monitor, and of an event that brings no id."""

import hashlib
import unicodedata

from stream.core.records import ResponseEvent
from stream.errors import RecordError

LONGEST = 200
"""Characters in a monitor's name: it becomes a Kafka key, a metric label and part of an alert's deduplication key."""

SEPARATOR = "|"


def monitor_name(event: ResponseEvent, monitor_by: tuple[str, ...]) -> str:
    """Returns the name of the monitor that watches this response.

    `monitor_by` lists what tells monitors apart: `model`, `provider`, `environment`, or the name of an attribute (see
    `value_of`). The values stand in that order with `|` between them; a value that is absent is empty. Inside a value `|` and
    `\\` follow a `\\`, and characters that do not print are written as `\\u` and six hexadecimal digits, so that two monitors
    never share a name. A name of more than 200 characters keeps its head and ends in `~` and 16 hexadecimal digits of the
    SHA-256 of the whole.
    """
    return shorten(SEPARATOR.join(escape(value_of(event, name) or "") for name in monitor_by))


def check_monitor(name: str) -> None:
    """Refuses what `monitor_name` never makes: a name that is too long, or that could steer a terminal.

    Raises:
        RecordError: it is no monitor's name.
    """
    if len(name) > LONGEST or not is_safe(name):
        raise RecordError(f"a monitor's name has at most {LONGEST} characters, all of which can be seen")


def value_of(event: ResponseEvent, name: str) -> str | None:
    """Returns what the event says under this name: one of its own fields that are names, else an attribute; None if nothing."""
    return getattr(event, name) if name in _OWN else event.attributes.get(name)


_OWN = frozenset({"model", "provider", "environment", "conversation_id", "finish_reason", "refusal_hint"})


def escape(value: str) -> str:
    """Returns the value as it stands in a monitor's name.

    Examples:
        >>> escape("meta-llama/Llama-3"), escape("a|b"), escape("a\\nb")
        ('meta-llama/Llama-3', 'a\\\\|b', 'a\\\\u00000ab')
    """
    if value.isprintable() and SEPARATOR not in value and "\\" not in value:
        return value
    return "".join(
        "\\" + character
        if character in (SEPARATOR, "\\")
        else character
        if is_safe(character)
        else f"\\u{ord(character):06x}"
        for character in value
    )


def is_safe(text: str) -> bool:
    """Says whether no character is a control, a format mark, a line or paragraph separator, unassigned, or half of a pair.

    Examples:
        >>> is_safe("gpt 4"), is_safe("gpt\\u202e4"), is_safe("日本")
        (True, False, True)
    """
    return text.isprintable() or all(
        character.isprintable() or unicodedata.category(character) == "Zs" for character in text
    )


def visible(text: str) -> str:
    """Returns the text as a terminal may show it: whatever does not print stands as an escape, so that no text can steer a terminal.

    Examples:
        >>> print(visible("a\\x1b[2Jb\\u202e\\n日本"))
        a\\x1b[2Jb\\u202e\\n日本
    """
    return "".join(
        character if is_safe(character) else character.encode("unicode_escape", "surrogatepass").decode()
        for character in text
    )


def shorten(name: str) -> str:
    """Returns the name, or its head and a hash of the whole where it is longer than 200 characters."""
    if len(name) <= LONGEST:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{name[: LONGEST - 17]}~{digest}"


def content_id(content: bytes) -> str:
    """Returns the id of an event that has none: the first 16 hex digits of the SHA-256 of its record's bytes."""
    return hashlib.sha256(content).hexdigest()[:16]
