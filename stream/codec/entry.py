"""Whatever a record of the scored log holds: responses, what a person decided, or that nothing came."""

from stream.codec import control, wire
from stream.codec.scored import decode_scored
from stream.core.control import Entry
from stream.core.records import SourceRecord
from stream.core.taxonomy import Taxonomy

_SCORED = b'{"schema":"valuedrift.scored/1"'


def decode_entry(record: SourceRecord, taxonomy: Taxonomy) -> Entry:
    """Returns the responses or the order.

    Raises:
        UnknownSchemaError: the record is of no such kind, or of another version.
        RecordError: the record is damaged, or has a category that `taxonomy` lacks.
    """
    content = record.value or b""
    # The tag stands first in what ValueDrift writes, so that most records are told apart without being read twice.
    if not content.startswith(_SCORED) and wire.schema_of(content) in control.SCHEMAS:
        return control.decode_order(content, source=record.source, offset=record.offset)
    return decode_scored(content, taxonomy)
