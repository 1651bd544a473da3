"""Whatever a record of the scored log holds: responses, or what a person decided."""

from stream.codec import control, wire
from stream.codec.scored import decode_scored
from stream.core.control import Entry
from stream.core.records import SourceRecord
from stream.core.taxonomy import Taxonomy


def decode_entry(record: SourceRecord, taxonomy: Taxonomy) -> Entry:
    """Returns the responses or the control record.

    Raises:
        UnknownSchemaError: the record is of neither kind, or of another version.
        RecordError: the record is damaged, or has a category that `taxonomy` lacks.
    """
    content = record.value or b""
    # The tag stands first in what ValueDrift writes, so that most records are told apart without being read twice.
    if control.SCHEMA.encode() in content[:64] and wire.schema_of(content) == control.SCHEMA:
        return control.decode_control(content, source=record.source, offset=record.offset)
    return decode_scored(content, taxonomy)
