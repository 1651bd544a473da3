"""Orders in the log, on a real Kafka: a person accepts a new level, and a monitor falls silent; a replay of the log agrees."""

import json

from stream.config import KafkaSettings
from stream.rule_settings import NoDataRule, Rules
from tests.integration.processes import valuedrift
from tests.integration.test_begin_anew import CHANGED, USUAL, Log
from tests.integration.workers import (
    audit,
    await_records,
    await_scored,
    labels,
    read_json,
    running,
    worker_settings,
    worker_variables,
)


def test_an_accepted_level_closes_the_alert_across_a_restart_and_a_replay_of_the_log_agrees(
    environment: dict[str, str], kafka: KafkaSettings
) -> None:
    variables = worker_variables(environment, kafka)
    log = Log(kafka)
    log.add(labels(USUAL, seed=1) + labels(USUAL, seed=2) + labels(CHANGED, seed=3))
    with running(variables) as worker:
        worker.ready()
        await_records(kafka, kafka.topics.alerts, 1)
        await_scored(kafka, log.sent)
        await_records(kafka, kafka.topics.drift, log.sent // 10 + 1)
        shown = valuedrift("baseline", "show", environment=variables)
        assert shown.returncode == 0, shown.stderr
        assert b"learned, frozen by an alert" in shown.stdout
        compared = valuedrift("baseline", "diff", "m", environment=variables)
        assert b"refusal_excessive" in compared.stdout, compared.stderr
        assert b"m is firing: " in compared.stdout
        unknown = valuedrift("baseline", "accept", "n", environment=variables)
        assert unknown.returncode == 1
        assert b"has no event of a monitor 'n'; it has m" in unknown.stderr
        accepted = valuedrift("baseline", "accept", "m", environment=variables)
        assert accepted.returncode == 0, accepted.stderr
        await_records(kafka, kafka.topics.alerts, 2)
        assert worker.stop()[0] == 0
    log.add(labels(CHANGED, seed=4) + labels(CHANGED, seed=5))
    with running(variables) as worker:
        worker.ready()
        await_scored(kafka, log.sent)
        await_records(kafka, kafka.topics.drift, log.sent // 10 + 2)
        assert [row["state"] for row in json.loads(worker.get("/monitors"))] == ["ok"]
        assert worker.stop()[0] == 0
    alerts = read_json(kafka, kafka.topics.alerts)
    assert [(alert["status"], alert["reason"]) for alert in alerts] == [
        ("firing", "behaviour_changed"),
        ("resolved", "accepted"),
    ]
    reference = read_json(kafka, kafka.topics.drift)[-1]["reference"]
    assert (reference["origin"], reference["growing"]) == ("accepted", True)
    audit(kafka, worker_settings(kafka), sent=log.sent)


def test_a_silent_monitor_alarms_until_it_speaks_again_and_a_replay_of_the_log_agrees(
    environment: dict[str, str], kafka: KafkaSettings
) -> None:
    rule = {"VALUEDRIFT_RULES__NO_DATA__POLICY": "alert", "VALUEDRIFT_RULES__NO_DATA__AFTER_S": "5"}
    log = Log(kafka)
    with running(worker_variables(environment, kafka) | rule) as worker:
        log.add(labels(USUAL, seed=1)[:30])
        worker.ready()
        await_records(kafka, kafka.topics.alerts, 1)
        log.sent += 3_600
        log.add(labels(USUAL, seed=2)[:1])
        await_records(kafka, kafka.topics.alerts, 2)
        assert worker.stop()[0] == 0
    alerts = read_json(kafka, kafka.topics.alerts)[:2]
    assert [(alert["rule"], alert["reason"], alert["seq"]) for alert in alerts] == [
        ("no_data", "silent", 29),
        ("no_data", "data_returned", 30),
    ]
    settings = worker_settings(kafka).model_copy(update={"rules": Rules(no_data=NoDataRule(policy="alert", after_s=5))})
    audit(kafka, settings, sent=31)
