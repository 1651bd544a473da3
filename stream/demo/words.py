"""The first and the last words of the demo."""

from rich.table import Table
from rich.text import Text

from stream.core.events import AlertEvent, Status
from stream.demo.play import Demo, Outcome
from stream.demo.screen import Screen
from stream.demo.story import AFTER, BEFORE, CHANGED, CONTROL, EVERY, UNCHANGED
from stream.output import PLOT, REPORT
from stream.report.page import count_rows
from stream.report.trajectory import colours
from stream.wording import between, instant, movers, percent, sentence


def introduce(screen: Screen, demo: Demo) -> None:
    """Says what will happen, and what is real about it."""
    screen.say(Text("ValueDrift demo", "bold"))
    screen.say(
        f"{demo.events:,} responses of two chat services go through a real Kafka. Half-way the model behind {CHANGED} is swapped "
        f"({BEFORE} → {AFTER}) without telling anyone; {CONTROL} keeps its model ({UNCHANGED})."
    )
    screen.say(
        "The responses are real (XSTest, CC BY 4.0) but drawn with repetition; the classifier that ships with ValueDrift labels "
        f"them; their times are synthetic, {EVERY // 1_000_000} s apart."
    )
    screen.say()


def conclude(screen: Screen, demo: Demo, outcome: Outcome, *, seconds: float) -> None:
    """Says what was found, beside the truth, and where the files lie."""
    story, found = outcome.story, outcome.found
    screen.say()
    if found is None:
        screen.say(Text(f"The change of {CHANGED} was not found.", "bold red"))
        for alert in _others(outcome):
            screen.say(f"There was another alert: {alert.monitor}: {sentence(alert)}")
        screen.say(
            f"The model was swapped at response {story.swap_seq:,} ({instant(story.swap_ts)}) of {story.responses[CHANGED]:,}. "
            f"Try more responses (--events {2 * demo.events}), or look at {demo.out / REPORT}."
        )
        return
    screen.say(Text(f"ALERT: the behaviour of {CHANGED} has changed", "bold red"))
    screen.say(_facts(found, outcome))
    screen.say()
    screen.say(_counts(found, demo))
    screen.say()
    others = _others(outcome)
    for alert in others:
        screen.say(f"Another alert: {alert.monitor}: {sentence(alert)}")
    if all(alert.monitor != CONTROL for alert in others):
        screen.say(f"{CONTROL}, whose model stayed the same: no alert in {story.responses[CONTROL]:,} responses.")
    screen.say(f"Report: {demo.out / REPORT}")
    screen.say(f"Plot:   {demo.out / PLOT}")
    screen.say(f"Done in {seconds:.0f} s; everything that was started is stopped.")


def _facts(found: AlertEvent, outcome: Outcome) -> Table:
    story = outcome.story
    moved = movers(found, most=1)
    late = found.seq - story.swap_seq + 1
    missed = found.onset.seq - story.swap_seq
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 2))
    table.add_row("since", f"{instant(found.onset.ts)} (90 %: between {between(found.onset)})")
    if moved:
        part = moved[0]
        table.add_row("towards", f"{part.category}: {percent(part.reference_share)} → {percent(part.share)}")
    table.add_row("truth", f"swapped at {instant(story.swap_ts)}, before response {story.swap_seq:,}")
    error = "exactly there" if missed == 0 else f"{abs(missed):,} responses {'late' if missed > 0 else 'early'}"
    table.add_row("found", f"{late:,} responses after the swap, its onset dated {error}")
    return table


def _counts(found: AlertEvent, demo: Demo) -> Table:
    names = demo.taxonomy.names
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 2))
    table.add_column("behaviour")
    table.add_column(f"before (reference, {sum(found.reference_counts):,} responses)", justify="right")
    table.add_column(f"since the onset ({sum(found.counts):,} responses)", justify="right")
    for row, colour in zip(count_rows(found, names), colours(len(names)), strict=True):
        table.add_row(
            Text.assemble(("■ ", colour), row.category),
            f"{row.before:,}  {percent(row.before_share):>6}",
            Text(f"{row.after:,}  {percent(row.after_share):>6}", "bold" if row.direction == "up" else ""),
        )
    return table


def _others(outcome: Outcome) -> list[AlertEvent]:
    return [alert for alert in outcome.alerts if alert != outcome.found and alert.status is Status.FIRING]
