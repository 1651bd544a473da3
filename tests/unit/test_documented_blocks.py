"""What README and docs give to copy: settings are accepted, commands are understood, lines that an application writes are read.

Programs that are not at hand (the OpenTelemetry Collector, LiteLLM, Kong) cannot try their blocks here: these are held against the names in
their documentation, which stand beside each test.
"""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import msgspec
import pytest
from click.testing import CliRunner

from stream.cli import cli
from stream.commands.check import check
from stream.config import load
from stream.core.records import ResponseEvent
from stream.formats.missing_time import RecordTime
from stream.formats.recognise import decode
from tests.unit.log_records import record
from tests.unit.test_formats_anthropic import MESSAGE
from tests.unit.test_formats_anthropic import REQUEST as ASKED_ANTHROPIC
from tests.unit.test_formats_openai_chat import REQUEST, RESPONSE

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(language: str, *pages: Path) -> list[str]:
    found = [
        block
        for page in pages or PAGES
        for block in re.findall(
            rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
        )
    ]
    assert found, language
    return found


def commands() -> Iterator[list[str]]:
    """The words of every call of `valuedrift` in the blocks for a shell."""
    for block in blocks("sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            for place, word in enumerate(words):
                if word == "valuedrift" or word.endswith("/valuedrift"):
                    yield words[place + 1 :]
                    break


def names(block: dict[str, Any], part: str) -> set[str]:
    return set(block.get(part, {}))


ATTACH = [msgspec.yaml.decode(block) for block in blocks("yaml", ROOT / "docs" / "attach.md")]


def one(key: str) -> dict[str, Any]:
    """The block of docs/attach.md that has this key at its top."""
    (found,) = (block for block in ATTACH if key in block)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("block", blocks("toml"))
def test_settings_are_accepted(block: str, tmp_path: Path) -> None:
    file = tmp_path / "valuedrift.toml"
    (tmp_path / "kafka").write_text("secret")
    file.write_text(block.replace("/run/secrets", str(tmp_path)))
    load(file)


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_commands_are_understood(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("DIR", "out/checkpoint", "out/bundle", "out/earlier", "out/earlier.work", "labels/march"):
        Path(folder).mkdir(parents=True)
    Path("out/earlier.work/teacher.safetensors").touch()
    command: click.Command | None = cli
    context = click.Context(cli, obj={"debug": False})
    while isinstance(command, click.Group):
        name, *words = words
        command = command.get_command(context, name)
    assert command is not None, name
    command.make_context(name, words, obj={"debug": False})


def test_lines_that_an_application_writes_are_read() -> None:
    given = {
        "json": json,
        "request_body": REQUEST,
        "response": SimpleNamespace(model_dump=lambda: RESPONSE),
        "log": SimpleNamespace(write=lambda _: None),
        "now": "2026-03-01T12:00:00Z",
    }
    anthropic = {"request_body": ASKED_ANTHROPIC, "message": SimpleNamespace(model_dump=lambda *, mode: MESSAGE)}  # noqa: ARG005
    read: list[object] = []
    for block in blocks("python", ROOT / "docs" / "attach.md"):
        said: dict[str, Any] = given | (anthropic if "message.model_dump" in block else {})
        exec(block, said)  # noqa: S102 - our own documentation
        read += decode(record(said["line"]), missing_time=RecordTime())
    assert [type(each) for each in read] == [ResponseEvent, ResponseEvent]


def test_events_in_the_documentation_are_read() -> None:
    page = (ROOT / "docs" / "attach.md").read_text(encoding="utf-8")
    (posted,) = re.findall(r"-d '(\{.*\})'", page)
    for event in [posted, *blocks("json", ROOT / "README.md")]:
        (found,) = decode(record(json.loads(event)), missing_time=RecordTime())
        assert isinstance(found, ResponseEvent)


def test_the_maps_of_the_documentation_read_a_table_and_a_log(tmp_path: Path) -> None:
    table, log = tmp_path / "log.csv", tmp_path / "log.jsonl"
    table.write_text("question,answer,created_at\nWhy?,Because.,2026-03-01 12:00:00\n")
    row = {
        "request": {"messages": [{"role": "user", "content": "Why?"}]},
        "reply": {"text": "Because."},
        "engine": "m",
        "customer": {"id": 7},
        "ts": "2026-03-01T12:00:00Z",
    }
    log.write_text(json.dumps(row) + "\n")
    maps = {words[1]: words[words.index("--map") + 1] for words in commands() if "--map" in words}
    assert maps.keys() == {"log.csv", "log.jsonl"}
    for file, fields in maps.items():
        done = CliRunner().invoke(check, [str(tmp_path / file), "--map", fields], obj={}, standalone_mode=False)
        assert "usable   1 of 1" in done.output, done.output


def test_the_collectors_pipelines_name_what_is_defined() -> None:
    """opentelemetry-collector-contrib, exporter/kafkaexporter/README.md: `brokers`, and for each signal `topic` and `encoding`."""
    block = one("service")
    for pipeline in block["service"]["pipelines"].values():
        for part in ("receivers", "processors", "exporters"):
            assert set(pipeline[part]) <= names(block, part)
    kafka = block["exporters"]["kafka"]
    assert kafka.keys() == {"brokers", "producer", "traces", "logs"}
    assert kafka["producer"].keys() == {"max_message_bytes"}
    for signal in ("traces", "logs"):
        assert kafka[signal].keys() == {"topic", "encoding"}
        assert kafka[signal]["encoding"] in ("otlp_proto", "otlp_json")


def test_the_collector_reads_labels_by_documented_names() -> None:
    """opentelemetry-collector-contrib, receiver/kafkareceiver/README.md: `logs.topics` is a list."""
    (receiver,) = (block["receivers"]["kafka"] for block in ATTACH if "kafka" in names(block, "receivers"))
    assert receiver["logs"] == {"topics": ["valuedrift.evaluations"], "encoding": "otlp_json"}


def test_litellm_is_told_of_a_callback_that_is_defined() -> None:
    """docs.litellm.ai, "Generic API Callback"; the retries are parameters of its GenericAPILogger (seen to work with 1.108.7)."""
    documented = {"callback_type", "endpoint", "headers", "event_types", "log_format"}
    block = one("litellm_settings")
    assert set(block["litellm_settings"]["callbacks"]) == block["callback_settings"].keys()
    for callback in block["callback_settings"].values():
        assert callback["callback_type"] == "generic_api"
        assert callback.keys() <= {*documented, "max_retries", "retry_delay"}


def test_kong_logs_payloads_to_the_topic() -> None:
    """Kong's plugin reference: ai-proxy `logging.log_payloads`, kafka-log `bootstrap_servers[].host`, `port`, and `topic`."""
    plugins = {plugin["name"]: plugin["config"] for plugin in one("plugins")["plugins"]}
    assert plugins["ai-proxy"]["logging"] == {"log_statistics": True, "log_payloads": True}
    assert plugins["kafka-log"].keys() == {"bootstrap_servers", "topic"}
    assert plugins["kafka-log"]["bootstrap_servers"] == [{"host": "localhost", "port": 9092}]
