"""The user's own log as the place of the texts: which responses it has, and how a text is shown so that it can do no harm."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stream.core.records import ResponseEvent
from stream.errors import InputError
from stream.files import STANDARD_INPUT, LogFiles
from stream.formats.mapped import FieldMap
from stream.formats.missing_time import Spaced
from stream.formats.recognise import decode
from stream.naming import is_safe


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseLog:
    """Files of responses in any format that `replay` reads; read twice, hence no standard input.

    Raises:
        InputError: a file cannot be opened, or is standard input.
    """

    paths: Sequence[Path]
    form: str | None = None
    field_map: FieldMap | None = None

    def __post_init__(self) -> None:
        if STANDARD_INPUT in self.paths:
            raise InputError("the log is read twice: save standard input to a file and name that")
        LogFiles(self.paths)

    def ids(self) -> frozenset[str]:
        """Returns the ids of all responses; an id that stands at two different texts says nothing and is left out."""
        texts: dict[str, int] = {}
        ambiguous = set()
        for event in self._events():
            text = hash((event.asked, event.response))
            if texts.setdefault(event.event_id, text) != text:
                ambiguous.add(event.event_id)
        return frozenset(texts.keys() - ambiguous)

    def texts(self, wanted: frozenset[str]) -> dict[str, tuple[str, str]]:
        """Returns what was asked (the prompt in its chat) and the response of the wanted ids, of those that the log has."""
        return {event.event_id: (event.asked, event.response) for event in self._events() if event.event_id in wanted}

    def _events(self) -> Iterator[ResponseEvent]:
        untimed = Spaced(1)  # times do not matter here, and a line without one still has its texts
        for record in LogFiles(self.paths, field_map=self.field_map):
            for found in decode(record, missing_time=untimed, form=self.form):
                if isinstance(found, ResponseEvent):
                    yield found


def harmless(text: str) -> str:
    """Returns the text with its line feeds, a tab as four spaces, and whatever else does not print as an escape.

    Examples:
        >>> harmless("a\\tb\\x1b[2J\\u202e\\r\\nc")
        'a    b\\\\x1b[2J\\\\u202e\\nc'
    """
    tidy = text.replace("\r\n", "\n").replace("\t", "    ")
    return "".join(
        character
        if character == "\n" or is_safe(character)
        else character.encode("unicode_escape", "surrogatepass").decode()
        for character in tidy
    )
