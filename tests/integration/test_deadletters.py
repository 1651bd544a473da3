"""`valuedrift deadletters` on the real broker: listed, shown, sent again, and not twice."""

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from stream.cli import cli
from stream.codec.dead_letter import encode_dead_letter
from stream.config import KafkaSettings
from stream.core.records import DeadLetter, RejectReason, Source
from stream.kafka.client import open_producer
from stream.kafka.topics import create_missing
from tests.integration.workers import read

GOOD = json.dumps({"prompt": "the prompt", "response": "\x1b[2Jx", "model": "m"}, ensure_ascii=False).encode()
Run = Callable[..., Result]


@pytest.fixture
def run(kafka: KafkaSettings, environment: dict[str, str]) -> Run:
    """The command against a topic with five letters of the input topic, one of them twice, and one of the scored topic."""
    create_missing(kafka)
    values = [(0, b"{", "invalid_json"), (1, GOOD, "unknown_format"), (2, GOOD, "unknown_format"), (3, GOOD, "no_text")]
    letters = [letter(kafka.topics.input, *each) for each in (*values, values[1])]
    letters.append(letter(kafka.topics.scored, 7, b"x", "unknown_schema"))
    with open_producer(kafka, max_request_size=1_000_000) as producer:
        for each in letters:
            producer.send(kafka.topics.deadletter, key=each.key, value=encode_dead_letter(each))
    return lambda *arguments: CliRunner().invoke(cli, ["deadletters", *arguments], env=environment, obj={})


def letter(topic: str, offset: int, value: bytes, reason: str) -> DeadLetter:
    return DeadLetter(
        source=Source(topic, 0),
        offset=offset,
        key=b"m",
        value=value,
        headers=(),
        reason=RejectReason(reason),
        detail="the detail",
        ts=1_772_366_400_000_000 + offset * 1_000_000,
    )


def test_letters_are_listed_shown_and_sent_again_once(run: Run, kafka: KafkaSettings) -> None:
    listed = {line.split()[0]: line for line in run("list").output.splitlines()[1:]}
    assert listed["unknown_format"].split()[1:3] == ["2", "0"]
    assert "2026-03-01 12:00:01 UTC 2026-03-01 12:00:02 UTC" in listed["unknown_format"]
    assert "nothing to repair" in listed["no_text"]

    shown = run("show", "0/1").output
    assert "unknown_format: the detail" in shown
    assert "prompt" not in shown
    with_text = run("show", "0/1", "--text").output
    assert "the prompt" in with_text
    assert "\x1b" not in with_text
    assert run("show", "0/1", "--raw").stdout_bytes == GOOD

    chosen = ("resend", "--reason", "unknown_format", "--at", "0/0", "--at", "9/9")
    tried = run(*chosen, "--dry-run")
    assert f"would send 2 of 4 records to {kafka.topics.input}" in tried.output
    assert read(kafka, kafka.topics.input) == []
    sent = run(*chosen)
    assert "sent 2 of 4" in sent.output
    assert "not sent: 1, still cannot be used" in sent.output
    assert "not sent: 1, no letter is about this place" in sent.output
    again = run(*chosen)
    assert "not sent: 2, sent before" in again.output
    records = read(kafka, kafka.topics.input)
    assert [(each.key, each.value) for each in records] == [(b"m", GOOD)] * 2
    assert dict(records[0].headers) == {"valuedrift-resent": f"{kafka.topics.input}/0/1".encode()}
    relisted = {line.split()[0]: line.split() for line in run("list").output.splitlines()[1:]}
    assert relisted["unknown_format"][1:3] == ["2", "2"]


def test_nothing_is_sent_unless_something_is_chosen(run: Run) -> None:
    assert run("resend").exit_code == 2
    assert "--reason or --at" in run("resend").output
