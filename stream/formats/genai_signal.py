"""A span, an event of a span, or a log record: what of it tells of a call of a model."""

from collections.abc import Mapping
from dataclasses import dataclass

from stream.core.records import Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One span or log record out of its frames, unchecked; `span` names its trace and span, `failed` that its status is an error.

    Values of attributes and the body are as JSON: texts, numbers, booleans, lists, objects, None.
    """

    name: str
    span: str
    at: Micros | None
    attributes: Mapping[str, object]
    resource: Mapping[str, object]
    body: object = None
    failed: bool = False
    events: tuple["Signal", ...] = ()

    @property
    def placed(self) -> bool:
        """Whether it says to which trace and span it belongs."""
        return len(self.span) > 1

    def text(self, *names: str) -> str | None:
        """The first of these attributes that is a text and not empty; None if none is."""
        for name in names:
            value = self.attributes.get(name)
            if isinstance(value, str) and value:
                return value
        return None
