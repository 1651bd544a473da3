"""A reference in a file: `valuedrift.baseline/1`, JSON for people to read, with a checksum so that nobody edits it unnoticed."""

import hashlib
from pathlib import Path

import msgspec

from stream import times
from stream.codec import wire
from stream.core.reference import Baseline
from stream.core.taxonomy import Behaviour, RequestKind, Taxonomy
from stream.errors import RecordError, SettingsError

SCHEMA = "valuedrift.baseline/1"
LARGEST = 1_000_000
"""Bytes; a larger file is none of ours."""


class _Count(msgspec.Struct, forbid_unknown_fields=True):
    category: str
    request: RequestKind | None
    count: int


class _Baseline(msgspec.Struct, forbid_unknown_fields=True, tag_field="schema", tag=SCHEMA):
    monitor: str
    classifiers: tuple[str, ...]
    from_: str = msgspec.field(name="from")
    to: str
    n: int
    counts: tuple[_Count, ...]
    sha256: str


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(_Baseline)


def encode_baseline(baseline: Baseline) -> bytes:
    """Returns the file's content: the same bytes for the same baseline, on every machine."""
    record = _Baseline(
        baseline.monitor,
        baseline.classifiers,
        times.render(baseline.start),
        times.render(baseline.end),
        sum(baseline.counts),
        tuple(
            _Count(behaviour.name, behaviour.request, count)
            for behaviour, count in zip(baseline.taxonomy.behaviours, baseline.counts, strict=True)
        ),
        "",
    )
    record.sha256 = _checksum(record)
    return msgspec.json.format(_ENCODER.encode(record), indent=2) + b"\n"


def decode_baseline(content: bytes) -> Baseline:
    """Returns the baseline that `encode_baseline` wrote; white space is free.

    Raises:
        UnknownSchemaError: the content is of another kind or version.
        RecordError: it is damaged, or was changed after it was written.
    """
    record = wire.decode(content, _DECODER, SCHEMA)
    written, record.sha256 = record.sha256, ""
    if written != _checksum(record) or record.n != sum(each.count for each in record.counts):
        raise RecordError("its checksum does not fit its content: it was changed after it was written")
    try:
        return Baseline(
            monitor=record.monitor,
            classifiers=record.classifiers,
            start=times.parse(record.from_),
            end=times.parse(record.to),
            taxonomy=Taxonomy(tuple(Behaviour(each.category, each.request) for each in record.counts)),
            counts=tuple(each.count for each in record.counts),
        )
    except ValueError as error:
        raise RecordError(str(error)) from None


def read_baseline(file: Path, taxonomy: Taxonomy) -> Baseline:
    """Returns the baseline in the file, which must be of these behaviours.

    Raises:
        SettingsError: it cannot be read, is damaged, or is of other behaviours; the message says what to do.
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST)
        baseline = decode_baseline(content)
    except OSError as error:
        raise SettingsError(f"cannot read the reference {file}: {error.strerror}; see [reference] file") from None
    except RecordError as error:
        raise SettingsError(
            f"cannot use the reference {file}: {error}; make it again with `valuedrift baseline learn`"
        ) from None
    found, wanted = (
        [(each.name, each.request) for each in taxonomy_of.behaviours] for taxonomy_of in (baseline.taxonomy, taxonomy)
    )
    if found != wanted:
        raise SettingsError(
            f"the reference {file} is of the behaviours {', '.join(baseline.taxonomy.names)}, but the classifier's are "
            f"{', '.join(taxonomy.names)}; learn it from a log that this classifier has labelled"
        )
    return baseline


def _checksum(record: _Baseline) -> str:
    """SHA-256 of the record without its checksum, without white space."""
    return hashlib.sha256(_ENCODER.encode(record)).hexdigest()
