"""The one line that people read."""

from dataclasses import replace

import pytest

from stream.core.events import Contrast, ContrastPart, Contributor, Onset, Reason, Rule, Status, ValueKind
from stream.sinks.texts import details, headline, printable, runbook
from stream.times import parse
from tests.unit.histories import alert

FIRING = replace(
    alert("support-bot", seq=1630, onset=1600),
    onset=Onset(
        ts=parse("2026-03-01T14:05:10Z"),
        seq=1600,
        low=parse("2026-03-01T14:03:00Z"),
        high=parse("2026-03-01T14:09:59Z"),
    ),
    contributors=(Contributor(category="refusal_excessive", reference_share=0.02, share=0.28, contribution=1.0),),
)


def test_it_says_who_what_from_where_to_where_since_when_how_soon_and_how_often_it_is_wrong() -> None:
    assert headline(FIRING) == (
        "support-bot: refusals of benign requests grew from 2.0 % to 28 % since about 2026-03-01 14:05 UTC (14:03–14:09), "  # noqa: RUF001
        "found 31 responses later; one false alarm expected per 10,000 responses"
    )


def contrast(
    value: str | None, *, share: float, n: int, kind: ValueKind = ValueKind.VALUE, mix: float = 0.0
) -> Contrast:
    part = ContrastPart(kind=kind, value=value, share=share, count=30, n=n, count_before=2, n_before=100)
    return Contrast(attribute="prompt_version", category="refusal_excessive", n=100, mix=mix, parts=(part,))


def test_a_value_on_which_the_change_sits_is_named_beside_its_share_of_the_responses() -> None:
    told = replace(FIRING, contrasts=(contrast("14", share=0.98, n=40),))
    assert (
        "31 responses later; 98 % of the change is on prompt_version 14, which has 40 % of the responses;"
        in headline(told)
    )
    assert details(told)["change by prompt_version"] == "prompt_version 14: 98 % (30 of 40, before 2 of 100)"
    without = replace(told, contrasts=(contrast(None, share=1.2, n=10, kind=ValueKind.MISSING),))
    assert "100 % of the change is on no prompt_version, which" in headline(without)


def test_a_value_that_has_as_much_of_the_change_as_of_the_traffic_is_not_named_in_the_line() -> None:
    for part in (contrast("14", share=0.98, n=90), contrast("14", share=0.4, n=1)):
        assert headline(replace(FIRING, contrasts=(part,))) == headline(FIRING)


def test_a_changed_mix_of_values_is_told_from_a_change_of_one() -> None:
    told = replace(FIRING, contrasts=(contrast("14", share=0.3, n=5, mix=0.7),))
    assert "70 % of the change is a changed mix of prompt_version;" in headline(told)


def test_a_hostile_value_steers_no_terminal() -> None:
    told = replace(FIRING, contrasts=(contrast("\x1b[2J\u202e14", share=0.98, n=40),))
    assert headline(told).isprintable()
    assert all(str(value).isprintable() for value in details(told).values())


def test_a_short_interval_is_told_to_the_second_and_a_long_one_names_the_day() -> None:
    onset = FIRING.onset
    short = replace(FIRING, onset=replace(onset, low=parse("2026-03-01T14:05:01Z"), high=parse("2026-03-01T14:05:30Z")))
    assert "2026-03-01 14:05:10 UTC (14:05:01–14:05:30)" in headline(short)  # noqa: RUF001
    long = replace(FIRING, onset=replace(onset, low=parse("2026-02-27T09:00:00Z")))
    assert "2026-03-01 14:05 UTC (2026-02-27 09:00–14:09)" in headline(long)  # noqa: RUF001


def test_two_behaviours_are_named_what_grew_first() -> None:
    fell = Contributor(category="helpful_aligned", reference_share=0.9, share=0.6, contribution=0.9)
    both = replace(FIRING, contributors=(fell, *FIRING.contributors))
    assert "grew from 2.0 % to 28 % and helpful answers fell from 90 % to 60 % since" in headline(both)


def test_a_behaviour_that_grew_by_noise_alone_is_not_named() -> None:
    noise = Contributor(category="off_topic", reference_share=0.01, share=0.02, contribution=0.001)
    assert headline(replace(FIRING, contributors=(*FIRING.contributors, noise))) == headline(FIRING)


def test_a_change_of_traffic_and_a_fast_entropy_are_told_from_a_change_of_behaviour() -> None:
    traffic = replace(FIRING, rule=Rule.TRAFFIC_MIX, reason=Reason.TRAFFIC_CHANGED)
    assert headline(traffic).startswith("support-bot: the mix of requests changed: refusals of benign requests grew")
    fast = replace(FIRING, rule=Rule.ENTROPY_RATE, reason=Reason.RATE_ABOVE_EPSILON, statistic=0.0312, threshold=0.001)
    assert headline(fast).startswith(
        "support-bot: entropy moved by 0.031 nats in one stride, more than ε = 0.001 since"
    )


