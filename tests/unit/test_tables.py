"""Rows of tables are JSON objects with a field for each column."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from stream.core.records import RejectReason
from stream.errors import InputError
from stream.files import LogFiles
from stream.formats.mapped import FieldMap
from tests.unit.log_records import event, reject


def rows(path: Path, field_map: FieldMap | None = None) -> list[Any]:
    return [json.loads(record.value or b"") for record in LogFiles([path], field_map=field_map)]


@pytest.mark.parametrize("name", ["t.csv", "t.CSV.gz", "t.tsv"])
def test_cells_may_hold_line_breaks_quotes_and_delimiters(tmp_path: Path, name: str) -> None:
    mark = "\t" if "tsv" in name else ","
    text = f'\ufeffprompt{mark}response\r\n"a ""b""\nc"{mark}"d{mark}e"\r\n\r\nf{mark}g\r\n'
    content = text.encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert rows(tmp_path / name) == [{"prompt": 'a "b"\nc', "response": f"d{mark}e"}, {"prompt": "f", "response": "g"}]


def test_rows_are_numbered_and_mapped(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("q,a\nHow?,So.\nWhy?,Thus.\n")
    field_map = FieldMap.parse("prompt=q,response=a,model=:m")
    records = list(LogFiles([tmp_path / "t.csv"], field_map=field_map))
    assert [record.offset for record in records] == [0, 1]
    assert json.loads(records[1].value or b"") == {
        "schema": "valuedrift.response/1",
        "prompt": "Why?",
        "response": "Thus.",
        "model": "m",
    }


def test_short_and_long_rows_lose_nothing_of_others(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1\n1,2,3\n")
    assert rows(tmp_path / "t.csv") == [{"a": "1", "b": None}, {"a": "1", "b": "2"}]


def test_a_cell_that_is_no_utf_8_is_refused_alone(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"ts,model,prompt,response\n2026-03-01T12:00:00Z,m,p,\xff\n2026-03-01T12:00:00Z,m,p,r\n")
    bad, good = [record.value for record in LogFiles([path])]
    assert reject(bad).reason is RejectReason.INVALID_UTF8
    assert event(good).response == "r"


def test_a_cell_may_be_as_long_as_a_chat(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"a\n{'x' * 500_000}\n")
    assert len(rows(tmp_path / "t.csv")[0]["a"]) == 500_000


def test_parquet_keeps_times_numbers_and_lists(tmp_path: Path) -> None:
    table = pyarrow.table(
        {
            "prompt": ["p", "q"],
            "when": [datetime(2026, 3, 1, 12, tzinfo=UTC)] * 2,
            "n": [1.5, float("nan")],
            "chat": [[{"role": "user", "content": "x"}], []],
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    assert rows(tmp_path / "t.parquet") == [
        {"prompt": "p", "when": "2026-03-01T12:00:00Z", "n": 1.5, "chat": [{"role": "user", "content": "x"}]},
        {"prompt": "q", "when": "2026-03-01T12:00:00Z", "n": None, "chat": []},
    ]


def test_a_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 not")
    with pytest.raises(InputError, match=r"cannot read .*t\.parquet"):
        rows(tmp_path / "t.parquet")
