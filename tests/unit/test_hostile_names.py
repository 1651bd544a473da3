"""A monitor's name comes from a log line: it is data wherever it is shown, and it is never long."""

import asyncio
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from stream.codec.scored import encode_scored
from stream.core.records import ResponseEvent, Scored, Source, SourceRecord
from stream.core.settings import EngineSettings
from stream.core.taxonomy import PAPER
from stream.errors import RecordError
from stream.metrics import Metrics
from stream.naming import LONGEST, monitor_name
from stream.pipeline import Detect
from stream.worker import glance

HOSTILE = [
    "<script>alert(1)</script>",
    '"} 1\nvaluedrift_alerts_total 9',
    "\x1b[2J\x1b]0;owned\x07",
    "\x9b31mred",
    "gpt\u202etxt.exe",
    "a\u2028b\x00c",
    "[bold red]x[/bold red]",
    "../../etc/passwd",
    "m" * 5000,
    "=cmd|' /C calc'!A0",
    "\ud800",
]
EVENT = ResponseEvent(event_id="e", ts=0, model="", prompt="p", response="r", attributes={})
ENGINE = EngineSettings(window=100, stride=10, learn_from=100)


def scored(monitor: str) -> SourceRecord:
    record = Scored(
        monitor="@",
        classifier="c",
        source=Source("in", 0),
        offset=np.arange(5),
        event_id=tuple("abcde"),
        ts=np.arange(5) + 1_767_225_600_000_000,
        category=np.arange(5).astype(np.uint8),
        attributes={},
    )
    value = encode_scored(record, PAPER).replace(b'"@"', json.dumps(monitor).encode())
    return SourceRecord(source=Source("scored", 0), offset=0, key=None, value=value, headers=(), timestamp=0)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_monitor_of_any_name_is_short_and_printable(name: str) -> None:
    made = monitor_name(replace(EVENT, model=name), ("model",))
    assert len(made) <= LONGEST
    assert made.isprintable()
    made.encode()


@pytest.mark.parametrize("name", ["\x1b[2J", "m" * 201, "a\nb", "\u202e", "\ud800"])
def test_a_scored_record_cannot_bring_a_name_that_none_of_ours_would(name: str) -> None:
    with pytest.raises(RecordError, match=r"scored, partition 0, offset 0") as refused:
        Detect(settings=ENGINE).read([scored(name)])
    assert str(refused.value).isprintable()


def test_names_never_reach_metrics() -> None:
    metrics = Metrics()
    metrics.watch_monitors(lambda: len(HOSTILE))
    labels = {
        name
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
        for name in sample.labels
    }
    assert labels <= {"stage", "category", "reason", "rule", "severity", "status", "le"}


def test_the_list_of_monitors_is_json_whatever_they_are_called() -> None:
    pipeline = Detect(settings=ENGINE)
    names = [monitor_name(replace(EVENT, model=name), ("model",)) for name in HOSTILE]
    states = {name.encode(): pipeline.observe(name, None, []).state for name in names}
    rows = asyncio.run(glance.rows(states, ENGINE))
    assert sorted(row.name for row in rows) == sorted(names)
    assert not any(re.search(r"[\x00-\x1f\x7f-\x9f]", row.name) for row in rows)