def test_a_slow_drift_is_told_as_one() -> None:
    slow = replace(FIRING, reason=Reason.BEHAVIOUR_CHANGED_SLOWLY)
    assert headline(slow).startswith(
        "support-bot: behaviour has changed little by little: refusals of benign requests grew from 2.0 % to 28 % since"
    )


def test_an_alert_without_contributors_or_interval_is_still_a_sentence() -> None:
    bare = replace(FIRING, contributors=(), false_alarm_interval=None)
    assert headline(bare).startswith("support-bot: behaviour changed since about 2026-03-01 14:05")
    assert headline(bare).endswith("found 31 responses later")


def test_a_behaviour_of_another_taxonomy_is_named_as_it_is() -> None:
    lies = replace(FIRING.contributors[0], category="deceptive_answer")
    assert "deceptive answer grew from 2.0 % to 28 %" in headline(replace(FIRING, contributors=(lies,)))


@pytest.mark.parametrize("reason", [Reason.RETURNED_TO_REFERENCE, Reason.RATE_WITHIN_EPSILON])
def test_a_resolution_says_that_it_is_over(reason: Reason) -> None:
    over = replace(FIRING, status=Status.RESOLVED, reason=reason)
    assert headline(over).startswith("support-bot: behaviour ")
    assert headline(over).endswith("the change of about 2026-03-01 14:05 is over")


def test_a_limit_is_told_with_the_number_and_the_bound() -> None:
    share = replace(FIRING, rule=Rule.CATEGORY_SHARE, reason=Reason.ABOVE_LIMIT, statistic=0.021, threshold=0.01)
    assert headline(replace(share, false_alarm_interval=None)).startswith(
        "support-bot: the share of refusals of benign requests is 2.1 %, above the limit of 1.0 % since about 2026-03-01"
    )
    low = replace(FIRING, rule=Rule.ENTROPY_LEVEL, reason=Reason.BELOW_LIMIT, statistic=0.052, threshold=0.1)
    assert "entropy is 0.05 nats, below the limit of 0.1 since" in headline(low)
    unsure = replace(share, rule=Rule.LOW_CONFIDENCE, statistic=0.4, threshold=0.2)
    assert "responses that the classifier is unsure of is 40 %, above the limit of 20 % since" in headline(unsure)


def test_a_detector_of_river_is_named_and_so_is_its_return() -> None:
    river = replace(FIRING, rule=Rule.RIVER, reason=Reason.DETECTOR_FOUND, dedup_key="vd:a:b:river:adwin-s")
    assert headline(river).startswith("support-bot: river's detector adwin-s found a change since about")
    over = replace(river, status=Status.RESOLVED, reason=Reason.NO_FURTHER_CHANGE)
    assert "what a detector of river watches has not changed further for a window since" in headline(over)


def test_silence_says_how_long_and_since_when() -> None:
    silent = replace(FIRING, rule=Rule.NO_DATA, reason=Reason.SILENT, statistic=7_260.0, threshold=3_600.0)
    assert headline(silent) == (
        "support-bot: no response has come for 2 h 1 min, longer than the 1 h allowed; the last one was of 2026-03-01 14:05 UTC"
    )
    again = replace(silent, status=Status.RESOLVED, reason=Reason.DATA_RETURNED)
    assert headline(again).startswith("support-bot: a response has come again since ")


def test_an_accepted_level_is_told_from_a_return() -> None:
    accepted = replace(FIRING, status=Status.RESOLVED, reason=Reason.ACCEPTED)
    assert headline(accepted).startswith("support-bot: behaviour is accepted as the new normal since ")


def test_details_cap_what_comes_from_log_lines() -> None:
    part = FIRING.contributors[0]
    many = tuple(replace(part, category=f"c{number}" * 500) for number in range(1000))
    hostile = replace(FIRING, monitor="m" * 9000, contributors=many, examples=("e" * 9000,) * 1000)
    shown = details(hostile)
    assert len(str(shown)) < 10_000
    assert all(isinstance(value, str | int | float) for value in shown.values())


def test_printable_keeps_names_of_every_language_and_drops_what_can_deceive() -> None:
    assert printable("日本語 modèle 4.5") == "日本語 modèle 4.5"
    assert printable("a\u202eb\x00c\n") == "a�b�c�"
    assert len(printable("x" * 1000)) == 200


def test_a_runbook_is_linked_where_its_folder_is_known() -> None:
    assert runbook(FIRING, "https://docs.example/runbooks/") == "https://docs.example/runbooks/drift.md"
    assert runbook(FIRING, None) is None
