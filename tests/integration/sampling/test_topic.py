"""`valuedrift sample --topic` through a real Kafka: everything arrives, even when the run is killed half-way."""

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.config import KafkaSettings
from stream.kafka.read import read_topic
from tests.integration.conftest import MakeTopic
from tests.integration.processes import end, eventually, start, valuedrift
from tests.integration.sampling.proxy import Fault, Hang, Json, proxied
from tests.integration.sampling.server import KEY, serving, write_model

MORE = ("-k", "10", "--per-request", "1", "--concurrency", "2")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    model = tmp_path_factory.mktemp("model") / "tiny.gguf"
    shares = {"Here is what you asked for.": 0.9, "I am sorry, but I cannot help with that.": 0.1}
    write_model(model, benign=shares, harmful=shares)
    with serving(model) as url:
        yield url


@pytest.fixture
def keyed(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    return environment | {"OPENAI_API_KEY": KEY, "XDG_CACHE_HOME": str(tmp_path / "cache")}


def waiting(cache: Path) -> list[str]:
    """What is left of journals."""
    return [file.name for file in cache.glob("valuedrift/sampling/*")]


def test_answers_arrive_once_each_under_the_key_of_their_monitor(
    server: str, kafka: KafkaSettings, make_topic: MakeTopic, keyed: dict[str, str], tmp_path: Path
) -> None:
    topic = make_topic(3)
    done = valuedrift("sample", "--endpoint", server, "--model", "tiny", "--topic", topic, *MORE, environment=keyed)
    assert done.returncode == 0, done.stderr
    records = list(read_topic(kafka, topic))
    assert {record.key for record in records} == {b"tiny"}
    assert len({record.source.partition for record in records}) == 1
    probes = Counter(
        (event["attributes"]["probe_prompt"], event["attributes"]["probe_index"])
        for event in (json.loads(record.value or b"") for record in records)
    )
    assert len(probes) == 600
    assert set(probes.values()) == {1}
    assert waiting(tmp_path / "cache") == []


@pytest.mark.kills
def test_a_killed_run_goes_on_and_asks_for_nothing_twice(
    server: str, kafka: KafkaSettings, make_topic: MakeTopic, keyed: dict[str, str], tmp_path: Path
) -> None:
    topic = make_topic(1)

    enough = 0

    def halting(_number: int, _sent: Json) -> Fault:
        return Hang() if 0 < enough <= sum(proxy.answered.values()) else None

    with proxied(server, halting) as proxy:
        arguments = ("sample", "--endpoint", proxy.url, "--model", "tiny", "--topic", topic, *MORE)
        for enough in (50, 200):
            process = start(*arguments, environment=keyed)
            try:
                assert eventually(lambda wanted=enough: sum(proxy.answered.values()) >= wanted)  # type: ignore[misc]
                os.killpg(process.pid, signal.SIGKILL)
            finally:
                end(process)
        enough = 0
        done = valuedrift(*arguments, environment=keyed)
        assert done.returncode == 0, done.stderr
        asked = len(proxy.requests)
    ids = Counter(json.loads(record.value or b"")["event_id"] for record in list(read_topic(kafka, topic)))
    assert len(ids) == 600
    assert asked <= 600 + 2 * 2, "a kill loses at most what was under way"
    assert len({identifier.split("/")[0] for identifier in ids}) == 1, "one round"
    assert waiting(tmp_path / "cache") == []


def test_a_topic_that_is_missing_is_told_before_anything_is_asked(server: str, keyed: dict[str, str]) -> None:
    with proxied(server) as proxy:
        done = valuedrift(
            "sample", "--endpoint", proxy.url, "--model", "tiny", "--topic", "not.there", environment=keyed
        )
        assert proxy.requests == []
    assert done.returncode == 1
    assert b"topics create" in done.stderr
