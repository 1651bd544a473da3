"""`valuedrift check` says what a log holds, and its advice works when it is followed."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stream.advice import advise
from stream.checking import examine, mapped
from stream.commands.check import SHOWN, check, visible
from stream.commands.formats import formats
from stream.core.records import ResponseEvent, SourceRecord
from stream.formats.mapped import FieldMap
from stream.formats.missing_time import Demanded, Spaced
from stream.formats.recognise import FORMATS, decode
from tests.unit.log_records import record
from tests.unit.test_formats_litellm import PAYLOAD

CHAT = {"prompt": "How?", "response": "So.", "model": "m", "ts": "2026-03-01T12:00:00Z"}


def run(tmp_path: Path, *rows: object, options: tuple[str, ...] = (), name: str = "log.jsonl") -> Result:
    path = tmp_path / name
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return CliRunner().invoke(check, [str(path), *options], obj={}, standalone_mode=False)


def records(*rows: dict[str, Any]) -> list[SourceRecord]:
    return [record(row) for row in rows]


def test_a_good_log_is_shown_with_three_responses(tmp_path: Path) -> None:
    done = run(tmp_path, *[CHAT | {"prompt": f"question {number}"} for number in range(5)])
    assert done.return_value == 0
    assert "5 rows read, recognised as canonical (5)" in done.output
    assert "usable   5 of 5" in done.output
    assert re.findall(r"question \d", done.output) == ["question 0", "question 1", "question 2"]
    assert "what to do" not in done.output


def test_formats_and_reasons_are_counted(tmp_path: Path) -> None:
    failure = PAYLOAD | {"status": "failure"}
    done = run(tmp_path, PAYLOAD, failure, failure, CHAT, "no JSON", {"message": "started"})
    assert "recognised as litellm (3), canonical (1), no known format (2)" in done.output
    assert "usable   2 of 6" in done.output
    assert "skipped  2 failed_call: status is not success" in done.output
    assert "refused  1 invalid_json: malformed at character 0" in done.output


def test_texts_are_shortened_and_harmless_on_a_terminal(tmp_path: Path) -> None:
    done = run(tmp_path, CHAT | {"prompt": "\x1b[31mred\u202e\n" + "x" * 100})
    assert "\x1b" not in done.output
    assert "\u202e" not in done.output
    assert "\\x1b[31mred\\u202e\\n" + "x" * (SHOWN - 10) + "…" in done.output


def test_the_end_of_what_was_said_before_is_shown(tmp_path: Path) -> None:
    done = run(tmp_path, CHAT | {"earlier": "x" * 100 + "\n\nUser:"})
    assert "    earlier  …xxx" in done.output
    assert "xxx\\n\\nUser:\n" in done.output


@pytest.mark.parametrize("text", ["", "a\tb", "日本", "\ud800", "é" * 100])
def test_what_is_visible_can_be_printed(text: str) -> None:
    assert visible(text).isprintable()
    assert len(visible("é" * 100)) == SHOWN + 1


ADVICE: dict[str, tuple[dict[str, Any], tuple[str, ...], bool]] = {
    "no time": ({"prompt": "p", "response": "r", "model": "m"}, (), True),
    "no model": ({"prompt": "p", "response": "r"}, ("model=:NAME",), True),
    "a null for the model": (
        {"prompt": "p", "response": "r", "model": None, "ts": "2026-03-01T12:00:00Z"},
        ("model=:NAME",),
        False,
    ),
    "other names": (
        {"question": "p", "answer": "r", "engine": "m", "created_at": 1741569952},
        ("prompt=question", "response=answer", "model=engine", "ts=created_at"),
        False,
    ),
    "a time without a zone": (CHAT | {"ts": "2026-03-01 12:00:00"}, ("ts=ts",), False),
    "a time in no known form": (
        {"query": "p", "answer": "r", "model": "m", "timestamp": "07/02/2023, 21:26:27"},
        ("prompt=query", "response=answer"),
        True,
    ),
}


@pytest.mark.parametrize(("row", "maps", "every"), ADVICE.values(), ids=ADVICE.keys())
def test_advice_makes_the_rows_usable_when_it_is_followed(
    row: dict[str, Any], maps: tuple[str, ...], every: object
) -> None:
    sample = records(row, row)
    advice = advise(sample, examine(sample, missing_time=Demanded()), missing_time=Demanded())
    assert advice is not None
    assert (advice.maps, advice.every, advice.usable) == (maps, every, 2)
    followed = mapped(sample, FieldMap.parse(",".join(maps))) if maps else sample
    policy = Spaced(1) if every else Demanded()
    assert all(isinstance(each, ResponseEvent) for one in followed for each in decode(one, missing_time=policy))


def test_what_is_advised_can_be_copied(tmp_path: Path) -> None:
    done = run(tmp_path, {"question": "p", "answer": "r"}, name="my log.jsonl")
    assert done.return_value == 1
    path = f"'{tmp_path / 'my log.jsonl'}'"
    assert (
        f"valuedrift replay {path} --map prompt=question,response=answer,model=:NAME --every 1s --out out"
        in done.output
    )
    assert "put it in the place of NAME" in done.output
    assert "with these options:" in done.output


def test_a_map_that_was_given_stays_in_the_advice(tmp_path: Path) -> None:
    done = run(tmp_path, {"a": "p", "b": "r"}, options=("--map", "prompt=a,response=b", "--map", "model=:m"))
    assert "--map prompt=a,response=b,model=:m --every 1s" in done.output
    assert run(tmp_path, CHAT, options=("--map", "model=:other")).return_value == 0


def test_a_log_without_responses_is_not_promised_to_be_usable(tmp_path: Path) -> None:
    done = run(tmp_path, {"prompt": "p", "kind": "harmful"})
    assert "none of them looks like a response" in done.output
    assert "makes" not in done.output


def test_an_empty_log_and_one_that_is_missing_say_so(tmp_path: Path) -> None:
    assert "is empty" in run(tmp_path).output
    missing = CliRunner().invoke(check, ["nowhere.jsonl"], obj={}, standalone_mode=False)
    assert "cannot read nowhere.jsonl" in str(missing.exception)


def test_an_array_in_a_json_file_is_a_log_too(tmp_path: Path) -> None:
    assert "usable   2 of 2" in run(tmp_path, json.dumps([CHAT, CHAT], indent=1), name="log.json").output
    assert "usable   2 of 2" in run(tmp_path, CHAT, CHAT, name="log.json").output


def test_every_format_is_listed_with_an_example_that_is_read() -> None:
    listed = CliRunner().invoke(formats, [], obj={}, standalone_mode=False).output
    for name, known in FORMATS.items():
        assert f"{name}: {known.title}" in listed
        shown = CliRunner().invoke(formats, [name], obj={}, standalone_mode=False).output
        (found,) = decode(record(shown.encode()), missing_time=Demanded())
        assert isinstance(found, ResponseEvent)
