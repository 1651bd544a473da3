"""The wire form of each record, written out by hand; and what is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stream import times
from stream.codec.alert import decode_alert, encode_alert
from stream.codec.control import decode_order, encode_order
from stream.codec.dead_letter import decode_dead_letter, encode_dead_letter
from stream.codec.drift import decode_drift, encode_drift
from stream.codec.rows import encode_scored_rows
from stream.codec.scored import decode_scored, encode_scored
from stream.codec.wire import schema_of
from stream.core.control import Accept, Learn
from stream.core.events import (
    AlertEvent,
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
    WindowSpan,
)
from stream.core.records import DeadLetter, RejectReason, Scored, Source
from stream.core.taxonomy import PAPER, Behaviour, Taxonomy
from stream.errors import RecordError, UnknownSchemaError

NOON = times.parse("2026-03-01T12:00:00Z")

SCORED = Scored(
    monitor="gpt-4.1",
    classifier="t5@0123456789ab",
    source=Source("llm.responses", 3),
    offset=np.array([17, 19]),
    event_id=("e1", "e2"),
    ts=np.array([NOON, NOON + 1_500_000]),
    category=np.array([0, 3], np.uint8),
    probs=np.array([[0.97, 0.01, 0.01, 0.005, 0.005], [0.0, 0.0, 0.0, 1.0, 0.0]], np.float32),
    confidence=np.array([0.97, 1.0], np.float32),
    energy=np.array([-6.123456, 2.0], np.float32),
    truncated=np.array([False, True]),
    finish_reason=("stop", None),
    attributes={"prompt_version": ("v2", None)},
)
SCORED_WIRE = """{
"schema":"valuedrift.scored/1",
"monitor":"gpt-4.1",
"classifier":"t5@0123456789ab",
"source":{"topic":"llm.responses","partition":3},
"offset":[17,19],
"event_id":["e1","e2"],
"ts":["2026-03-01T12:00:00.000000Z","2026-03-01T12:00:01.500000Z"],
"category":["helpful_aligned","refusal_excessive"],
"probs":[[0.9700,0.0100,0.0100,0.0050,0.0050],[0.0000,0.0000,0.0000,1.0000,0.0000]],
"confidence":[0.9700,1.0000],
"energy":[-6.1235,2.0],
"truncated":[false,true],
"finish_reason":["stop",null],
"attributes":{"prompt_version":{"values":["v2"],"index":[0,null]}}
}"""

DRIFT = DriftEvent(
    drift_id="d0",
    monitor="gpt-4.1",
    ts=NOON,
    seq=1499,
    n=1500,
    window=WindowSpan(start=NOON - 60_000_000, end=NOON, n=500, first_seq=1000, last_seq=1499),
    counts=(480, 5, 5, 5, 5),
    entropy=EntropyEstimate(value=0.3, corrected=0.333333333, low=0.1, high=0.5),
    traffic_entropy=0.25,
    behaviour_entropy=1e-17,
    delta=0.0,
    rate=Rate(value=0.001, low=-0.002, high=0.004, unit="nats/stride"),
    sigma=None,
    gamma_eff=None,
    statistic=3.0,
    threshold=9.12345679,
    state=State.OK,
    reference=Reference(
        origin=Origin.LEARNED,
        n=1000,
        target=1000,
        counts=(960, 10, 10, 10, 10),
        entropy=0.22,
        since=Since(seq=1_000, ts=None),
        growing=True,
    ),
)
DRIFT_WIRE = """{
"schema":"valuedrift.drift/1",
"drift_id":"d0",
"monitor":"gpt-4.1",
"ts":"2026-03-01T12:00:00.000000Z",
"seq":1499,
"n":1500,
"window":{"from":"2026-03-01T11:59:00.000000Z","to":"2026-03-01T12:00:00.000000Z","n":500,"first_seq":1000,"last_seq":1499},
"counts":[480,5,5,5,5],
"entropy":{"value":0.3,"corrected":0.333333333,"low":0.1,"high":0.5},
"traffic_entropy":0.25,
"behaviour_entropy":1e-17,
"delta":0.0,
"rate":{"value":0.001,"low":-0.002,"high":0.004,"unit":"nats/stride"},
"sigma":null,
"gamma_eff":null,
"statistic":3.0,
"threshold":9.12345679,
"state":"ok",
"reference":{"origin":"learned","n":1000,"target":1000,"counts":[960,10,10,10,10],"entropy":0.22,"since":{"seq":1000,"ts":null},"growing":true}
}"""

ALERT = AlertEvent(
    alert_id="a0",
    dedup_key="vd:gpt-4.1:drift",
    status=Status.FIRING,
    severity=Severity.CRITICAL,
    rule=Rule.DRIFT,
    reason=Reason.BEHAVIOUR_CHANGED,
    monitor="gpt-4.1",
    ts=NOON,
    seq=1523,
    starts_at=NOON - 30_000_000,
    onset=Onset(ts=NOON - 30_000_000, seq=1500, low=NOON - 40_000_000, high=NOON - 20_000_000),
    ends_at=None,
    n=24,
    entropy=0.9,
    reference_entropy=0.22,
    counts=(10, 0, 0, 14, 0),
    reference_counts=(960, 10, 10, 10, 10),
    contributors=(
        Contributor(category="refusal_excessive", reference_share=0.01, share=0.583333333, contribution=1.0),
    ),
    statistic=12.5,
    threshold=9.2,
    false_alarm_interval=10_000,
    classifier="t5@0123456789ab",
    examples=("e1", "e2"),
)
ALERT_WIRE = """{
"schema":"valuedrift.alert/1",
"alert_id":"a0",
"dedup_key":"vd:gpt-4.1:drift",
"status":"firing",
"severity":"critical",
"rule":"drift",
"reason":"behaviour_changed",
"monitor":"gpt-4.1",
"ts":"2026-03-01T12:00:00.000000Z",
"seq":1523,
"starts_at":"2026-03-01T11:59:30.000000Z",
"onset":{"ts":"2026-03-01T11:59:30.000000Z","seq":1500,"low":"2026-03-01T11:59:20.000000Z","high":"2026-03-01T11:59:40.000000Z"},
"ends_at":null,
"n":24,
"entropy":0.9,
"reference_entropy":0.22,
"counts":[10,0,0,14,0],
"reference_counts":[960,10,10,10,10],
"contributors":[{"category":"refusal_excessive","reference_share":0.01,"share":0.583333333,"contribution":1.0}],
"statistic":12.5,
"threshold":9.2,
"false_alarm_interval":10000,
"classifier":"t5@0123456789ab",
"examples":["e1","e2"],
"replay":false
}"""

LETTER = DeadLetter(
    source=Source("llm.responses", 3),
    offset=18,
    key=None,
    value=b"\xff{",
    headers=(("trace", b"\x00\x01"),),
    reason=RejectReason.INVALID_UTF8,
    detail="byte 0 is not UTF-8",
    ts=NOON,
)
LETTER_WIRE = """{
"schema":"valuedrift.deadletter/1",
"source":{"topic":"llm.responses","partition":3},
"offset":18,
"reason":"invalid_utf8",
"detail":"byte 0 is not UTF-8",
"ts":"2026-03-01T12:00:00.000000Z",
"encoding":"base64",
"key":null,
"headers":[{"name":"trace","value":"AAE="}],
"value":"/3s="
}"""

CONTROL = Accept(
    control_id="c0", monitor="gpt-4.1", ts=NOON, learn=Learn.WINDOW, source=Source("valuedrift.scored", 3), offset=18
)
CONTROL_WIRE = """{
"schema":"valuedrift.control/1",
"control_id":"c0",
"monitor":"gpt-4.1",
"ts":"2026-03-01T12:00:00.000000Z",
"action":"accept",
"learn":"window"
}"""

WIRES = {
    "scored": (SCORED_WIRE, lambda: encode_scored(SCORED, PAPER), lambda content: decode_scored(content, PAPER)),
    "drift": (DRIFT_WIRE, lambda: encode_drift(DRIFT), decode_drift),
    "alert": (ALERT_WIRE, lambda: encode_alert(ALERT), decode_alert),
    "control": (
        CONTROL_WIRE,
        lambda: encode_order(CONTROL),
        lambda content: decode_order(content, source=CONTROL.source, offset=CONTROL.offset),
    ),
    "dead letter": (LETTER_WIRE, lambda: encode_dead_letter(LETTER), decode_dead_letter),
}
each_wire = pytest.mark.parametrize(("wire", "write", "read"), WIRES.values(), ids=WIRES.keys())


@each_wire
def test_a_record_is_written_as_it_is_documented(
    wire: str, write: Callable[[], bytes], read: Callable[[bytes], object]
) -> None:
    assert write().decode() == wire.replace("\n", "")


@each_wire
def test_white_space_and_order_of_fields_are_free_to_the_writer(
    wire: str, write: Callable[[], bytes], read: Callable[[bytes], object]
) -> None:
    shuffled = dict(reversed(json.loads(wire).items()))
    read(json.dumps(shuffled, indent=2).encode())


@each_wire
def test_another_version_is_refused_by_name(
    wire: str, write: Callable[[], bytes], read: Callable[[bytes], object]
) -> None:
    later = wire.replace('/1"', '/2"', 1)
    with pytest.raises(
        UnknownSchemaError, match=r"expected a record of valuedrift\.\w+/1, found valuedrift\.\w+/2"
    ) as caught:
        read(later.encode())
    assert caught.value.schema == json.loads(later)["schema"]


@each_wire
def test_a_record_of_another_kind_is_told_apart(
    wire: str, write: Callable[[], bytes], read: Callable[[bytes], object]
) -> None:
    with pytest.raises(UnknownSchemaError) as caught:
        read(b'{"schema":"valuedrift.other/1","monitor":"m"}')
    assert caught.value.schema == "valuedrift.other/1"


@each_wire
@pytest.mark.parametrize(
    "content", [b"", b"null", b"[]", b"{", b"\xff", b'{"monitor":"m"}', b'{"schema":1}', b"[" * 100_000]
)
def test_what_is_no_record_at_all_is_refused(
    wire: str, write: Callable[[], bytes], read: Callable[[bytes], object], content: bytes
) -> None:
    with pytest.raises(UnknownSchemaError, match="without a schema") as caught:
        read(content)
    assert caught.value.schema is None


@each_wire
def test_every_field_is_needed_and_none_may_be_added(
    wire: str, write: Callable[[], bytes], read: Callable[[bytes], object]
) -> None:
    whole: dict[str, Any] = json.loads(wire)
    for name in whole:
        if name != "schema":
            with pytest.raises(RecordError, match=name):
                read(json.dumps({key: value for key, value in whole.items() if key != name}).encode())
            with pytest.raises(RecordError):
                read(json.dumps(whole | {name: {"no": "such type"}}).encode())
    with pytest.raises(RecordError, match="added"):
        read(json.dumps(whole | {"added": 1}).encode())


@each_wire
def test_a_time_that_is_none_is_refused(wire: str, write: Callable[[], bytes], read: Callable[[bytes], object]) -> None:
    with pytest.raises(RecordError, match="time"):
        read(wire.replace("2026-03-01T12:00:00.000000Z", "yesterday").encode())


def test_nothing_but_the_flag_tells_a_replayed_alert_from_a_live_one() -> None:
    live, replayed = encode_alert(ALERT), encode_alert(replace(ALERT, replay=True))
    assert live.endswith(b'"replay":false}')
    assert replayed == live.replace(b'"replay":false}', b'"replay":true}')
    assert decode_alert(replayed).replay


def test_a_resolved_alert_has_an_end() -> None:
    resolved = replace(ALERT, status=Status.RESOLVED, ends_at=NOON)
    assert json.loads(encode_alert(resolved))["ends_at"] == "2026-03-01T12:00:00.000000Z"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_json_has_not_is_refused_not_written_as_null(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        encode_drift(replace(DRIFT, statistic=value))
    with pytest.raises(ValueError, match="finite"):
        encode_drift(replace(DRIFT, rate=Rate(value=0, low=value, high=0, unit="u")))
    with pytest.raises(ValueError, match="finite"):
        encode_alert(replace(ALERT, threshold=value))
    with pytest.raises(ValueError, match="finite"):
        encode_scored(replace(SCORED, energy=np.array([0, value], np.float32)), PAPER)
    with pytest.raises(ValueError, match="between 0 and 1"):
        encode_scored(replace(SCORED, confidence=np.array([0, value], np.float32)), PAPER)


def test_a_category_of_another_bundle_is_refused_with_advice() -> None:
    three = Taxonomy((Behaviour("help", None), Behaviour("refuse", None), Behaviour("deceive", None)))
    with pytest.raises(RecordError, match="category 'helpful_aligned', which the classifier's labels lack"):
        decode_scored(encode_scored(replace(SCORED, probs=None), PAPER), three)


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ({"offset": [17]}, "offset"),
        ({"ts": []}, "ts"),
        ({"category": ["off_topic"] * 3}, "category"),
        ({"probs": [[1.0, 0, 0, 0, 0]]}, "probs"),
        ({"probs": [[1.0, 0, 0, 0], [1.0, 0, 0, 0, 0, 0]]}, "probs"),
        ({"confidence": [0.5]}, "confidence"),
        ({"energy": [0.5]}, "energy"),
        ({"truncated": []}, "truncated"),
        ({"finish_reason": ["stop"]}, "finish_reason"),
        ({"attributes": {"v": {"values": ["x"], "index": [0]}}}, "attribute v"),
        ({"attributes": {"v": {"values": ["x"], "index": [0, 1]}}}, "outside"),
        ({"attributes": {"v": {"values": ["x"], "index": [0, -1]}}}, "outside"),
        ({"offset": [17, 2**63]}, "too large"),
    ],
)
def test_columns_that_do_not_fit_together_are_refused(damage: dict[str, Any], named: str) -> None:
    with pytest.raises(RecordError, match=named):
        decode_scored(json.dumps(json.loads(SCORED_WIRE) | damage).encode(), PAPER)


@pytest.mark.parametrize(
    "name", ["offset", "ts", "category", "probs", "confidence", "energy", "truncated", "finish_reason"]
)
def test_columns_that_do_not_fit_together_are_not_written(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} has 1 elements, event_id 2"):
        encode_scored(replace(SCORED, **{name: getattr(SCORED, name)[:1]}), PAPER)


def test_labels_without_a_classifier_have_null_columns() -> None:
    bare = replace(SCORED, probs=None, confidence=None, energy=None, truncated=None, finish_reason=(), attributes={})
    written = json.loads(encode_scored(bare, PAPER))
    assert [written[name] for name in ("probs", "confidence", "energy", "truncated", "finish_reason")] == [None] * 4 + [
        []
    ]


def test_a_file_has_one_response_a_line() -> None:
    lines = encode_scored_rows(SCORED, PAPER).decode().splitlines()
    assert lines[1] == (
        '{"schema":"valuedrift.scored.row/1","monitor":"gpt-4.1","classifier":"t5@0123456789ab",'
        '"source":{"topic":"llm.responses","partition":3},"offset":19,"event_id":"e2","ts":"2026-03-01T12:00:01.500000Z",'
        '"category":"refusal_excessive","probs":[0.0,0.0,0.0,1.0,0.0],"confidence":1.0,"energy":2.0,"truncated":true,'
        '"finish_reason":null,"attributes":{}}'
    )
    assert json.loads(lines[0])["attributes"] == {"prompt_version": "v2"}
    assert len(lines) == 2


def test_the_schema_of_any_bytes_can_be_asked_for() -> None:
    assert schema_of(b'{"monitor": "m", "schema": "valuedrift.tick/1"}') == "valuedrift.tick/1"
    assert schema_of(b'{"schema": 3}') is None
    assert schema_of(b"\xff") is None
