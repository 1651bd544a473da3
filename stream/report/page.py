"""`report.html`: what a run found, on one page for a person who was just woken up; it needs no other file and runs no script."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import jinja2
import msgspec

from stream.core.events import AlertEvent
from stream.report import charts
from stream.report.charts import Chart, chart
from stream.report.summary import MonitorSummary, Summary
from stream.report.trajectory import Trajectory, colours
from stream.wording import instant, percent, sentence, value_part

LISTED = 200
"""Monitors listed at most in the table at the top; summary.json has all."""

EXPLAINED = 5
"""Alerts of one monitor explained at most; alerts.jsonl has all."""

NONE = "\N{EN DASH}"

_STATES = {
    "ok": "unchanged",
    "pending": "perhaps changing",
    "firing": "changed",
    "unstable_reference": "reference unstable",
}
_UNJUDGED = (None, "learning")
"""States of a monitor that has not been judged: no drift event yet, or none after the reference was complete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountRow:
    """One behaviour before (reference) and after an onset: counts, shares, and its part of the statistic (None: not named by the alert)."""

    category: str
    before: int
    before_share: float
    after: int
    after_share: float
    direction: str
    contribution: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One monitor that is drawn."""

    summary: MonitorSummary
    story: str
    chart: Chart | None
    alerts: tuple[AlertEvent, ...]
    more_alerts: int


def render(summary: Summary, trajectories: Sequence[Trajectory]) -> str:
    """The page, with one card for each trajectory, in their order; the other monitors are listed only.

    Every text that came from a record is escaped.
    """
    by_name = {monitor.monitor: monitor for monitor in summary.monitors}
    cards = [_card(by_name[trajectory.monitor], trajectory) for trajectory in trajectories]
    listed = by_interest(summary.monitors)
    categories = summary.categories
    learn_from = summary.settings.learn_from
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("stream.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.filters |= {
        "responses": _responses,
        "sentence": sentence,
        "instant": instant,
        "percent": percent,
        "value_part": value_part,
        "number": _number,
        "nats": _nats,
        "count_rows": count_rows,
        "mix_text": _mix_text,
        "state_text": lambda monitor: _STATES.get(monitor.state, f"learning ({monitor.responses:,} of {learn_from:,})"),
        "reference_text": lambda monitor: NONE if monitor.state in _UNJUDGED else _nats(monitor.reference_entropy),
    }
    return environment.get_template("report.html").render(
        summary=summary,
        verdict=_verdict(summary),
        period=_period(summary.monitors),
        dead_letters=sum(summary.dead_letters.values()),
        settings=msgspec.structs.asdict(summary.settings),
        window=summary.settings.window_text,
        categories=categories,
        colours=colours(len(categories)),
        most_entropy=math.log(len(categories)),
        listed=listed[:LISTED],
        unlisted=max(0, len(listed) - LISTED),
        anchors={card.summary.monitor: f"monitor-{index}" for index, card in enumerate(cards, 1)},
        cards=cards,
        undrawn=len(summary.monitors) - len(cards),
        size=_SIZE,
    )


def by_interest(monitors: Sequence[MonitorSummary]) -> list[MonitorSummary]:
    """Monitors with alerts first, those still firing before those that returned, then by number of responses."""
    return sorted(
        monitors,
        key=lambda monitor: (monitor.state != "firing", monitor.alerts_fired == 0, -monitor.responses, monitor.monitor),
    )


def count_rows(alert: AlertEvent, categories: Sequence[str]) -> list[CountRow]:
    """The behaviours before and after the onset of an alert, in category order."""
    contributions: Mapping[str, float] = {part.category: part.contribution for part in alert.contributors}
    total_before, total_after = max(1, sum(alert.reference_counts)), max(1, sum(alert.counts))
    rows = []
    for category, before, after in zip(categories, alert.reference_counts, alert.counts, strict=True):
        before_share, after_share = before / total_before, after / total_after
        moved = after_share - before_share
        rows.append(
            CountRow(
                category=category,
                before=before,
                before_share=before_share,
                after=after,
                after_share=after_share,
                direction="up" if moved > 0.005 else "down" if moved < -0.005 else "same",
                contribution=contributions.get(category),
            )
        )
    return rows


_SIZE = SimpleNamespace(
    width=charts.WIDTH,
    height=charts.HEIGHT,
    left=charts.LEFT,
    right=charts.WIDTH - charts.RIGHT,
    entropy_top=charts.ENTROPY_TOP,
    entropy_bottom=charts.ENTROPY_BOTTOM,
    shares_top=charts.SHARES_TOP,
    shares_bottom=charts.SHARES_BOTTOM,
)


def _card(summary: MonitorSummary, trajectory: Trajectory) -> Card:
    alerts = trajectory.alerts[:EXPLAINED]
    return Card(
        summary=summary,
        story=_story(summary, trajectory),
        chart=chart(trajectory) if len(trajectory.ts) else None,
        alerts=alerts,
        more_alerts=len(trajectory.alerts) - len(alerts),
    )


def _story(summary: MonitorSummary, trajectory: Trajectory) -> str:
    """What happened to a monitor, in one sentence."""
    if trajectory.firing:
        first = trajectory.firing[0]
        times = "" if len(trajectory.firing) == 1 else f" The first of {len(trajectory.firing):,} alarms."
        return sentence(first) + times
    if summary.state in _UNJUDGED:
        return f"Still learning what is normal, from {_responses(summary.responses)} so far; nothing was judged yet."
    return f"No change was found in {_responses(summary.responses)}."


def _verdict(summary: Summary) -> str:
    if not summary.monitors:
        return "No response was read"
    changed = sum(monitor.alerts_fired > 0 for monitor in summary.monitors)
    total = len(summary.monitors)
    if not changed and all(monitor.state in _UNJUDGED for monitor in summary.monitors):
        return "Still learning: nothing was judged yet"
    if not changed:
        return "No change was found"
    if total == 1:
        return "The monitor raised an alarm"
    return f"{changed:,} of {total:,} monitors raised an alarm"


def _period(monitors: Sequence[MonitorSummary]) -> str:
    if not monitors:
        return ""
    first, last = min(monitor.first_ts for monitor in monitors), max(monitor.last_ts for monitor in monitors)
    return f"{first[:19].replace('T', ' ')} to {last[:19].replace('T', ' ')} UTC"


def _responses(count: int) -> str:
    return "1 response" if count == 1 else f"{count:,} responses"


def _mix_text(monitor: MonitorSummary) -> str:
    return ", ".join(f"{name} {percent(count / max(1, monitor.responses))}" for name, count in monitor.counts.items())


def _nats(value: float | None) -> str:
    return NONE if value is None else f"{value:.3f}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
