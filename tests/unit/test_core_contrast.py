"""On which value of an attribute a change sits, against the definition computed from the whole log."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from stream.core.contrast import KEPT, LONGEST, NAMED, PRIOR
from stream.core.control import Accept, Learn
from stream.core.events import AlertEvent, Contrast, Reason, Rule, Status, ValueKind
from stream.core.limits import Limit
from stream.core.monitor import Monitor
from stream.core.records import Scored, Source
from stream.core.settings import EngineSettings
from tests.simulation.logs import BROKEN, BUSY, Categories, collected, draw, scored

VERSION = "prompt_version"
SETTINGS = EngineSettings(window=200, stride=20, learn_from=600, false_alarm_interval=5_000, contrast=(VERSION,))


def with_versions(categories: Categories, versions: Sequence[str | None], *, start: int = 0) -> Scored:
    return replace(scored(categories, start=start), attributes={VERSION: tuple(versions)})


def told(log: Scored, settings: EngineSettings = SETTINGS) -> list[AlertEvent]:
    return collected([Monitor("m", settings).observe(log)])[1]


def broken_on(
    version: str, *, usual: int = 1_500, after: int = 600, seed: int = 5
) -> tuple[Categories, list[str | None]]:
    """A log in which from a place on two versions alternate, and only one of them behaves otherwise."""
    versions: list[str | None] = [*["13"] * usual, *["13", version] * (after // 2)]
    log = draw(BUSY, usual + after, seed)
    log[usual + 1 :: 2] = draw(BROKEN, after // 2, seed + 1)
    return log, versions


def by_definition(alert: AlertEvent, log: Categories, versions: Sequence[str | None]) -> dict[str | None, float]:
    """Share of each value, from the log: its responses since the onset against those before it, as the docstring says."""
    category = [part.category for part in alert.contributors].index(alert.contrasts[0].category)
    names = sorted({version for version in versions if version})
    place = ["helpful_aligned", "helpful_misaligned", "refusal_appropriate", "refusal_excessive", "off_topic"].index(
        alert.contributors[category].category
    )
    q = alert.reference_counts[place] / sum(alert.reference_counts)
    end, onset = alert.seq + 1, alert.seq + 1 - alert.n
    assert alert.counts == tuple(np.bincount(log[onset:end], minlength=5))
    excess = alert.counts[place] - alert.n * q
    shares: dict[str | None, float] = {}
    for name in names:
        mine = np.array([version == name for version in versions])
        x, n = int((log[onset:end][mine[onset:end]] == place).sum()), int(mine[onset:end].sum())
        # Before: all that is kept, which are 16 windows, and here the whole log.
        y, m = int((log[:onset][mine[:onset]] == place).sum()), int(mine[:onset].sum())
        shares[name] = (x - n * (y + PRIOR * q) / (m + PRIOR)) / excess
    return shares


def test_a_change_on_one_new_version_is_told_to_sit_on_it_by_the_definition() -> None:
    log, versions = broken_on("14")
    alert = next(each for each in told(with_versions(log, versions)) if each.rule is Rule.DRIFT)
    assert alert.reason is Reason.BEHAVIOUR_CHANGED
    (contrast,) = alert.contrasts
    expected = by_definition(alert, log, versions)
    assert {part.value: part.share for part in contrast.parts} == pytest.approx(expected, abs=1e-8)
    first = contrast.parts[0]
    assert (first.kind, first.value) == (ValueKind.VALUE, "14")
    assert first.share > 0.8
    assert contrast.n == alert.n == sum(part.n for part in contrast.parts)
    assert sum(part.share for part in contrast.parts) + contrast.mix == pytest.approx(1, abs=1e-8)
    assert contrast.attribute == VERSION
    assert contrast.category in {part.category for part in alert.contributors[:2]}


def test_more_traffic_of_a_version_that_always_refused_more_is_the_mix_and_no_change_of_a_version() -> None:
    # The strict version refuses every request; it has a tenth of the traffic, and then eight tenths.
    versions = [*(["mild"] * 9 + ["strict"]) * 240, *(["mild"] + ["strict"] * 4) * 80]
    log = np.array([3 if version == "strict" else 0 for version in versions], np.uint8)
    alert = next(each for each in told(with_versions(log, versions)) if each.rule is Rule.DRIFT)
    (contrast,) = alert.contrasts
    assert contrast.category == "refusal_excessive"
    assert contrast.mix > 0.8
    assert all(abs(part.share) < 0.2 for part in contrast.parts)


def test_responses_without_the_attribute_are_a_value_of_their_own() -> None:
    log, versions = broken_on("14")
    alert = told(with_versions(log, [None if version == "14" else version for version in versions]))[0]
    assert (alert.contrasts[0].parts[0].kind, alert.contrasts[0].parts[0].value) == (ValueKind.MISSING, None)
    bare = told(scored(log))[0]
    assert [part.kind for part in bare.contrasts[0].parts] == [ValueKind.MISSING]


def test_values_beyond_those_kept_are_counted_together_and_a_new_one_takes_the_place_of_an_idle_one() -> None:
    usual, after = 2_000, 400
    log, old = broken_on("new", usual=usual, after=after)
    # Ten values in turn at first, two more than are kept; then, for longer than a window, only the first four.
    versions: list[str | None] = [f"v{place % (KEPT + 2)}" for place in range(usual - 300)]
    versions += [f"v{place % 4}" for place in range(300)]
    versions += [version if version == "new" else "v0" for version in old[usual:]]
    monitor = Monitor("m", SETTINGS)
    alert = collected([monitor.observe(with_versions(log, versions))])[1][0]
    assert alert.contrasts[0].parts[0].value == "new"
    crowded = [f"v{place % (KEPT + 2)}" for place in range(usual)] + list(versions[usual:])
    alert = told(with_versions(log, crowded))[0]
    assert alert.contrasts[0].parts[0].kind is ValueKind.OTHER


def test_hostile_values_cost_no_more_memory_than_others() -> None:
    log, _ = broken_on("14")
    hostile = [f"{place:06d}" + "\u202e💥" * 500 for place in range(len(log))]
    plain, attacked = Monitor("m", SETTINGS), Monitor("m", SETTINGS)
    plain.observe(with_versions(log, ["14"] * len(log)))
    (alert, *_) = collected([attacked.observe(with_versions(log, hostile))])[1]
    assert len(attacked.snapshot()) <= len(plain.snapshot()) + KEPT * LONGEST * 4
    assert len(alert.contrasts[0].parts) <= NAMED
    assert all(len(part.value or "") <= LONGEST for part in alert.contrasts[0].parts)


def test_without_an_attribute_to_contrast_nothing_is_kept_and_nothing_said() -> None:
    log, versions = broken_on("14")
    bare = replace(SETTINGS, contrast=())
    assert told(with_versions(log, versions), bare)[0].contrasts == ()
    one, other = Monitor("m", bare), Monitor("m", bare)
    one.observe(with_versions(log, versions))
    other.observe(scored(log))
    assert one.snapshot() == other.snapshot()


def test_a_resolved_alert_has_no_contrast_and_the_next_one_is_not_compared_with_the_time_of_the_alert() -> None:
    first, versions = broken_on("14")
    calm = draw(BUSY, 1_500, 8)
    again, later = broken_on("14", usual=100, seed=11)
    log = np.concatenate([first, calm, again])
    alerts = told(with_versions(log, [*versions, *["13"] * 1_500, *later]))
    closed = [alert for alert in alerts if alert.rule is Rule.DRIFT and alert.status is Status.RESOLVED]
    last = next(each for each in alerts if each.seq >= len(first) + len(calm) and each.status is Status.FIRING)
    assert closed[0].contrasts == ()
    (contrast,) = last.contrasts
    assert contrast.parts[0].value == "14"
    assert sum(part.n + part.n_before for part in contrast.parts) <= last.seq - closed[0].seq
    assert contrast.parts[0].share > 0.5


def test_after_a_level_is_accepted_nothing_before_it_is_compared_with() -> None:
    log, versions = broken_on("14", after=1_000)
    monitor = Monitor("m", SETTINGS)
    monitor.observe(with_versions(log, versions))
    monitor.observe(Accept(control_id="c", monitor="m", ts=0, learn=Learn.WINDOW, source=Source("log", 1), offset=0))
    alert = collected([monitor.observe(with_versions(np.full(300, 4), ["15"] * 300, start=len(log)))])[1][0]
    assert sum(part.n + part.n_before for part in alert.contrasts[0].parts) <= alert.seq + 1 - len(log)
    assert alert.contrasts[0].parts[0].value == "15"


def test_a_limit_on_a_share_says_where_its_behaviour_sits_and_rules_about_none_say_nothing() -> None:
    log = np.zeros(1_400, np.uint8)
    log[1_000::2] = 1
    limit = Limit(rule=Rule.CATEGORY_SHARE, category=1, above=0.05)
    unsure = Limit(rule=Rule.LOW_CONFIDENCE, above=0.2)
    settings = replace(SETTINGS, limits=(limit, unsure), confident_from=0.5)
    record = replace(
        with_versions(log, ["b" if category else "a" for category in log]),
        confidence=np.full(len(log), 0.1, np.float32),
    )
    alerts = {alert.rule: alert for alert in reversed(told(record, settings)) if alert.status is Status.FIRING}
    (contrast,) = alerts[Rule.CATEGORY_SHARE].contrasts
    assert (contrast.category, contrast.parts[0].value) == ("helpful_misaligned", "b")
    assert contrast.parts[0].count == contrast.parts[0].n
    assert alerts[Rule.LOW_CONFIDENCE].contrasts == ()


def test_too_many_attributes_and_one_named_twice_are_refused() -> None:
    for wrong in (("a", "a"), ("",), tuple("abcde")):
        with pytest.raises(ValueError, match="contrast must name at most 4 attributes, each once"):
            EngineSettings(contrast=wrong)


def _values(contrast: Contrast) -> list[str | None]:
    return [part.value for part in contrast.parts]


def test_several_attributes_are_contrasted_each_on_its_own() -> None:
    log, versions = broken_on("14")
    languages = ("en", "de", "fr")
    record = replace(
        scored(log),
        attributes={VERSION: tuple(versions), "language": tuple(languages[place % 3] for place in range(len(log)))},
    )
    alert = told(record, replace(SETTINGS, contrast=(VERSION, "language")))[0]
    version, language = alert.contrasts
    assert (version.attribute, language.attribute) == (VERSION, "language")
    assert _values(version)[0] == "14"
    assert sorted(map(str, _values(language))) == ["de", "en", "fr"]
    assert sum(part.share for part in language.parts) + language.mix == pytest.approx(1, abs=1e-8)
