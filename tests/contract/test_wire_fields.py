"""The fields that others rely on, record by record: a change here is a change of the schema's version."""

import json
from dataclasses import replace

import numpy as np
import pytest

from stream import times
from stream.codec.alert import encode_alert
from stream.codec.control import encode_order
from stream.codec.dead_letter import encode_dead_letter
from stream.codec.drift import encode_drift
from stream.codec.rows import encode_scored_rows
from stream.codec.scored import encode_scored
from stream.core import records
from stream.core.control import Accept, Learn, Tick
from stream.core.events import (
    AlertEvent,
    Aside,
    Contrast,
    ContrastPart,
    Contributor,
    DriftEvent,
    EntropyEstimate,
    Onset,
    Origin,
    Rate,
    Reason,
    Reference,
    Rule,
    Severity,
    Since,
    State,
    Status,
    ValueKind,
    WindowSpan,
)
from stream.core.records import DeadLetter, RejectReason, Scored, Source, SourceRecord
from stream.core.taxonomy import PAPER
from stream.formats.missing_time import Demanded
from stream.formats.recognise import decode

T = times.parse("2026-03-01T12:00:00Z")
SCORED = Scored(
    monitor="m",
    classifier="c",
    source=Source("t", 0),
    offset=np.array([1]),
    event_id=("e",),
    ts=np.array([T]),
    category=np.array([0], np.uint8),
    probs=np.full((1, 5), 0.2, np.float32),
    confidence=np.array([0.2], np.float32),
    energy=np.array([0.0], np.float32),
    truncated=np.array([False]),
    finish_reason=("stop",),
    attributes={"version": ("1",)},
)
DRIFT = DriftEvent(
    drift_id="d",
    monitor="m",
    ts=T,
    seq=0,
    n=1,
    window=WindowSpan(start=T, end=T, n=1, first_seq=0, last_seq=0),
    counts=(1, 0, 0, 0, 0),
    entropy=EntropyEstimate(value=0, corrected=0, low=0, high=0),
    traffic_entropy=0,
    behaviour_entropy=0,
    delta=0,
    rate=Rate(value=0, low=0, high=0, unit="u"),
    sigma=0,
    gamma_eff=0,
    statistic=0,
    threshold=0,
    state=State.OK,
    reference=Reference(
        origin=Origin.LEARNED,
        n=1,
        target=1,
        counts=(1, 0, 0, 0, 0),
        entropy=0,
        since=Since(seq=1_000, ts=None),
        growing=True,
    ),
)
ALERT = AlertEvent(
    alert_id="a",
    dedup_key="k",
    status=Status.FIRING,
    severity=Severity.WARNING,
    rule=Rule.DRIFT,
    reason=Reason.BEHAVIOUR_CHANGED,
    monitor="m",
    ts=T,
    seq=0,
    starts_at=T,
    onset=Onset(ts=T, seq=0, low=T, high=T),
    ends_at=None,
    n=1,
    entropy=0,
    reference_entropy=0,
    counts=(1, 0, 0, 0, 0),
    reference_counts=(1, 0, 0, 0, 0),
    contributors=(Contributor(category="off_topic", reference_share=0, share=0, contribution=0),),
    statistic=0,
    threshold=0,
    false_alarm_interval=1,
    classifier="c",
    examples=("e",),
)
CONTRAST = Contrast(
    attribute="prompt_version",
    category="off_topic",
    n=1,
    mix=0,
    parts=(ContrastPart(kind=ValueKind.VALUE, value="14", share=1, count=1, n=1, count_before=0, n_before=0),),
)
LETTER = DeadLetter(
    source=Source("t", 0), offset=0, key=b"", value=b"", headers=(), reason=RejectReason.NO_TEXT, detail="", ts=T
)

SCORED_FIELDS = "schema monitor classifier source offset event_id ts category probs confidence energy truncated finish_reason attributes"
WINDOW = "from to n first_seq last_seq"
FIELDS: dict[str, tuple[bytes, str, str]] = {
    "scored": (encode_scored(SCORED, PAPER), "valuedrift.scored/1", SCORED_FIELDS),
    "scored row": (encode_scored_rows(SCORED, PAPER), "valuedrift.scored.row/1", SCORED_FIELDS),
    "drift": (
        encode_drift(DRIFT),
        "valuedrift.drift/1",
        (
            "schema drift_id monitor ts seq n window counts entropy traffic_entropy behaviour_entropy delta rate sigma gamma_eff "
            "statistic threshold state reference"
        ),
    ),
    "drift of a window by age": (
        encode_drift(replace(DRIFT, aside=Aside(late=1, ahead=0))),
        "valuedrift.drift/1",
        (
            "schema drift_id monitor ts seq n window counts entropy traffic_entropy behaviour_entropy delta rate sigma gamma_eff "
            "statistic threshold state reference aside"
        ),
    ),
    "alert": (
        encode_alert(ALERT),
        "valuedrift.alert/1",
        (
            "schema alert_id dedup_key status severity rule reason monitor ts seq starts_at onset ends_at n entropy reference_entropy "
            "counts reference_counts contributors statistic threshold false_alarm_interval classifier examples replay"
        ),
    ),
    "alert with contrasts": (
        encode_alert(replace(ALERT, contrasts=(CONTRAST,))),
        "valuedrift.alert/1",
        (
            "schema alert_id dedup_key status severity rule reason monitor ts seq starts_at onset ends_at n entropy reference_entropy "
            "counts reference_counts contributors statistic threshold false_alarm_interval classifier examples contrasts replay"
        ),
    ),
    "control": (
        encode_order(
            Accept(
                control_id="c", monitor="m", ts=T, learn=Learn.WINDOW, source=Source("valuedrift.scored", 0), offset=1
            )
        ),
        "valuedrift.control/1",
        "schema control_id monitor ts action learn",
    ),
    "tick": (
        encode_order(Tick(monitor="m", ts=T, source=Source("valuedrift.scored", 0), offset=1)),
        "valuedrift.tick/1",
        "schema monitor ts",
    ),
    "dead letter": (
        encode_dead_letter(LETTER),
        "valuedrift.deadletter/1",
        "schema source offset reason detail ts encoding key headers value",
    ),
}


