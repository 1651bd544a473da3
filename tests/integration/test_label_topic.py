"""`valuedrift label pick --from-topic`: the classifier's word from Kafka, the texts from the user's own file."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from stream.codec.scored import encode_scored
from stream.config import KafkaSettings
from stream.core.taxonomy import PAPER
from stream.kafka.client import open_producer
from tests.integration.conftest import MakeTopic
from tests.integration.processes import valuedrift
from tests.unit import histories


def test_rows_are_picked_from_a_scored_topic_and_a_log(
    kafka: KafkaSettings, make_topic: MakeTopic, tmp_path: Path
) -> None:
    topic = make_topic(2)
    scored = histories.scored("m", [0, 2, 3, 0, 1] * 8)
    probs = (0.75 * np.eye(5) + 0.05)[scored.category].astype(np.float32)
    told = replace(scored, probs=probs, confidence=probs.max(axis=1), energy=probs[:, 0], truncated=probs[:, 0] > 1)
    with open_producer(kafka, max_request_size=1_000_000) as producer:
        for _ in range(2):  # delivered twice, as Kafka may
            producer.send(topic, encode_scored(told, PAPER), key=b"m").get(10)
    chats = [{"event_id": name, "model": "m", "prompt": f"to {name}", "response": "so"} for name in scored.event_id]
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(chat) + "\n" for chat in chats))
    options = ("--bootstrap-servers", kafka.bootstrap_servers, "--out", "sample", "-n", "20")
    done = valuedrift("label", "pick", str(log), "--from-topic", topic, *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"picked 20 of 40 responses in 4 strata: sample\n")
    rows = [json.loads(line) for line in (tmp_path / "sample" / "rows.jsonl").read_text().splitlines()]
    assert all(row["prompt"] == f"to {row['event_id']}" for row in rows)
