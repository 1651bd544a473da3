"""Texts for the people who are told: one line that says what happened, and the details behind it.

Names of monitors and behaviours come from log lines: here they lose whatever does not print, and are cut to a length. Escaping
is each receiver's own business.
"""

from datetime import UTC, datetime, timedelta

from stream.core.events import AlertEvent, Contributor, Onset, Reason, Rule, Status
from stream.core.records import Micros
from stream.naming import shorten
from stream.wording import contrasted, level, movers, percent, value_part

EXAMPLES = 10
"""Most event ids that are named."""

NOTABLE = 0.1
"""Part of the alarm from which a behaviour is worth naming."""

_BEHAVIOURS = {
    "helpful_aligned": "helpful answers",
    "helpful_misaligned": "help with harmful requests",
    "refusal_appropriate": "refusals of harmful requests",
    "refusal_excessive": "refusals of benign requests",
    "off_topic": "off-topic answers",
}
_TRAFFIC = "the mix of requests changed"
_RETURNED = {
    Reason.ACCEPTED: "is accepted as the new normal",
    Reason.WITHIN_LIMIT: "is back within its limit",
    Reason.DATA_RETURNED: "has come again",
    Reason.NO_FURTHER_CHANGE: "has not changed further for a window",
    Reason.SILENT: "is not seen any more, as no responses come",
    Reason.RETURNED_TO_REFERENCE: "is back at its reference",
    Reason.RATE_WITHIN_EPSILON: "no longer changes faster than ε",
}
_SUBJECTS = {
    Rule.TRAFFIC_MIX: "the mix of requests",
    Rule.ENTROPY_LEVEL: "entropy",
    Rule.CATEGORY_SHARE: "a behaviour's share",
    Rule.LOW_CONFIDENCE: "the classifier's confidence",
    Rule.NO_DATA: "a response",
    Rule.RIVER: "what a detector of river watches",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def headline(alert: AlertEvent) -> str:
    """One line, at most about 700 characters: which monitor, what changed from what to what, since when, how soon it was found.

    Times are UTC and stand in the time of the responses; how many responses the decision took counts the first changed one.
    """
    who = printable(alert.monitor)
    if alert.status is Status.RESOLVED:
        how = _RETURNED.get(alert.reason, f"is over ({_words(alert.reason)})")
        what = _SUBJECTS.get(alert.rule, "behaviour")
        return (
            f"{who}: {what} {how} since {_minute(alert.ts)} UTC; the change of about {_minute(alert.onset.ts)} is over"
        )
    took = alert.seq - alert.onset.seq + 1
    if alert.rule is Rule.NO_DATA:
        return f"{who}: {_change(alert)}; the last one was of {_minute(alert.onset.ts)} UTC"
    found = f"found {took:,} response{'' if took == 1 else 's'} later"
    rate = (
        ""
        if alert.false_alarm_interval is None
        else f"; one false alarm expected per {alert.false_alarm_interval:,} responses"
    )
    where = contrasted(alert)
    at = "" if where is None else f"; {where}"
    return f"{who}: {_change(alert)} since about {_since(alert.onset)}, {found}{at}{rate}"


def details(alert: AlertEvent) -> dict[str, str | float | int]:
    """What a person wants to see next, as names and values; numbers are as in the record."""
    shown: dict[str, str | float | int] = {
        "monitor": printable(alert.monitor),
        "rule": alert.rule.value,
        "reason": alert.reason.value,
        "onset": f"{_second(alert.onset.ts)} (90 %: {_second(alert.onset.low)} to {_second(alert.onset.high)})",
        "decided_at": f"{_second(alert.ts)}, response {alert.seq:,}",
        "entropy_nats": alert.entropy,
        "reference_entropy_nats": alert.reference_entropy,
        "statistic": alert.statistic,
        "threshold": alert.threshold,
        "classifier": printable(alert.classifier),
        "alert_id": alert.alert_id,
    }
    for part in alert.contributors[:EXAMPLES]:
        shown[printable(part.category)] = f"{percent(part.reference_share)} → {percent(part.share)}"
    for each in alert.contrasts:
        shown[f"change by {printable(each.attribute)}"] = ", ".join(value_part(each, part) for part in each.parts)
    if alert.examples:
        shown["examples"] = ", ".join(printable(example) for example in alert.examples[:EXAMPLES])
    return shown


def runbook(alert: AlertEvent, folder: str | None) -> str | None:
    """Link to the page that says what to do, None where no folder of runbooks is set."""
    return None if folder is None else f"{folder.rstrip('/')}/{alert.rule.value}.md"


def printable(name: str) -> str:
    """The name on one line, without control or bidirectional characters, at most 200 characters.

    Examples:
        >>> printable("gpt\\n4\\u202e")
        'gpt�4�'
    """
    return shorten("".join(character if character.isprintable() else "�" for character in name))


def clip(text: str, most: int) -> str:
    """The text, cut to at most `most` characters with an ellipsis at the end.

    Examples:
        >>> clip("behaviour", 5), clip("short", 5)
        ('beha…', 'short')
    """
    return text if len(text) <= most else text[: most - 1] + "…"


def _change(alert: AlertEvent) -> str:
    if alert.reason is Reason.RATE_ABOVE_EPSILON:
        return f"entropy moved by {alert.statistic:.2g} nats in one stride, more than ε = {alert.threshold:g}"
    beyond = level(alert, _called)
    if beyond is not None:
        return beyond
    # What grew by noise alone has next to no part in the alarm, and would only distract.
    parts = [part for part in movers(alert, most=len(alert.contributors)) if part.contribution >= NOTABLE][:2]
    moved = " and ".join(text for part in parts if (text := _moved(part)))
    if alert.reason is Reason.BEHAVIOUR_CHANGED:
        return moved or "behaviour changed"
    if alert.reason is Reason.BEHAVIOUR_CHANGED_SLOWLY:
        return f"behaviour has changed little by little: {moved}" if moved else "behaviour has changed little by little"
    what = _TRAFFIC if alert.reason is Reason.TRAFFIC_CHANGED else f"{_words(alert.rule)}: {_words(alert.reason)}"
    return f"{what}: {moved}" if moved else what


def _moved(part: Contributor) -> str:
    before, after = percent(part.reference_share), percent(part.share)
    if before == after:
        return ""
    verb = "grew" if part.share > part.reference_share else "fell"
    return f"{_called(part.category)} {verb} from {before} to {after}"


def _called(category: str) -> str:
    return _BEHAVIOURS.get(category, printable(_words(category)))


def _since(onset: Onset) -> str:
    """The onset to the minute with its 90 % interval, to the second where that is what tells the three times apart."""
    times = [_datetime(at) for at in (onset.ts, onset.low, onset.high)]
    form = "%H:%M" if f"{times[1]:%H:%M}" != f"{times[2]:%H:%M}" else "%H:%M:%S"
    day = f"{times[0]:%Y-%m-%d}"
    best, low, high = (f"{at:{form}}" if f"{at:%Y-%m-%d}" == day else f"{at:%Y-%m-%d} {at:{form}}" for at in times)
    return f"{day} {best} UTC ({low}–{high})"  # noqa: RUF001 - a span of time is written with an en dash


def _minute(at: Micros) -> str:
    return f"{_datetime(at):%Y-%m-%d %H:%M}"


def _second(at: Micros) -> str:
    return f"{_datetime(at):%Y-%m-%d %H:%M:%S} UTC"


def _datetime(at: Micros) -> datetime:
    return _EPOCH + timedelta(microseconds=at)


def _words(name: str) -> str:
    return name.replace("_", " ")
