"""The two stages: what goes in, what comes out, and that neither depends on where a batch was cut."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from models.classifier import Classification, Pair
from stream import times
from stream.codec.scored import decode_scored, encode_scored
from stream.core.events import AlertEvent, DriftEvent
from stream.core.records import RejectReason, Scored, Source, SourceRecord
from stream.core.settings import EngineSettings
from stream.core.taxonomy import PAPER, Behaviour, RequestKind, Taxonomy
from stream.errors import RecordError, SettingsError
from stream.formats.missing_time import Demanded
from stream.pipeline import (
    MAX_KEPT_BYTES,
    MAX_RESPONSES,
    Classify,
    Detect,
    Keyed,
    encode_alerts,
    encode_drift_events,
    taxonomy_of,
)
from tests.contract.test_wire_fields import ALERT

TOPIC = "llm.responses"


@dataclass(frozen=True)
class DigitClassifier:
    """Sorts a response by the digit that it begins with: a judge that anyone can check by eye."""

    name: str = "digits@000000000000"
    labels: tuple[str, ...] = PAPER.names
    request_kinds: tuple[str | None, ...] = ("benign", "harmful", "harmful", "benign", None)

    def classify(self, pairs: Sequence[Pair]) -> Classification:
        category = np.array([int(pair.response[0]) for pair in pairs], np.uint8)
        probs = np.full((len(pairs), 5), 0.05, np.float32)
        probs[np.arange(len(pairs)), category] = 0.8
        lengths = np.array([len(pair.prompt) for pair in pairs], np.float32)
        return Classification(category, probs, probs.max(axis=1, initial=0), -lengths, lengths > 20)

    def warmup(self) -> None:
        """Nothing to warm."""


class Remembering(DigitClassifier):
    """Keeps the pairs that it was asked about."""

    asked: ClassVar[list[Pair]] = []

    def classify(self, pairs: Sequence[Pair]) -> Classification:
        self.asked.extend(pairs)
        return super().classify(pairs)


def test_the_classifier_is_told_what_was_said_before_the_prompt() -> None:
    judge = stage(classifier=Remembering())
    chat = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "second"},
        {"role": "user", "content": "third"},
    ]
    answer = {"model": "m", "choices": [{"message": {"content": "0 yes"}}]}
    value = json.dumps({"ts": "2026-03-01T12:00:00Z", "request": {"messages": chat}, "response": answer}).encode()
    judge.judge(judge.read([replace(record(0), value=value), record(1, prompt="alone", response="0 no")]))
    assert Remembering.asked == [
        Pair("third", "0 yes", "User: first\n\nAssistant: second\n\nUser:"),
        Pair("alone", "0 no"),
    ]


def stage(**changes: object) -> Classify:
    return replace(Classify(classifier=DigitClassifier(), taxonomy=PAPER, missing_time=Demanded()), **changes)  # type: ignore[arg-type]  # by name


def record(offset: int, *, partition: int = 0, **fields: object) -> SourceRecord:
    body = {
        "event_id": f"e{offset}",
        "ts": times.render(times.EARLIEST + offset * 1_000_000),
        "model": "m",
        "prompt": "What?",
        "response": "0 yes",
    }
    return SourceRecord(
        source=Source(TOPIC, partition),
        offset=offset,
        key=b"key",
        value=json.dumps(body | fields).encode(),
        headers=(("h", b"v"),),
        timestamp=times.EARLIEST,
    )


def scored(classify: Classify, records: Sequence[SourceRecord]) -> tuple[Scored, ...]:
    batch = classify.read(records)
    return classify.write(batch, classify.judge(batch))


def test_a_batch_becomes_one_record_for_each_monitor_and_source_in_source_order() -> None:
    records = [
        record(5, model="a", response="1", finish_reason="stop"),
        record(3, model="b", response="2", partition=1),
        record(6, model="b", response="3"),
        record(7, model="a", response="4", prompt="A prompt of more than twenty characters"),
    ]
    found = scored(stage(), records)
    assert [(each.monitor, each.source.partition, each.offset.tolist(), each.category.tolist()) for each in found] == [
        ("a", 0, [5, 7], [1, 4]),
        ("b", 1, [3], [2]),
        ("b", 0, [6], [3]),
    ]
    first = found[0]
    assert first.classifier == "digits@000000000000"
    assert first.event_id == ("e5", "e7")
    assert first.ts.tolist() == [times.EARLIEST + 5_000_000, times.EARLIEST + 7_000_000]
    assert first.finish_reason == ("stop", None)
    assert first.energy is not None
    assert first.energy.tolist() == [-5, -39]
    assert first.truncated is not None
    assert first.truncated.tolist() == [False, True]


def test_monitors_and_attributes_follow_the_settings() -> None:
    classify = stage(monitor_by=("model", "environment"), attributes=("prompt_version", "environment"))
    records = [
        record(0, environment="production", attributes={"prompt_version": "v" * 100, "tenant": "t"}),
        record(1, environment="production"),
    ]
    (found,) = scored(classify, records)
    assert found.monitor == "m|production"
    assert found.attributes == {"prompt_version": ("v" * 64, None), "environment": ("production", "production")}


def test_unusable_records_become_dead_letters_and_the_rest_goes_on() -> None:
    bad = replace(record(1), value=b"{")
    batch = stage().read([record(0), bad, record(2)])
    assert [event.event_id for _, event in batch.events] == ["e0", "e2"]
    (letter,) = batch.dead
    assert (letter.source, letter.offset, letter.key, letter.value) == (Source(TOPIC, 0), 1, b"key", b"{")
    assert (letter.headers, letter.reason, letter.ts) == ((("h", b"v"),), RejectReason.INVALID_JSON, times.EARLIEST)


def test_dead_letters_can_do_without_the_original_text() -> None:
    (letter,) = stage(keep_values=False).read([replace(record(1), value=b"{")]).dead
    assert letter.value is None
    assert letter.key == b"key"


def test_an_original_that_would_not_fit_is_left_out_and_said_to_be() -> None:
    (letter,) = stage().read([replace(record(1), value=b"x" * (MAX_KEPT_BYTES + 1))]).dead
    assert letter.value is None
    assert letter.reason is RejectReason.TOO_LARGE
    assert letter.detail.endswith("; the value is left out of this letter")


def test_a_record_without_a_time_in_kafka_has_a_letter_without_one() -> None:
    (letter,) = stage().read([replace(record(1), value=None, timestamp=-1)]).dead
    assert letter.ts is None
    assert letter.reason is RejectReason.EMPTY_RECORD


def test_a_batch_of_nothing_usable_gives_nothing() -> None:
    assert scored(stage(), [replace(record(1), value=b"{")]) == ()
    assert scored(stage(), []) == ()


def test_a_large_batch_is_written_in_records_of_bounded_size() -> None:
    found = scored(stage(), [record(at) for at in range(2 * MAX_RESPONSES + 1)])
    assert [len(each) for each in found] == [MAX_RESPONSES, MAX_RESPONSES, 1]
    assert [offset for each in found for offset in each.offset] == list(range(2 * MAX_RESPONSES + 1))


def test_the_choices_of_one_answer_stay_in_one_record() -> None:
    request = {"model": "m", "messages": [{"role": "user", "content": "What?"}]}
    choices = [{"message": {"content": str(at)}} for at in range(3)]
    chat = {"request": request, "response": {"id": "c", "created": 1741569952, "choices": choices}}
    last = MAX_RESPONSES - 1
    records = [*map(record, range(last)), replace(record(last), value=json.dumps(chat).encode()), record(last + 1)]
    found = scored(stage(), records)
    assert [len(each) for each in found] == [MAX_RESPONSES + 2, 1]
    assert found[0].offset[-4:].tolist() == [last - 1, last, last, last]
    assert found[0].event_id[-3:] == ("c#0", "c#1", "c#2")


def test_where_a_batch_is_cut_changes_no_response() -> None:
    records = [record(at, model="ab"[at % 2], response=str(at % 5)) for at in range(30)]

    def rows(parts: Sequence[Sequence[SourceRecord]]) -> dict[str, list[tuple[int, str, int]]]:
        found: dict[str, list[tuple[int, str, int]]] = {}
        for part in parts:
            for each in scored(stage(), part):
                triples = zip(each.offset.tolist(), each.event_id, each.category.tolist(), strict=True)
                found.setdefault(each.monitor, []).extend(triples)
        return found

    whole = rows([records])
    assert rows([records[:7], records[7:8], records[8:]]) == whole
    assert rows([[each] for each in records]) == whole


def test_scored_records_go_out_under_their_monitor_and_without_any_text() -> None:
    (found,) = scored(stage(), [record(0, prompt="a secret", response="0 secret", system="secret")])
    (sent,) = stage().encode([found])
    assert sent == Keyed(b"m", encode_scored(found, PAPER))
    assert b"secret" not in sent.value
    assert decode_scored(sent.value, PAPER).event_id == ("e0",)


def test_the_taxonomy_is_what_the_labels_of_the_classifier_say() -> None:
    assert taxonomy_of(DigitClassifier()) == PAPER
    other = DigitClassifier(labels=("help", "deceive"), request_kinds=("benign", None))
    assert taxonomy_of(other) == Taxonomy((Behaviour("help", RequestKind.BENIGN), Behaviour("deceive", None)))


@pytest.mark.parametrize(
    ("labels", "kinds"),
    [(("one",), (None,)), (("a", "a"), (None, None)), (("a", "b"), (None,)), (("a", "b"), (None, "evil"))],
)
def test_labels_that_are_no_taxonomy_stop_the_process(labels: tuple[str, ...], kinds: tuple[str | None, ...]) -> None:
    with pytest.raises(SettingsError, match="the labels of digits@000000000000 cannot be used"):
        taxonomy_of(DigitClassifier(labels=labels, request_kinds=kinds))


def test_a_classifier_of_another_taxonomy_stops_the_process() -> None:
    other = DigitClassifier(labels=("help", "deceive"), request_kinds=("benign", None))
    with pytest.raises(
        SettingsError, match=r"sorts into help, deceive, but this pipeline was set up for helpful_aligned"
    ):
        stage(classifier=other)


def wired(offset: int, value: bytes) -> SourceRecord:
    return replace(record(offset, partition=2), value=value, source=Source("valuedrift.scored", 2))


def test_scored_records_are_sorted_by_monitor_in_order() -> None:
    found = scored(stage(), [record(at, model="ab"[at % 2]) for at in range(4)])
    sent = [wired(at, encode_scored(each, PAPER)) for at, each in enumerate((*found, *found))]
    read = Detect(settings=EngineSettings()).read(sent)
    offsets = {
        monitor: [each.offset.tolist() for each in entries if isinstance(each, Scored)]
        for monitor, entries in read.items()
    }
    assert offsets == {"a": [[0, 2], [0, 2]], "b": [[1, 3], [1, 3]]}


@pytest.mark.parametrize("value", [None, b"{}", b'{"schema":"valuedrift.other/1"}'])
def test_a_record_that_is_not_ours_stops_the_detector_and_says_where_it_lies(value: bytes | None) -> None:
    with pytest.raises(
        RecordError, match=r"valuedrift\.scored, partition 2, offset 9: expected a record of valuedrift\.scored/1"
    ):
        Detect(settings=EngineSettings()).read([replace(wired(9, b""), value=value)])


def test_only_a_replay_marks_its_alerts() -> None:
    assert Detect(settings=EngineSettings()).mark([ALERT]) == (ALERT,)
    assert Detect(settings=EngineSettings(), replay=True).mark([ALERT]) == (replace(ALERT, replay=True),)


def history(categories: Sequence[int], *, first: int = 0) -> Scored:
    n = len(categories)
    return Scored(
        monitor="m",
        classifier="digits@000000000000",
        source=Source(TOPIC, 0),
        offset=np.arange(first, first + n),
        event_id=tuple(f"e{at}" for at in range(first, first + n)),
        ts=times.EARLIEST + np.arange(first, first + n) * 1_000_000,
        category=np.array(categories, np.uint8),
        attributes={},
    )


SETTINGS = EngineSettings(window=100, stride=50, learn_from=200)
CHANGED = [0, 0, 0, 2] * 75 + [3, 3, 0, 2] * 50
"""300 responses, one in four a rightful refusal; then half of the help turns into over-refusal."""


@pytest.mark.parametrize("size", [1, 7, 64, 333])
def test_a_state_between_batches_changes_no_event(size: int) -> None:
    detect = Detect(settings=SETTINGS)
    whole = detect.observe("m", None, [history(CHANGED)])
    assert [alert.status.value for alert in whole.alerts][:1] == ["firing"]
    state: bytes | None = None
    drift: list[DriftEvent] = []
    alerts: list[AlertEvent] = []
    for first in range(0, len(CHANGED), size):
        done = detect.observe("m", state, [history(CHANGED[first : first + size], first=first)])
        state = done.state
        drift += done.drift
        alerts += done.alerts
    assert [each.value for each in encode_alerts(alerts)] == [each.value for each in encode_alerts(whole.alerts)]
    assert [each.value for each in encode_drift_events(drift)] == [
        each.value for each in encode_drift_events(whole.drift)
    ]


def test_a_batch_that_is_delivered_again_is_skipped_and_gives_no_second_event() -> None:
    detect = Detect(settings=SETTINGS)
    first = detect.observe("m", None, [history(CHANGED)])
    again = detect.observe("m", first.state, [history(CHANGED)])
    assert (first.counted, first.skipped) == (len(CHANGED), 0)
    assert (again.counted, again.skipped, again.drift, again.alerts) == (0, len(CHANGED), (), ())


def test_events_go_out_under_their_monitor() -> None:
    found = Detect(settings=SETTINGS).observe("m", None, [history(CHANGED)])
    assert {each.key for each in encode_drift_events(found.drift) + encode_alerts(found.alerts)} == {b"m"}


def test_a_replay_differs_from_the_live_stream_in_the_flag_alone() -> None:
    live = Detect(settings=SETTINGS).observe("m", None, [history(CHANGED)])
    past = Detect(settings=SETTINGS, replay=True).observe("m", None, [history(CHANGED)])
    assert past.drift == live.drift
    assert [each.value.replace(b'"replay":true', b'"replay":false') for each in encode_alerts(past.alerts)] == [
        each.value for each in encode_alerts(live.alerts)
    ]
    assert all(alert.replay for alert in past.alerts)
