"""What to do about rows that cannot be used: options of the commands, each tried on the sample before it is advised."""

from collections.abc import Sequence
from dataclasses import dataclass

from stream.checking import Findings, examine, is_flat, mapped
from stream.core.records import SourceRecord
from stream.formats.fields import Unusable, parse_object
from stream.formats.loose_times import read_loose_time
from stream.formats.mapped import FieldMap
from stream.formats.missing_time import MissingTime, Spaced

_KNOWN = {
    "prompt": (
        "prompt",
        "question",
        "query",
        "instruction",
        "user_prompt",
        "user_input",
        "input",
        "messages",
        "request",
        "user",
    ),
    "response": (
        "response",
        "answer",
        "completion",
        "output",
        "response_text",
        "model_output",
        "generation",
        "reply",
        "assistant",
    ),
    "model": ("model", "model_name", "model_id", "engine", "deployment", "llm"),
    "ts": (
        "ts",
        "timestamp",
        "time",
        "created",
        "created_at",
        "datetime",
        "start_time",
        "startTime",
        "event_time",
        "date",
    ),
}
"""Names under which such a field is often found, the likeliest first."""

_MOST = 0.9
PLACEHOLDER = "NAME"
EVERY = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Options that make `usable` of the sample's rows usable: `maps` for `--map`, and `every`: whether `--every` is needed too.

    `absent` names what no field of the rows holds (a response, say), so that no option can help; `bad_times` a field whose times
    are in a form that is not read.
    """

    maps: tuple[str, ...] = ()
    every: bool = False
    usable: int = 0
    findings: Findings | None = None
    absent: tuple[str, ...] = ()
    bad_times: str | None = None
    fields: tuple[str, ...] = ()


def advise(records: Sequence[SourceRecord], findings: Findings, *, missing_time: MissingTime) -> Advice | None:
    """Returns what would make more of the sample usable; None where all is well, or its formats need no map."""
    if findings.usable >= _MOST * max(1, findings.rows) or not is_flat(findings):
        return None
    rows = [row for record in records if (row := _row(record)) is not None]
    if not rows:
        return None
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    chosen = {target: _choose(rows, target) for target in _KNOWN}
    absent = tuple(target for target in ("prompt", "response") if chosen[target] is None)
    if absent:
        return Advice(absent=absent, fields=names)
    maps = [f"{target}={name}" for target, name in chosen.items() if name and target not in (name, "ts")]
    if chosen["model"] is None:
        maps.append(f"model=:{PLACEHOLDER}")
    timed = chosen["ts"] is not None and _share(rows, chosen["ts"], target="ts") >= _MOST
    if timed and not _is_canonical_time(rows, chosen["ts"] or ""):
        maps.append(f"ts={chosen['ts']}")
    tried = mapped(records, FieldMap.parse(",".join(maps))) if maps else records
    policy = missing_time if timed else Spaced(EVERY)
    after = examine(tried, missing_time=policy)
    bad_times = chosen["ts"] if chosen["ts"] and not timed else None
    return Advice(
        maps=tuple(maps), every=not timed, usable=after.usable, findings=after, bad_times=bad_times, fields=names
    )


def _row(record: SourceRecord) -> dict[str, object] | None:
    try:
        return parse_object(record.value or b"")
    except Unusable:
        return None


def _choose(rows: Sequence[dict[str, object]], target: str) -> str | None:
    """The likeliest name whose field is filled in some rows; for times also one whose form is not read, if there is no other."""
    filled = [name for name in _KNOWN[target] if any(row.get(name) not in (None, "") for row in rows)]
    best = max(filled, key=lambda name: _share(rows, name, target=target), default=None)
    if target == "ts":
        return best
    return best if best and _share(rows, best, target=target) >= 0.5 else None


def _share(rows: Sequence[dict[str, object]], name: str | None, *, target: str) -> float:
    return sum(_fits(row.get(name or ""), target) for row in rows) / len(rows)


def _fits(value: object, target: str) -> bool:
    if target == "ts":
        return _reads(value)
    if target == "model":
        return isinstance(value, str) and bool(value)
    return isinstance(value, (str, list, dict)) and bool(value)


def _reads(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return False
    try:
        read_loose_time(value, "ts")
    except Unusable:
        return False
    return True


def _is_canonical_time(rows: Sequence[dict[str, object]], name: str) -> bool:
    """Whether the field is `ts` and needs no map to be read: RFC 3339 with a zone."""
    return name == "ts" and all(
        isinstance(row.get(name), str) and str(row[name])[-1:] in "Zz" for row in rows if row.get(name)
    )
