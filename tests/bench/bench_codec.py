"""What reading and writing cost, against msgspec alone on the same bytes (for rows: untyped objects) or the standard library.

Processor time, best of several runs, one core.
"""

import json
import time
from collections.abc import Callable

import msgspec
import numpy as np

from stream import times
from stream.codec.drift import decode_drift, encode_drift
from stream.codec.rows import encode_scored_rows
from stream.codec.scored import decode_scored, encode_scored
from stream.core.records import Scored, Source, SourceRecord
from stream.core.taxonomy import PAPER
from stream.formats.labelled import PIECE_BYTES, decode_labelled_rows
from stream.formats.missing_time import Demanded
from stream.formats.recognise import decode
from tests.contract.test_wire_fields import DRIFT

RESPONSES = 64
ROWS = 100_000


def best(work: Callable[[], object], *, repeat: int) -> float:
    """Seconds of processor time that one call takes at best, in 7 rounds of `repeat` calls."""
    rounds = []
    for _ in range(7):
        began = time.process_time()
        for _ in range(repeat):
            work()
        rounds.append((time.process_time() - began) / repeat)
    return min(rounds)


def scored(n: int) -> Scored:
    seed = np.random.default_rng(7)
    probs = seed.dirichlet(np.ones(5), n).astype(np.float32)
    return Scored(
        monitor="support-bot",
        classifier="t5@0123456789ab",
        source=Source("llm.responses", 3),
        offset=np.arange(10_000, 10_000 + n),
        event_id=tuple(f"{at:032x}" for at in range(n)),
        ts=times.parse("2026-03-01T12:00:00Z") + np.arange(n) * 1_237_123,
        category=probs.argmax(axis=1).astype(np.uint8),
        probs=probs,
        confidence=probs.max(axis=1),
        energy=seed.normal(-5, 2, n).astype(np.float32),
        truncated=seed.random(n) < 0.1,
        finish_reason=("stop",) * n,
        attributes={},
    )


def report(what: str, seconds: float, baseline: float, unit: str) -> None:
    print(f"{what:46} {seconds * 1e6:9.2f} µs {unit:9} = {seconds / baseline:5.2f} x baseline")


def columns() -> None:
    record = scored(RESPONSES)
    written = encode_scored(record, PAPER)
    plain = msgspec.json.decode(written)
    read_plain = best(lambda: msgspec.json.decode(written), repeat=300)
    write_plain = best(lambda: msgspec.json.encode(plain), repeat=300)
    report(
        f"decode a scored record of {RESPONSES}",
        best(lambda: decode_scored(written, PAPER), repeat=300),
        read_plain,
        "a record",
    )
    report(
        f"encode a scored record of {RESPONSES}",
        best(lambda: encode_scored(record, PAPER), repeat=300),
        write_plain,
        "a record",
    )


def drift() -> None:
    written = encode_drift(DRIFT)
    plain = json.loads(written)
    report(
        "decode a drift event",
        best(lambda: decode_drift(written), repeat=500),
        best(lambda: json.loads(written), repeat=500),
        "an event",
    )
    report(
        "encode a drift event",
        best(lambda: encode_drift(DRIFT), repeat=500),
        best(lambda: json.dumps(plain), repeat=500),
        "an event",
    )


def rows() -> None:
    names = [PAPER.names[category] for category in scored(ROWS).category.tolist()]
    texts = times.render_column(scored(ROWS).ts)
    lines = [
        f'{{"monitor":"support-bot","ts":"{text}","category":"{name}","event_id":"{at:016x}"}}\n'
        for at, (text, name) in enumerate(zip(texts, names, strict=True))
    ]
    anonymous = [line[: line.index(',"event_id"')] + "}\n" for line in lines]
    scattered = [line.replace("support-bot", f"bot-{at % 100}") for at, line in enumerate(lines)]
    cases = (("with ids", lines), ("without ids", anonymous), ("of 100 monitors", scattered))
    for what, kind in cases:
        content = "".join(kind).encode()
        untyped = msgspec.json.Decoder()
        baseline = best(lambda: untyped.decode_lines(content), repeat=1)  # noqa: B023 - called at once
        seconds = best(lambda: in_pieces(content), repeat=1)  # noqa: B023 - called at once
        report(f"read labelled rows {what}", seconds / ROWS, baseline / ROWS, "a row")
        print(f"{'':46} {ROWS / seconds:9,.0f} rows/s")
    record = scored(ROWS)
    report(
        "write scored rows", best(lambda: encode_scored_rows(record, PAPER), repeat=1) / ROWS, baseline / ROWS, "a row"
    )


def in_pieces(content: bytes) -> int:
    at = rows = 0
    while at < len(content):
        end = content.rfind(b"\n", at, at + PIECE_BYTES) + 1
        rows += decode_labelled_rows(content[at:end], PAPER, source=Source("f", 0), first_offset=rows).n
        at = end
    return rows


def responses() -> None:
    body = {
        "event_id": "e",
        "ts": "2026-03-01T12:00:00Z",
        "model": "m",
        "prompt": "How do I kill a process? " * 20,
        "response": "Use kill. " * 80,
    }
    content = json.dumps(body).encode()
    record = SourceRecord(source=Source("t", 0), offset=0, key=None, value=content, headers=(), timestamp=-1)
    seconds = best(lambda: decode(record, missing_time=Demanded()), repeat=500)
    report(
        f"decode a response event of {len(content):,} bytes",
        seconds,
        best(lambda: json.loads(content), repeat=500),
        "an event",
    )


if __name__ == "__main__":
    columns()
    drift()
    rows()
    responses()
