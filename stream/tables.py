"""Tables as log files: each row of a CSV, TSV or Parquet file is a JSON object with a field for each column.

A `.json` file that holds one array is a table too: its items are the rows.
"""

import csv
import importlib
import io
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from stream.errors import InputError

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_PARQUET, _JSON = ".parquet", ".json"
_LONGEST_CELL = 4 * 1024 * 1024
"""Characters; Python's own limit of 131,072 is below a long chat."""


def is_table(path: Path) -> bool:
    """Says whether the file's name is that of a table, packed by gzip or not."""
    return _kind(path) in (*_DELIMITERS, _PARQUET, _JSON)


def rows(path: Path, content: BinaryIO) -> Iterator[bytes]:
    """Each row as JSON; `content` is that of the file, unpacked. Cells of CSV and TSV are texts.

    Raises:
        InputError: the file is no such table, or Parquet cannot be read here.
    """
    kind = _kind(path)
    if kind == _PARQUET:
        return _parquet(path)
    return _items(path, content) if kind == _JSON else _separated(path, content, _DELIMITERS[kind])


def _kind(path: Path) -> str:
    return Path(path.name.lower().removesuffix(".gz")).suffix


def _separated(path: Path, content: BinaryIO, delimiter: str) -> Iterator[bytes]:
    csv.field_size_limit(_LONGEST_CELL)
    # Bytes that are no UTF-8 become lone surrogates, which the decoder refuses for this row alone.
    text = io.TextIOWrapper(content, encoding="utf-8-sig", errors="surrogateescape", newline="")
    reader = csv.DictReader(text, delimiter=delimiter)
    try:
        for row in reader:
            yield json.dumps({name: cell for name, cell in row.items() if name is not None}).encode()
    except csv.Error as error:
        raise InputError(f"cannot read {path} at line {reader.line_num}: {error}") from None
    finally:
        text.detach()


def _items(path: Path, content: BinaryIO) -> Iterator[bytes]:
    """The items of one array; the lines where the file holds JSON lines instead."""
    first = content.readline()
    while first.isspace():
        first = content.readline()
    if not first.lstrip(b"\xef\xbb\xbf \t").startswith(b"["):
        yield from itertools.chain([first], content)
        return
    try:
        yield from map(
            bytes, msgspec.json.decode(first.lstrip(b"\xef\xbb\xbf") + content.read(), type=list[msgspec.Raw])
        )
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"cannot read {path}: {error}") from None


def _parquet(path: Path) -> Iterator[bytes]:
    try:
        arrow = importlib.import_module("pyarrow")
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise InputError(f"{path} is Parquet, which needs pyarrow: pip install 'valuedrift[parquet]'") from None
    try:
        for batch in parquet.ParquetFile(path).iter_batches(1000):
            for row in batch.to_pylist():
                yield msgspec.json.encode(row)
    except (arrow.ArrowException, OSError) as error:
        raise InputError(f"cannot read {path}: {error}") from None
