"""Alerts as sentences, the same in the terminal, the report and the plot."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from stream.core.events import AlertEvent, Contrast, ContrastPart, Contributor, Onset, Reason, Rule, Status, ValueKind
from stream.core.records import Micros
from stream.naming import visible

_SUBJECTS = {
    Rule.TRAFFIC_MIX: "the mix of requests",
    Rule.ENTROPY_RATE: "the entropy",
    Rule.ENTROPY_LEVEL: "the entropy",
    Rule.CATEGORY_SHARE: "the share",
    Rule.LOW_CONFIDENCE: "the classifier's confidence",
    Rule.NO_DATA: "the flow of responses",
    Rule.RIVER: "what a detector of river watches",
}
_ENDS = {
    Reason.WITHIN_LIMIT: "is back within its limit",
    Reason.DATA_RETURNED: "goes on",
    Reason.NO_FURTHER_CHANGE: "has not changed further for a window",
    Reason.SILENT: "shows nothing any more, as no responses come",
}
STANDS_OUT, ABOVE_TRAFFIC = 0.5, 0.2
"""Part of a change from which a value is worth a clause, and by how much it must exceed its share of the responses."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def sentence(alert: AlertEvent) -> str:
    """One sentence that says what happened, since when, and towards what.

    It names shares before (the reference) and since the onset, and how many responses the decision took.
    """
    if alert.reason is Reason.ACCEPTED:
        return (
            f"At {instant(alert.ts)} the present level of {_subject(alert.rule)} was accepted as the new reference; "
            f"the alert of {instant(alert.starts_at)} is resolved."
        )
    if alert.status is Status.RESOLVED:
        return (
            f"Since {instant(alert.ts)} {_subject(alert.rule)} {_ENDS.get(alert.reason, 'is back at the reference')}; "
            f"the alert of {instant(alert.starts_at)} is resolved."
        )
    beyond = level(alert, str)
    if beyond is not None:
        return f"{beyond[0].upper()}{beyond[1:]}, since about {instant(alert.onset.ts)}; decided at response {alert.seq:,}."
    moved = ", ".join(_moved(part) for part in movers(alert))
    took = alert.seq - alert.onset.seq + 1
    where = contrasted(alert)
    return (
        f"{_subject(alert.rule).capitalize()} changed about {instant(alert.onset.ts)} "
        f"(between {between(alert.onset)}){': ' if moved else ''}{moved}; "
        f"decided at response {alert.seq:,}, {took:,} after the onset{'' if where is None else f'; {where}'}."
    )


def level(alert: AlertEvent, named: Callable[[str], str]) -> str | None:
    """What an alert says that is about one number, behaviours as `named` calls them; None for the rules that are about the distribution."""
    side = "below" if alert.reason is Reason.BELOW_LIMIT else "above"
    share = f"{percent(alert.statistic)}, {side} the limit of {percent(alert.threshold)}"
    if alert.rule is Rule.CATEGORY_SHARE:
        return f"the share of {named(alert.contributors[0].category)} is {share}"
    if alert.rule is Rule.LOW_CONFIDENCE:
        return f"the share of responses that the classifier is unsure of is {share}"
    if alert.rule is Rule.ENTROPY_LEVEL:
        return f"entropy is {alert.statistic:.2f} nats, {side} the limit of {alert.threshold:g}"
    if alert.rule is Rule.RIVER:
        return f"river's detector {alert.dedup_key.rpartition(':')[2]} found a change"
    if alert.rule is Rule.NO_DATA:
        return f"no response has come for {span(alert.statistic)}, longer than the {span(alert.threshold)} allowed"
    return None


def span(seconds: float) -> str:
    """A span of time in the one or two units that people use for it.

    Examples:
        >>> span(40), span(600), span(3 * 3600 + 300), span(90_000)
        ('40 s', '10 min', '3 h 5 min', '1 d 1 h')
    """
    whole = max(round(seconds), 0)
    for unit, below, name, small in ((86_400, 3_600, "d", "h"), (3_600, 60, "h", "min")):
        if whole >= unit:
            rest = whole % unit // below
            return f"{whole // unit} {name} {rest} {small}" if rest else f"{whole // unit} {name}"
    return f"{whole // 60} min" if whole >= 60 else f"{whole} s"


def movers(alert: AlertEvent, *, most: int = 2) -> tuple[Contributor, ...]:
    """The behaviours that the alert is about, at most `most`: first what grew, then by their parts of the statistic; none under 5 %."""
    parts = sorted(
        (part for part in alert.contributors if part.contribution >= 0.05), key=lambda part: -part.contribution
    )
    grown = next((part for part in parts if part.share > part.reference_share), None)
    ranked = parts if grown is None else [grown, *(part for part in parts if part is not grown)]
    return tuple(ranked[:most])


def contrasted(alert: AlertEvent) -> str | None:
    """Where the change of an alert sits, in one clause; None where no value stands out of the traffic that it has.

    A value stands out that holds most of the change, and a fifth of it more than its share of the responses since the onset.
    """
    found: list[tuple[float, str]] = []
    for each in alert.contrasts:
        found.append((each.mix, f"is a changed mix of {visible(each.attribute)}"))
        for part in each.parts:
            traffic = part.n / max(each.n, 1)
            if part.share - traffic >= ABOVE_TRAFFIC:
                found.append(
                    (part.share, f"is on {value_name(each, part)}, which has {percent(traffic)} of the responses")
                )
    share, where = max(found, key=lambda one: one[0], default=(0.0, ""))
    return f"{percent(min(share, 1.0))} of the change {where}" if share >= STANDS_OUT else None


def value_name(contrast: Contrast, part: ContrastPart) -> str:
    """What a part of a contrast is of, as a terminal may show it: `prompt_version 14`."""
    attribute = visible(contrast.attribute)
    if part.kind is ValueKind.VALUE:
        return f"{attribute} {visible(part.value or '')}"
    return f"no {attribute}" if part.kind is ValueKind.MISSING else f"rarer values of {attribute}"


def value_part(contrast: Contrast, part: ContrastPart) -> str:
    """What a value has of a change, with the counts behind it: `prompt_version 14: 98 % (96 of 400, before 0 of 0)`."""
    counts = f"{part.count:,} of {part.n:,}, before {part.count_before:,} of {part.n_before:,}"
    return f"{value_name(contrast, part)}: {round(100 * part.share)} % ({counts})"


def instant(at: Micros) -> str:
    """An instant to the second, as people write it: `2026-11-24 08:15:00 UTC`."""
    return f"{_datetime(at):%Y-%m-%d %H:%M:%S} UTC"


def between(onset: Onset) -> str:
    """The interval that an onset lies in, with dates only where they differ from the onset's."""
    day = f"{_datetime(onset.ts):%Y-%m-%d}"
    low, high = (instant(at).removeprefix(day).strip() for at in (onset.low, onset.high))
    return f"{low.removesuffix(' UTC')} and {high.removesuffix(' UTC')}"


def percent(share: float) -> str:
    """A share as a percentage with as many digits as it deserves.

    Examples:
        >>> percent(0.0042), percent(0.315), percent(0.0), percent(1.0)
        ('0.4 %', '32 %', '0 %', '100 %')
    """
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return f"{100 * share:.1f} %" if 0 < share < 0.0995 else f"{100 * share:.0f} %"


def _subject(rule: Rule) -> str:
    return _SUBJECTS.get(rule, "behaviour")


def _moved(part: Contributor) -> str:
    return f"{part.category} {percent(part.reference_share)} → {percent(part.share)}"


def _datetime(at: Micros) -> datetime:
    return EPOCH + timedelta(microseconds=at)
