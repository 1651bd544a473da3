"""Gives hostile records to every decoder and checks what each promises: no crash, no hang, bounded memory, no text in a reason."""

import resource
import time
from collections import Counter
from dataclasses import dataclass, field, replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream import times
from stream.codec.alert import decode_alert
from stream.codec.dead_letter import decode_dead_letter
from stream.codec.drift import decode_drift
from stream.codec.resent import decode_resent
from stream.codec.scored import decode_scored
from stream.collect import UNREADABLE, _items
from stream.core.records import Reject, ResponseEvent, Source, SourceRecord
from stream.core.taxonomy import PAPER
from stream.errors import RecordError
from stream.formats.labelled import decode_labelled_rows
from stream.formats.mapped import FieldMap
from stream.formats.missing_time import Demanded, MissingTime, RecordTime, Spaced
from stream.formats.recognise import FORMATS, decode
from stream.naming import LONGEST, monitor_name
from tests.fuzz.hostile import SECRET, records, variants

VARIANTS = 100
"""Records that are made of each one that Hypothesis draws."""

ROUND = 100
"""Records that Hypothesis draws at a time: it remembers them all until it is done, and that is not the decoders' memory."""

SLOWEST = 2.0
"""Seconds of processor time that one record may take, whatever it holds."""

POLICIES: tuple[MissingTime, ...] = (RecordTime(), Demanded(), Spaced(every=1_000_000))
FORMS = (None, None, None, *FORMATS)
MAPS = tuple(
    FieldMap.parse(text)
    for text in (
        "prompt=question,response=answer,ts=time",
        "prompt=request.messages,response=response.choices,ts=created",
    )
)
OURS = (
    lambda value: decode_scored(value, PAPER),
    decode_drift,
    decode_alert,
    decode_dead_letter,
    decode_resent,
)


@dataclass(slots=True)
class Report:
    """What a run saw: inputs given, results by kind, the slowest record in seconds, and by how many bytes memory grew."""

    inputs: int = 0
    results: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    grown: int = 0


def fuzz(inputs: int) -> Report:
    """Gives at least so many records to the decoders.

    Raises:
        AssertionError: a promise is broken; Hypothesis shows the record.
    """
    report, before = Report(), _peak()

    @settings(
        max_examples=min(ROUND, -(-inputs // VARIANTS)),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(records(), st.integers(0, 2**32))
    def attack(record: bytes, seed: int) -> None:
        for number, content in enumerate(variants(record, seed=seed, n=VARIANTS)):
            began = time.process_time()
            try:
                report.results.update(give(content, number + seed))
            except Exception as error:
                raise AssertionError(f"{type(error).__name__} from {content[:2_000]!r}") from error
            took = time.process_time() - began
            assert took < SLOWEST, f"{took:.1f} s for {content[:2_000]!r}"
            report.inputs += 1
            report.slowest = max(report.slowest, took)

    while report.inputs < inputs:
        attack()
    report.grown = _peak() - before
    return report


def give(content: bytes, number: int) -> list[str]:
    """Gives one record to the decoders of logs and, in turn, to one of the others; returns what came out, in a word each."""
    headers = (
        (("ce_specversion", b"1.0"), ("ce_id", content[:20]), ("ce_time", content[20:45])) if number % 7 == 0 else ()
    )
    record = SourceRecord(
        source=Source("t", 0), offset=number, key=None, value=content, headers=headers, timestamp=T_KAFKA
    )
    policy, form = POLICIES[number % len(POLICIES)], FORMS[number % len(FORMS)]
    said = [_checked(found) for found in decode(record, missing_time=policy, form=form)]
    assert said
    kind = number % 4
    if kind == 0:
        said.append(_ours(content, number))
    elif kind == 1:
        rows = decode_labelled_rows(content, PAPER, source=Source("t", 0))
        assert rows.n == sum(map(len, rows.scored)) + len(rows.rejects)
        said += [_checked(reject) for _, _, reject in rows.rejects]
    elif kind == 2:
        mapped = MAPS[number % len(MAPS)].apply(content)
        said += [_checked(found) for found in decode(replace(record, value=mapped), missing_time=policy)]
    else:
        said.append(_posted(content, lines=number % 8 == 3))
    return said


T_KAFKA = 1_741_569_952_000_000


def _checked(found: ResponseEvent | Reject) -> str:
    if isinstance(found, Reject):
        assert SECRET not in found.detail, found.detail
        assert len(found.detail) < 400, found.detail
        found.detail.encode()
        return found.reason.value
    assert times.EARLIEST <= found.ts < times.LATEST
    (found.prompt + found.response + found.event_id + found.model + "".join(found.attributes.values())).encode()
    name = monitor_name(found, ("model", "environment", "prompt_version"))
    assert name.isprintable()
    assert len(name) <= LONGEST
    return "event"


def _ours(content: bytes, number: int) -> str:
    try:
        OURS[number % len(OURS)](content)
    except RecordError as error:
        str(error).encode()
        return "refused"
    return "read"


def _posted(content: bytes, *, lines: bool) -> str:
    try:
        return "posted" if _items(content, lines=lines) else "empty"
    except UNREADABLE:
        return "refused"


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