@pytest.mark.parametrize(("written", "schema", "fields"), FIELDS.values(), ids=FIELDS.keys())
def test_a_record_has_these_fields_in_this_order(written: bytes, schema: str, fields: str) -> None:
    record = json.loads(written)
    assert list(record) == fields.split()
    assert record["schema"] == schema


@pytest.mark.parametrize(
    ("written", "part", "fields"),
    [
        (encode_scored(SCORED, PAPER), "source", "topic partition"),
        (encode_drift(DRIFT), "window", WINDOW),
        (encode_drift(DRIFT), "entropy", "value corrected low high"),
        (encode_drift(DRIFT), "rate", "value low high unit"),
        (encode_drift(DRIFT), "reference", "origin n target counts entropy since growing"),
        (encode_drift(replace(DRIFT, aside=Aside(late=1, ahead=0))), "aside", "late ahead"),
        (encode_alert(ALERT), "onset", "ts seq low high"),
        (encode_dead_letter(LETTER), "source", "topic partition"),
    ],
)
def test_its_parts_have_these_fields(written: bytes, part: str, fields: str) -> None:
    assert list(json.loads(written)[part]) == fields.split()


def test_a_contrast_has_these_fields() -> None:
    (contrast,) = json.loads(encode_alert(replace(ALERT, contrasts=(CONTRAST,))))["contrasts"]
    assert list(contrast) == ["attribute", "category", "n", "mix", "parts"]
    assert list(contrast["parts"][0]) == ["kind", "value", "share", "count", "n", "count_before", "n_before"]
    assert [kind.value for kind in ValueKind] == ["value", "missing", "other"]


def test_behaviours_have_these_names_on_the_wire() -> None:
    names = "helpful_aligned helpful_misaligned refusal_appropriate refusal_excessive off_topic"
    assert list(PAPER.names) == names.split()
    assert json.loads(encode_scored(SCORED, PAPER))["category"] == ["helpful_aligned"]


@pytest.mark.parametrize(
    ("enum", "words"),
    [
        (State, "learning ok pending firing unstable_reference"),
        (Status, "firing resolved"),
        (Severity, "info warning critical"),
    ],
)
def test_words_of_decisions_are_these(enum: type[State | Status | Severity], words: str) -> None:
    assert [member.value for member in enum] == words.split()


def test_times_are_utc_with_microseconds_everywhere() -> None:
    texts = (
        json.loads(encode_drift(DRIFT))["ts"],
        json.loads(encode_alert(ALERT))["starts_at"],
        json.loads(encode_scored(SCORED, PAPER))["ts"][0],
        json.loads(encode_dead_letter(LETTER))["ts"],
    )
    assert set(texts) == {"2026-03-01T12:00:00.000000Z"}


def test_a_response_event_is_read_by_these_names() -> None:
    fields = {
        "schema": "valuedrift.response/1",
        "event_id": "e",
        "ts": "2026-03-01T12:00:00Z",
        "model": "m",
        "prompt": "p",
        "response": "r",
        "provider": "a",
        "system": "b",
        "conversation_id": "c",
        "environment": "d",
        "finish_reason": "f",
        "refusal_hint": "g",
        "attributes": {"h": "i"},
    }
    record = SourceRecord(
        source=Source("t", 0), offset=0, key=None, value=json.dumps(fields).encode(), headers=(), timestamp=T
    )
    (event,) = decode(record, missing_time=Demanded())
    assert isinstance(event, records.ResponseEvent)
    assert {name: getattr(event, name) for name in fields if name != "schema"} == {
        name: T if name == "ts" else value for name, value in fields.items() if name != "schema"
    }


def test_no_text_of_a_prompt_or_response_has_a_place_in_any_record_but_the_dead_letter() -> None:
    for name, (written, _, _) in FIELDS.items():
        if name != "dead letter":
            assert not {"prompt", "response", "text", "value", "content", "system"} & set(json.loads(written))
