"""A deployment that cannot read its topic stops, loses nothing, and drains nothing into the dead letters."""

import re

import pytest

from stream.config import KafkaSettings
from stream.core.records import Source
from stream.kafka.memo import Memo, Note
from tests.integration.conftest import MakeTopic
from tests.integration.workers import await_scored, read, response, running, scored_responses, send, worker_variables


@pytest.fixture
def variables(environment: dict[str, str], kafka: KafkaSettings) -> dict[str, str]:
    return {**worker_variables(environment, kafka), "VALUEDRIFT_WORKER__UNUSABLE_IN_A_ROW": "20"}


def test_a_wrong_format_stops_the_worker_until_it_is_corrected(variables: dict[str, str], kafka: KafkaSettings) -> None:
    send(kafka, [(b"m", response(number, "off_topic")) for number in range(200)], partition=0)
    wrong = {**variables, "VALUEDRIFT_WORKER__FORMAT": "kong"}
    letters = []
    for said in (r"20 records in a row", r"still (\d+) of \1 records"):
        with running(wrong) as worker:
            code, errors = worker.end()
        assert code == 1
        assert re.search(f"{said} of {kafka.topics.input} cannot be used", errors)
        assert f"valuedrift check {kafka.topics.input}" in errors
        assert "text" not in errors
        letters.append(len(read(kafka, kafka.topics.deadletter)))
    assert letters[0] < 20
    assert letters[1] == letters[0]
    with running(variables) as worker:
        worker.ready()
        await_scored(kafka, 200 - letters[0])
        assert worker.stop()[0] == 0
    assert len(scored_responses(kafka)) == 200 - letters[0]


def test_notes_are_found_by_whoever_comes_next(kafka: KafkaSettings, make_topic: MakeTopic) -> None:
    topic = make_topic(2)
    ours, other = Source(topic, 0), Source(topic, 1)
    first, second = Memo(kafka, group="g-notes"), Memo(kafka, group="g-notes")
    assert first.read([ours, other]) == {ours: Note(), other: Note()}
    first.write({ours: Note(10, 20, 1, (7, 8), stopped=True)})
    assert second.read([ours, other]) == {ours: Note(10, 20, 1, (7, 8), stopped=True), other: Note()}
    first.close()
    second.close()
