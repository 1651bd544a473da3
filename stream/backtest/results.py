"""What a backtest leaves: a table and sentences for people, CSV and JSON for programs, and the operating curve."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.table import Table

from stream.backtest.aims import Target
from stream.backtest.compare import Row
from stream.backtest.estimates import Estimate, Interval

SCHEMA = "valuedrift.backtest/1"
JSON, CSV, TARGETS_CSV, CURVE = "backtest.json", "backtest.csv", "targets.csv", "operating-curve.png"
BY_CHANCE = 0.2
"""A change that is missed in more than this part of the runs was found by chance in many of the others."""
DAY = 86_400.0


class _Figure(msgspec.Struct):
    source: str
    change: str
    detector: str
    knob: str
    setting: float | None
    matched: bool
    wanted: int
    interval: float | None
    interval_low: float | None
    interval_high: float | None
    false_alarms: int | None
    judged: int | None
    runs: int
    mean: float
    mean_error: float
    median: float
    p90: float
    missed: float
    missed_after: int
    oracle: float | None
    times_oracle: float | None


class _Aim(msgspec.Struct):
    target: str
    bound: str
    aim: float
    value: float
    error: float
    met: bool


class _Result(msgspec.Struct, tag_field="schema", tag=SCHEMA):
    command: str
    seed: int
    rows: list[_Figure]
    targets: list[_Aim]


def write(folder: Path, rows: Sequence[Row], aims: Sequence[Target], *, command: str, seed: int) -> None:
    """Writes backtest.json, backtest.csv, targets.csv where there are targets, and operating-curve.png."""
    figures = [_figure(row) for row in rows]
    named = [
        _Aim(each.name, each.bound, each.aim, _kept(each.found.value), _kept(each.found.error), each.met)
        for each in aims
    ]
    result = _Result(command, seed, figures, named)
    (folder / JSON).write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    _csv(folder / CSV, figures)
    if named:
        _csv(folder / TARGETS_CSV, named)
    from stream.backtest.curve import draw  # noqa: PLC0415 - matplotlib takes a second to load

    draw(folder / CURVE, rows)


def tables(rows: Sequence[Row]) -> list[Table]:
    """One table for each source: a line for each change and detector at the last wanted interval."""
    made = []
    for source in dict.fromkeys(row.source for row in rows):
        here = [row for row in rows if row.source == source]
        last = max(row.wanted for row in here)
        table = Table(title=f"{source}: one false alarm in {last:,} responses", title_justify="left")
        table.add_column("change")
        table.add_column("detector")
        for head in ("mean delay", "median", "p90", "missed", "x CUSUM", "false alarms, one in"):
            table.add_column(head, justify="right")
        for change in dict.fromkeys(row.change for row in here):
            for number, row in enumerate(row for row in here if row.change == change and row.wanted == last):
                table.add_row(change if number == 0 else "", *_cells(row))
            table.add_section()
        made.append(table)
    return made


def target_table(aims: Sequence[Target]) -> Table:
    """Every target with what was measured and whether it is met."""
    table = Table(title="targets", title_justify="left")
    table.add_column("what")
    for head in ("aim", "measured", "met"):
        table.add_column(head, justify="right")
    for each in aims:
        bound = {"at most": f"≤ {each.aim:g}", "at least": f"≥ {each.aim:g}", "within": f"1 ± {each.aim:g}"}[each.bound]
        table.add_row(each.name, bound, f"{each.found.value:.2f} ± {each.found.error:.2f}", "yes" if each.met else "no")
    return table


def sentences(rows: Sequence[Row], *, daily: float | None) -> list[str]:
    """What a person wants to know of the first detector, in words; with responses a day also in days and hours."""
    last = max(row.wanted for row in rows)
    first = rows[0].detector
    said = []
    for row in rows:
        if row.detector != first or row.wanted != last:
            continue
        alarms = (
            "false alarms not counted"
            if row.interval is None
            else f"one false alarm in {amount(row.interval.value, daily)}"
        )
        if row.missed > BY_CHANCE:
            found = f"is missed by {row.missed:.0%} within {amount(row.missed_after, daily)}".replace("%", " %")
        else:
            found = f"is found after {amount(row.median, daily)} (p90 {row.p90:,.0f})"
        said.append(f"{row.change}: {found}, at {alarms}")
    return said


def amount(responses: float, daily: float | None) -> str:
    """Responses in words, and with responses a day the time that they take."""
    if math.isinf(responses):
        return "more responses than were judged"
    text = f"{responses:,.0f} responses"
    if daily:
        text += f" = {_duration(responses / daily * DAY)}"
    return text


def _duration(seconds: float) -> str:
    """Two significant digits of a length of time, in the largest unit that fits.

    Examples:
        >>> _duration(90), _duration(7_200), _duration(2_600_000)
        ('1.5 minutes', '2 hours', '30 days')
    """
    for name, size in (("day", DAY), ("hour", 3_600.0), ("minute", 60.0)):
        if seconds >= size:
            many = f"{seconds / size:.0f}" if seconds >= 10 * size else f"{seconds / size:.2g}"
            return f"{many} {name}" if many == "1" else f"{many} {name}s"
    return f"{seconds:.2g} seconds"


def _cells(row: Row) -> list[str]:
    times = row.times
    if not row.matched:
        note = "not matched" if row.knob else "as given"
        return [f"{row.detector} ({note})", *_delays(row), _times(times), _interval(row.interval)]
    return [row.detector, *_delays(row), _times(times), _interval(row.interval)]


def _delays(row: Row) -> list[str]:
    at_least = "≥ " if row.missed > 0.01 else ""
    return [
        f"{at_least}{row.delay.value:,.0f} ± {row.delay.error:,.0f}",
        f"{row.median:,.0f}",
        f"{row.p90:,.0f}",
        f"{row.missed:.0%}".replace("%", " %"),
    ]


def _times(times: Estimate | None) -> str:
    return "-" if times is None else f"{times.value:.2f} ± {times.error:.2f}"


def _interval(found: Interval | None) -> str:
    if found is None:
        return "-"
    if math.isinf(found.value):
        return f"none in {found.judged:,}"
    high = "∞" if math.isinf(found.high) else f"{found.high:,.0f}"
    return f"{found.value:,.0f} ({found.low:,.0f}-{high})"


def _figure(row: Row) -> _Figure:
    quiet, times = row.interval, row.times
    return _Figure(
        source=row.source,
        change=row.change,
        detector=row.detector,
        knob=row.knob,
        setting=None if row.setting is None else _kept(row.setting),
        matched=row.matched,
        wanted=row.wanted,
        interval=None if quiet is None else _finite(quiet.value),
        interval_low=None if quiet is None else _finite(quiet.low),
        interval_high=None if quiet is None else _finite(quiet.high),
        false_alarms=None if quiet is None else quiet.alarms,
        judged=None if quiet is None else quiet.judged,
        runs=row.runs,
        mean=_kept(row.delay.value),
        mean_error=_kept(row.delay.error),
        median=row.median,
        p90=row.p90,
        missed=_kept(row.missed),
        missed_after=row.missed_after,
        oracle=None if row.oracle is None else _kept(row.oracle.value),
        times_oracle=None if times is None else _kept(times.value),
    )


def _kept(value: float) -> float:
    return float(f"{value:.6g}")


def _finite(value: float) -> float | None:
    return _kept(value) if math.isfinite(value) else None


def _csv(path: Path, rows: Sequence[msgspec.Struct]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(rows[0].__struct_fields__)
        for row in rows:
            writer.writerow(["" if value is None else value for value in msgspec.structs.astuple(row)])
