"""Hostile records: what every decoder reads, damaged on purpose. Hypothesis damages the structure, a seeded generator the bytes."""

import json
import random
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from stream.codec.alert import encode_alert
from stream.codec.dead_letter import encode_dead_letter
from stream.codec.drift import encode_drift
from stream.codec.resent import Resent, encode_resent
from stream.codec.rows import encode_scored_rows
from stream.codec.scored import encode_scored
from stream.core.records import Source
from stream.core.taxonomy import PAPER
from stream.formats.recognise import FORMATS
from tests.contract.test_wire_fields import ALERT, DRIFT, LETTER, SCORED, T
from tests.unit.otlp_batches import log, logs, protobuf

SECRET = "xyzzy"
"""Stands in texts of the records, and must never be quoted by a reason."""

_WIRE = (
    encode_scored(SCORED, PAPER),
    encode_scored_rows(SCORED, PAPER),
    encode_drift(DRIFT),
    encode_alert(ALERT),
    encode_dead_letter(LETTER),
    encode_resent(Resent(source=Source("t", 0), offset=1, ts=T)),
)
_EVENT = {"specversion": "1.0", "id": "e", "source": "/s", "type": "t", "time": "2026-03-01T12:00:00Z"}
_FLAT = {"question": SECRET, "answer": {"choices": [{"text": SECRET}]}, "model": SECRET, "time": "1741569952"}


def _named(example: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(example)
    return record


TEMPLATES: tuple[dict[str, Any], ...] = (
    *(_named(known.example) for known in FORMATS.values()),
    *(json.loads(record.splitlines()[0]) for record in _WIRE),
    {**_EVENT, "data": _named(FORMATS["canonical"].example)},
    {**_EVENT, "data": FORMATS["openai_chat"].example},
    _FLAT,
)
"""A valid record of each kind that is read: log formats, our own topics, CloudEvents, and rows for a map."""

PROTOBUF = (
    protobuf(_named(FORMATS["otlp"].example)),
    protobuf(logs(log("gen_ai.choice", {"message": {"content": SECRET}}, {"gen_ai.system": "openai"}))),
)
"""The same in OpenTelemetry's binary encoding."""

NASTY: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**63,
    -(2**64),
    10**400,
    1e308,
    5e-324,
    "",
    " ",
    "\x00",
    "\ud800",
    "\udfff\ud800",
    "\u202e\u2028\ufeff",
    "9" * 5000,
    "1e999",
    "٣" * 20,
    "x" * 100_000,
    SECRET,
    [],
    {},
    [[]],
    {"": {}},
    ["a", 1, None],
    "2026-02-30T25:61:61Z",
    "0000-00-00T00:00:00Z",
    "2026-03-01T12:00:00+99:99",
    '{"messages": [',
    "[" * 200 + "]" * 200,
)

TOKENS = (
    b"[" * 100,
    b"[" * 3_000,
    b'{"a":' * 100,
    b'{"a":' * 3_000,
    b"]}",
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"9" * 5_000,
    b"-0",
    b"\x00",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xc0\xaf",
    b"\\ud800",
    b"\\u0000",
    b"\\",
    b'"',
    b"\n",
    b"\r\n",
    b"\xef\xbb\xbf",
    b"\x0a\x80\x80\x80\x80\x10",
    b'"model":"m","model":"n",',
    b"null",
    b"true",
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(NASTY),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)


@st.composite
def records(draw: st.DrawFn) -> bytes:
    """A record of some kind in which up to four places hold something else, are gone, or are there under another name."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from(PROTOBUF))
    value = deepcopy(draw(st.sampled_from(TEMPLATES)))
    for _ in range(draw(st.integers(0, 4))):
        places = list(_places(value))
        if not places:
            break
        parent, key = draw(st.sampled_from(places))
        action = draw(st.sampled_from(("replace", "replace", "remove", "rename", "wrap")))
        if action == "replace":
            parent[key] = deepcopy(draw(JSON))
        elif action == "wrap":
            parent[key] = draw(st.sampled_from(([parent[key]], {"value": parent[key]}, json.dumps(parent[key]))))
        else:
            content = parent.pop(key)
            if action == "rename" and isinstance(parent, dict):
                parent[draw(st.text(max_size=6))] = content
    return json.dumps(value, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each place of a JSON value below its top: the object or array, and the name or number in it."""
    for key, child in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(child, (dict, list)):
            yield from _places(child)


def variants(record: bytes, *, seed: int, n: int) -> Iterator[bytes]:
    """The record itself, and n - 1 times the same, damaged: two of three in what it holds, the others in its bytes."""
    rng = random.Random(seed)
    yield record
    try:
        value = json.loads(record)
    except ValueError:  # protobuf
        value = None
    for number in range(n - 1):
        yield _wounded(record, rng) if value is None or number % 3 == 0 else _changed(value, rng)


def _changed(value: Any, rng: random.Random) -> bytes:
    """One to three places hold something nasty, something from another place, or are gone; sometimes a field stands there twice."""
    copy = deepcopy(value)
    for _ in range(rng.randint(1, 3)):
        places = list(_places(copy))
        if not places:
            break
        parent, key = rng.choice(places)
        kind = rng.randrange(5)
        if kind == 0:
            del parent[key]
        elif kind == 1:
            other, name = rng.choice(places)
            parent[key] = deepcopy(other[name])
        elif kind == 2 and isinstance(parent[key], str):
            parent[key] += rng.choice(("\x00", "\ud800", "\u202e", " ", "é", "\U0001f600", "]", '"'))
        else:
            parent[key] = deepcopy(rng.choice(NASTY))
    content = json.dumps(copy, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    return b"{" + content[1:-1] + b", " + content[1:] if rng.random() < 0.02 and content[:1] == b"{" else content


def _wounded(record: bytes, rng: random.Random) -> bytes:
    content = bytearray(record)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(content) + 1)
        to = min(len(content), at + rng.randint(1, 40))
        kind = rng.randrange(7)
        if kind == 0:
            del content[at:to]
        elif kind == 1:
            content[at:at] = rng.choice(TOKENS)
        elif kind == 2:
            content[at:to] = rng.choice(TOKENS)
        elif kind == 3:
            content[at:at] = content[at:to]
        elif kind == 4 and content:
            content[rng.randrange(len(content))] = rng.randrange(256)
        elif kind == 5:
            del content[at:]
        else:
            other = rng.randrange(len(content) + 1)
            content[at:at] = content[other : other + 60]
    return bytes(content)
