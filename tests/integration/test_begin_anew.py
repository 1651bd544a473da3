"""The two ways of beginning anew that docs/operate.md describes, on a real Kafka: other settings, and a new normal."""

import json

import pytest

from stream.config import KafkaSettings
from stream.kafka.topics import create_missing
from tests.integration.notifying import STDOUT, configure, once, prepare
from tests.integration.processes import eventually
from tests.integration.receivers import Tools
from tests.integration.workers import (
    await_records,
    await_scored,
    labels,
    read_json,
    response,
    running,
    send,
    worker_variables,
)

pytestmark = pytest.mark.kills

USUAL = {"helpful_aligned": 176, "refusal_appropriate": 20, "refusal_excessive": 4}
CHANGED = {"helpful_aligned": 90, "refusal_appropriate": 20, "refusal_excessive": 90}


class Log:
    """One model's responses, numbered on."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self.kafka = kafka
        self.sent = 0

    def add(self, said: list[str]) -> None:
        numbered = enumerate(said, start=self.sent)
        send(self.kafka, [(b"m", response(number, label)) for number, label in numbered])
        self.sent += len(said)


@pytest.fixture
def variables(environment: dict[str, str], kafka: KafkaSettings) -> dict[str, str]:
    nowhere = Tools("http://127.0.0.1:9")
    configure(STDOUT, nowhere)
    return prepare(kafka, worker_variables(environment, kafka), nowhere)


def test_under_other_settings_the_log_is_judged_again_and_nobody_is_told_of_what_is_past(
    variables: dict[str, str], kafka: KafkaSettings
) -> None:
    log = Log(kafka)
    log.add(labels(USUAL, seed=1) + labels(USUAL, seed=2) + labels(CHANGED, seed=3) + labels(USUAL, seed=4))
    with running(variables) as worker:
        worker.ready()
        await_records(kafka, kafka.topics.alerts, 2)
        await_scored(kafka, log.sent)
        assert worker.stop()[0] == 0
    first = read_json(kafka, kafka.topics.alerts)
    assert [alert["status"] for alert in first] == ["firing", "resolved"]
    assert once(variables).returncode == 0
    anew = {
        **variables,
        "VALUEDRIFT_WORKER__APP_ID": f"{variables['VALUEDRIFT_WORKER__APP_ID']}-2",
        "VALUEDRIFT_MONITOR__WINDOW": "50",
    }
    with running(anew, "detect") as worker:
        worker.ready()
        assert eventually(lambda: json.loads(worker.get("/monitors"))[:1] != [])
        assert eventually(lambda: json.loads(worker.get("/monitors"))[0]["seq"] == log.sent - 1)
        assert worker.stop()[0] == 0
    again = read_json(kafka, kafka.topics.alerts)[len(first) :]
    assert [alert["status"] for alert in again] == ["firing", "resolved"]
    assert again[1]["alert_id"] != first[1]["alert_id"], "another window resolves at another response"
    new_group = {**anew, "VALUEDRIFT_NOTIFY__GROUP": f"{anew['VALUEDRIFT_NOTIFY__GROUP']}-2"}
    assert once(new_group).stdout == b""
    assert b"refusals of benign requests" in once(anew).stdout, "the old group takes the second judgement for news"


def test_with_new_topics_the_present_behaviour_becomes_the_normal(
    variables: dict[str, str], kafka: KafkaSettings
) -> None:
    log = Log(kafka)
    log.add(labels(USUAL, seed=1) + labels(USUAL, seed=2) + labels(CHANGED, seed=3))
    with running(variables) as worker:
        worker.ready()
        await_records(kafka, kafka.topics.alerts, 1)
        await_scored(kafka, log.sent)
        assert worker.stop()[0] == 0
    roles = ("scored", "drift", "alerts")
    names = {role: f"{getattr(kafka.topics, role)}.2" for role in roles}
    fresh = kafka.model_copy(update={"topics": kafka.topics.model_copy(update=names)})
    create_missing(fresh)
    renamed = {**variables, **{f"VALUEDRIFT_KAFKA__TOPICS__{role.upper()}": name for role, name in names.items()}}
    anew = {**renamed, "VALUEDRIFT_WORKER__APP_ID": f"{variables['VALUEDRIFT_WORKER__APP_ID']}-2"}
    log.add(labels(CHANGED, seed=4) + labels(CHANGED, seed=5) + labels(CHANGED, seed=6))
    with running(renamed, "classify") as classify, running(anew, "detect") as detect:
        classify.ready()
        detect.ready()
        assert eventually(lambda: json.loads(detect.get("/monitors"))[:1] != [])
        assert eventually(lambda: json.loads(detect.get("/monitors"))[0]["seq"] == 599)
        assert [each["state"] for each in json.loads(detect.get("/monitors"))] == ["ok"]
        assert classify.stop()[0] == 0
        assert detect.stop()[0] == 0
    assert read_json(fresh, fresh.topics.alerts) == []
    assert once(renamed).stdout == b"", "notify no longer speaks of the old incident"
