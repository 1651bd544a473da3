"""`valuedrift tail` on a real Kafka: every line once, across rotation, restarts, crashes and a missing broker."""

import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from stream import tail_journal
from stream.config import KafkaSettings, Settings
from stream.followed import FollowedFiles
from stream.kafka.broker import LocalBroker
from stream.kafka.read import read_topic
from stream.kafka.topics import create_missing
from stream.tail import Order, Tally, tail
from tests.integration.processes import PATIENCE, end, eventually, start, valuedrift


@pytest.fixture
def topics(kafka: KafkaSettings) -> KafkaSettings:
    create_missing(kafka)
    return kafka


def line(number: int, model: str = "m") -> str:
    return json.dumps({"prompt": "hello", "response": f"answer {number}", "model": model}) + "\n"


def add(path: Path, *numbers: int) -> None:
    with path.open("a") as file:
        file.writelines(line(number, f"model-{number % 5}") for number in numbers)


def sent(kafka: KafkaSettings) -> list[int]:
    values = [json.loads(record.value or b"") for record in read_topic(kafka, kafka.topics.input)]
    return [int(value["response"].split()[1]) for value in values]


def follow(path: Path, environment: dict[str, str], *options: str) -> subprocess.Popen[str]:
    return start("tail", str(path), "--journal", str(path.parent / "journal.json"), *options, environment=environment)


def finish(process: subprocess.Popen[str]) -> str:
    try:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=PATIENCE)
    finally:
        end(process)
    assert process.returncode == 0, said
    return said


