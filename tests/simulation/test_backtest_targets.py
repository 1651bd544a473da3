"""The standard suite is whole: every comparison and target can be measured, and what is aimed at is what is named."""

import pytest

from stream.backtest.aims import WORDS
from stream.backtest.compare import Row
from stream.backtest.estimates import Estimate
from stream.backtest.feeds import Simulated
from stream.backtest.injections import injected
from stream.backtest.models import BASES, CHANGES
from stream.backtest.pool import pool
from stream.backtest.suite import KNOWN, quick, standard
from stream.backtest.targets import Effort, targets
from stream.core.taxonomy import PAPER

TINY = Effort(seed=1, delay=3, random=2, interval=1, traffic=1, long=1, onset=3, oracle=30)


def row(detector: str, delay: float, *, matched: bool = True) -> Row:
    return Row(
        source="busy",
        change="swap",
        detector=detector,
        knob="k",
        setting=1.0,
        matched=matched,
        wanted=10_000,
        interval=None,
        runs=100,
        delay=Estimate(delay, 1.0),
        median=delay,
        p90=delay,
        missed=0.0,
        missed_after=10_000,
        oracle=Estimate(100.0, 1.0),
    )


def test_every_target_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("KNOB", 500), ("FITTED", BASES), ("OTHERS", ())):
        monkeypatch.setattr(f"stream.backtest.targets.{name}", value)
    rows = [row(KNOWN, 150), row("ADWIN on each share", 420), row("PageHinkley on each share", 90, matched=False)]
    with pool(1) as alone:
        found = targets(rows, TINY, alone)
    names = [target.name for target in found]
    assert len(set(names)) == len(names) == 3 * 7 + 6 + 2 + 8 + 4 + 8 + 7 + 1 + 7 + 2 + 2 + 1
    assert all(target.found.value > 0 for target in found)
    against = found[-1]
    assert "ADWIN on each share" in against.name
    assert against.found.value == pytest.approx(2.8)
    assert against.met


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_declared_in_words_that_make_it(name: str) -> None:
    before, after = map(Simulated, CHANGES[name])
    assert injected(before, WORDS[name], PAPER).after.shares == pytest.approx(after.shares)


def test_the_suites_compare_on_both_models_with_rivers_detectors_and_the_papers_rule() -> None:
    titles = [each.title for each in standard(1)]
    assert titles == ["quiet", "busy", "busy, requests in waves", "busy, 5 % of labels wrong"]
    busy = standard(1)[1]
    shapes = {change.shape.kind for change in busy.changes}
    assert shapes == {"step", "ramp", "pulse"}
    names = {recipe.name.split(" ")[0].rstrip(",") for recipe in busy.recipes}
    assert names == {"calibrated", "ADWIN", "PageHinkley", "ε"}
    assert all(abs(each.feed.shares.sum() - 1) < 1e-9 for each in standard(1))
    assert [each.wanted for each in quick(1)] == [(2_000,)]
