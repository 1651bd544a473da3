"""The file form of scored records: one response a line, `valuedrift.scored.row/1` (`scored.jsonl`).

`stream.formats.labelled` reads it back, as it reads labels from anywhere.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from stream import times
from stream.codec import columns
from stream.core.records import Scored
from stream.core.taxonomy import Taxonomy

SCHEMA = "valuedrift.scored.row/1"


class _Source(msgspec.Struct, gc=False):
    topic: str
    partition: int


class _Row(msgspec.Struct, gc=False, tag_field="schema", tag=SCHEMA):
    monitor: str
    classifier: str
    source: _Source
    offset: int
    event_id: str
    ts: str
    category: str
    probs: list[float] | None
    confidence: float | None
    energy: float | None
    truncated: bool | None
    finish_reason: str | None
    attributes: dict[str, str]


_ENCODER = msgspec.json.Encoder()


def encode_scored_rows(scored: Scored, taxonomy: Taxonomy) -> bytes:
    """Returns one line a response, each ended by a line feed, in source order.

    Raises:
        ValueError: columns differ in length, or a number is not finite.
    """
    return "".join(scored_row_lines(scored, taxonomy)).encode()


def scored_row_lines(scored: Scored, taxonomy: Taxonomy) -> list[str]:
    """Returns the same lines one by one, for those who put them into another order.

    Raises:
        ValueError: as `encode_scored_rows`.
    """
    if not len(scored):
        return []
    if scored.probs is None and not scored.finish_reason and not scored.attributes:
        return _label_lines(scored, taxonomy)
    names = taxonomy.names
    absent: list[None] = [None] * len(scored)
    source = _Source(scored.source.topic, scored.source.partition)
    attributes: list[dict[str, str]] = [{} for _ in absent]
    for name, column in scored.attributes.items():
        for row, text in zip(attributes, column, strict=True):
            if text is not None:
                row[name] = text
    values = zip(
        scored.offset.tolist(),
        scored.event_id,
        times.render_column(scored.ts),
        [names[category] for category in scored.category.tolist()],
        absent if scored.probs is None else columns.write_numbers(scored.probs),
        _confidences(scored),
        absent if scored.energy is None else columns.write_numbers(scored.energy),
        absent if scored.truncated is None else scored.truncated.tolist(),
        scored.finish_reason or absent,
        attributes,
        strict=True,
    )
    rows = [_Row(scored.monitor, scored.classifier, source, *row) for row in values]
    # At line feeds only: JSON escapes those inside texts, and Python's splitlines would cut at others that it does not.
    return [f"{line}\n" for line in _ENCODER.encode_lines(rows).decode().split("\n")[:-1]]


def _confidences(scored: Scored) -> Sequence[float | None]:
    """Of each response; None for those of labelled rows that brought none (NaN)."""
    if scored.confidence is None:
        return [None] * len(scored)
    if scored.probs is not None:
        return columns.write_numbers(scored.confidence)
    known = np.isfinite(scored.confidence)
    if not known.any():
        return [None] * len(scored)
    written = columns.write_numbers(np.where(known, scored.confidence, np.float32(0)))
    return [value if there else None for value, there in zip(written, known.tolist(), strict=True)]


def _label_lines(scored: Scored, taxonomy: Taxonomy) -> list[str]:
    """The same lines for responses of which only label and confidence are known, several times faster: without an object for each.

    They differ in five fields; the text around those is taken from one line that the encoder wrote.
    """
    source = _Source(scored.source.topic, scored.source.partition)
    row = _Row(scored.monitor, scored.classifier, source, 0, "", "", "", None, None, None, None, None, {})
    head, varying, tail = _ENCODER.encode(row).decode().partition('0,"event_id":"","ts":"","category":""')
    middle, confident, end = tail.partition('"confidence":null')
    if not varying or not confident:
        raise ValueError("the layout of a row has changed")
    categories = scored.category.tolist()
    names = [_ENCODER.encode(name).decode() for name in taxonomy.names]
    confidences = _confidences(scored)
    if confidences == [None] * len(scored):
        endings = [f"{name}{tail}" for name in names]
        ended = [endings[category] for category in categories]
    else:
        texts = _ENCODER.encode(confidences).decode()[1:-1].split(",")
        starts = [f'{name}{middle}"confidence":' for name in names]
        ended = [f"{starts[category]}{text}{end}" for category, text in zip(categories, texts, strict=True)]
    values = zip(
        scored.offset.tolist(),
        _ENCODER.encode(scored.event_id).decode()[2:-2].split('","'),  # a quote inside an id stands behind a backslash
        times.render_column(scored.ts),
        ended,
        strict=True,
    )
    return [
        f'{head}{offset},"event_id":"{event_id}","ts":"{ts}","category":{ending}\n'
        for offset, event_id, ts, ending in values
    ]