def test_a_growing_file_is_followed_across_rotation_and_restart(
    topics: KafkaSettings, environment: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "chat.jsonl"
    add(path, *range(20))
    process = follow(path, environment)
    assert eventually(lambda: len(sent(topics)) == 20)
    add(path, *range(20, 30))
    path.rename(tmp_path / "chat.jsonl.1")
    add(path, *range(30, 40))
    assert eventually(lambda: len(sent(topics)) == 40)
    assert "sent 40 records" in finish(process)
    add(path, *range(40, 50))
    path.rename(tmp_path / "chat.jsonl.1")
    add(path, *range(50, 60))
    process = follow(path, environment)
    assert eventually(lambda: len(sent(topics)) == 60)
    finish(process)
    assert sorted(sent(topics)) == list(range(60))
    records = list(read_topic(topics, topics.topics.input))
    assert {record.key for record in records} == {b"model-%d" % number for number in range(5)}
    for model in range(5):
        mine = [number for number in sent(topics) if number % 5 == model]
        assert mine == sorted(mine), "each monitor's order is that of the files"


@pytest.mark.kills
def test_a_tail_that_is_killed_again_and_again_loses_and_repeats_nothing(
    topics: KafkaSettings, environment: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "chat.jsonl"

    def write() -> None:
        for first in range(0, 6000, 50):
            add(path, *range(first, first + 50))
            if first % 1500 == 700:
                path.rename(tmp_path / f"chat.jsonl.{first}")
            time.sleep(0.1)

    add(path)
    writer = threading.Thread(target=write)
    try:
        for wanted in (200, 1500, 3000, 4500):
            process = follow(path, environment)
            try:
                assert process.stdout is not None
                assert process.stdout.readline().startswith("following")
                if not writer.ident:
                    writer.start()
                assert eventually(lambda wanted=wanted: len(sent(topics)) >= wanted)  # type: ignore[misc]
            finally:
                process.kill()
                end(process)
    finally:
        writer.join()
    process = follow(path, environment)
    assert eventually(lambda: len(sent(topics)) >= 6000)
    finish(process)
    assert [number for number, times in Counter(sent(topics)).items() if times != 1] == []
    assert sorted(sent(topics)) == list(range(6000))


def test_what_was_sent_after_the_journal_was_written_is_not_sent_again(topics: KafkaSettings, tmp_path: Path) -> None:
    path, journal = tmp_path / "chat.jsonl", tmp_path / "journal.json"
    add(path, *range(10))
    order = Order(path=path, topic=topics.topics.input, journal=journal)
    settings = Settings(kafka=topics)
    stop, tally = threading.Event(), Tally()
    stop.set()
    tail(settings, order, stop=stop, tally=tally)
    assert sent(topics) == []  # stopped before it began
    before = journal.read_bytes()
    _once(settings, order, tally)
    assert (tally.delivered, tally.known) == (10, 0)
    journal.write_bytes(before)  # as if the crash had come between Kafka's acknowledgement and the journal
    add(path, 10, 11)
    _once(settings, order, tally)
    assert (tally.delivered, tally.known) == (12, 10)
    assert sorted(sent(topics)) == list(range(12))


def _once(settings: Settings, order: Order, tally: Tally) -> None:
    """Follows until what is there is sent."""
    wanted = tally.delivered + tally.known
    total = order.path.read_bytes().count(b"\n")
    stop = threading.Event()
    runner = threading.Thread(target=tail, args=(settings, order), kwargs={"stop": stop, "tally": tally})
    runner.start()
    try:
        assert eventually(lambda: tally.delivered + tally.known >= wanted + total - _noted(order))
    finally:
        stop.set()
        runner.join()


def _noted(order: Order) -> int:
    """Lines before the position that the journal holds."""
    progress = tail_journal.read(order.journal)
    offset = max((at.offset for at in progress.files.values()), default=0) if progress else 0
    return order.path.read_bytes()[:offset].count(b"\n")


def test_a_map_and_a_topic_may_be_given_and_bad_lines_go_without_a_key(
    topics: KafkaSettings, environment: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "chat.jsonl"
    path.write_text('{"q": "hello", "a": "answer 1"}\nno JSON\n\n' + "x" * 5_000_000 + "\n")
    process = follow(path, environment, "--map", "prompt=q,response=a,model=:m", "--topic", topics.topics.input)
    assert eventually(lambda: len(list(read_topic(topics, topics.topics.input))) == 2)
    said = finish(process)
    assert "1 of them cannot be read" in said
    assert "1 lines were too large" in said
    records = {record.key: record.value for record in read_topic(topics, topics.topics.input)}
    assert json.loads(records[b"m"] or b"")["response"] == "answer 1"
    assert records[None] == b"no JSON"


def test_two_tails_of_one_journal_are_refused(
    topics: KafkaSettings, environment: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "chat.jsonl"
    add(path, 1)
    process = follow(path, environment)
    try:
        assert eventually(lambda: len(sent(topics)) == 1)
        second = valuedrift("tail", str(path), "--journal", str(tmp_path / "journal.json"), environment=environment)
        assert second.returncode == 1
        assert b"another process follows the same files" in second.stderr
    finally:
        finish(process)


def test_a_journal_that_cannot_be_read_says_what_to_do(
    topics: KafkaSettings, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "journal.json").write_text("{")
    done = valuedrift(
        "tail", str(tmp_path / "a.jsonl"), "--journal", str(tmp_path / "journal.json"), environment=environment
    )
    assert done.returncode == 1
    assert b"Delete it to begin anew" in done.stderr


def test_the_journal_survives_what_it_describes(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("1\n2\n")
    files = FollowedFiles(path, pattern="", positions={}, since=0.0, from_end=False)
    list(files.lines())
    progress = tail_journal.Progress(tail="t", saved=1.5, files=files.positions(), partitions={0: 7})
    tail_journal.write(tmp_path / "journal", progress)
    assert tail_journal.read(tmp_path / "journal") == progress
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.jsonl", "journal"]
    files.close()


@pytest.mark.kills
def test_a_broker_that_goes_away_is_waited_for_and_no_line_is_lost_or_repeated(tmp_path: Path) -> None:
    path, broker = tmp_path / "chat.jsonl", LocalBroker(data=tmp_path / "kafka")
    with broker:
        settings = KafkaSettings(bootstrap_servers=broker.bootstrap_servers, partitions=2)
        create_missing(settings)
        environment = os.environ | {"VALUEDRIFT_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap_servers}
        add(path, *range(100))
        process = follow(path, environment)
        try:
            assert eventually(lambda: len(sent(settings)) == 100)
            broker.stop()
            add(path, *range(100, 200))
            time.sleep(2)
            add(path, *range(200, 300))
            with LocalBroker(data=tmp_path / "kafka", port=broker.port):
                assert eventually(lambda: len(sent(settings)) >= 300)
                said = finish(process)
                assert sorted(sent(settings)) == list(range(300)), said
        finally:
            end(process)
