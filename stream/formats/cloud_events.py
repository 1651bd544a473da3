"""CloudEvents around any other format, in Kafka's two content modes.

- binary: `ce_` headers say what it is, and the value is the data, as it would be without them;
- structured: the value is a JSON object with `specversion`, `id`, `source`, `type`, and the data in `data` or `data_base64`.

The event's `time` is that of a response that says none of its own, and its `id` names one that has no id.

Source: CloudEvents 1.0.2, "Kafka Protocol Binding" and "JSON Event Format".
"""

import base64
import binascii
from dataclasses import dataclass

from stream.core.records import Micros, RejectReason, SourceRecord
from stream.formats.fields import Unusable, check_name, read_time

_STRUCTURED = ("specversion", "id", "source", "type")


@dataclass(frozen=True, slots=True)
class Wrapping:
    """What a CloudEvent says of its data: its id and its time, None where it has none."""

    id: str | None
    ts: Micros | None


def of_headers(record: SourceRecord) -> Wrapping | None:
    """Returns what the headers of a binary event say, None where the record is none.

    Raises:
        Unusable: its id or time cannot be used.
    """
    headers = {name.lower(): content for name, content in record.headers if name.lower().startswith("ce_")}
    if "ce_specversion" not in headers:
        return None
    try:
        said = {name: content.decode() for name, content in headers.items()}
    except UnicodeDecodeError:
        raise Unusable(RejectReason.INVALID_UTF8, "a ce_ header is not UTF-8") from None
    return _wrapping(said.get("ce_id"), said.get("ce_time"))


def is_structured(fields: dict[str, object]) -> bool:
    """Says whether the object is a CloudEvent with its data inside."""
    return all(isinstance(fields.get(name), str) for name in _STRUCTURED)


def unwrap(fields: dict[str, object]) -> tuple[Wrapping, dict[str, object] | bytes]:
    """Returns what a structured event says of its data, and the data: an object, or bytes that are still to be read.

    Raises:
        Unusable: it has no data, or its id or time cannot be used.
    """
    data, encoded = fields.get("data"), fields.get("data_base64")
    wrapping = _wrapping(fields.get("id"), fields.get("time"))
    if isinstance(data, dict):
        return wrapping, data
    if isinstance(data, str):
        return wrapping, data.encode("utf-8", "surrogatepass")
    if isinstance(encoded, str):
        try:
            return wrapping, base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise Unusable(RejectReason.WRONG_TYPE, "data_base64 is not base64") from None
    raise Unusable(RejectReason.MISSING_FIELD, "data: the CloudEvent holds no object, text or bytes")


def _wrapping(identifier: object, time: object) -> Wrapping:
    return Wrapping(
        check_name(identifier if isinstance(identifier, str) else None, "the CloudEvent's id"),
        read_time(time, "the CloudEvent's time") if isinstance(time, str) and time else None,
    )
