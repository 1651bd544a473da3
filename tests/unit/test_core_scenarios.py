"""Declared changes: words are read, they become alternatives against any reference, and take half of the weight."""

import numpy as np
import pytest

from stream.backtest.feeds import Simulated
from stream.backtest.injections import injected
from stream.backtest.models import BASES
from stream.core.detectors import Design, design
from stream.core.events import Reason, Rule
from stream.core.kernel import LEARNT, Plan, derive
from stream.core.monitor import Monitor
from stream.core.scenarios import moves
from stream.core.settings import MOST_SCENARIOS, EngineSettings, Watch
from stream.core.state import new_state
from stream.core.taxonomy import PAPER, Behaviour, RequestKind, Taxonomy
from tests.simulation.logs import BUSY, draw, scored

SWAP = "swap=helpful_misaligned/refusal_appropriate"


def judged_against_busy(scenarios: tuple[str, ...], watch: Watch = "all") -> tuple[Design, Plan]:
    """What is looked for when the busy model is known."""
    plan_of = design(EngineSettings(scenarios=scenarios, watch=watch))
    state = new_state(plan_of)
    state.counts.scalars[LEARNT] = -1
    state.belief.counts[:] = np.round(BUSY * 10**13)
    derive(state.counts, state.belief, state.plan)
    return plan_of, state.plan


@pytest.mark.parametrize(
    "text",
    [
        "helpful_misaligned=5%",
        "refusal_excessive=x3",
        "helpful_aligned=80%",
        "off_topic=x0.5",
        "traffic=x2",
        SWAP,
        "swap=helpful_aligned/helpful_misaligned",
        "off_topic=5% + traffic=14% + helpful_misaligned=x2",
    ],
)
def test_a_declared_change_has_the_likelihood_ratio_of_the_shares_that_its_words_make(text: str) -> None:
    plan_of, plan = judged_against_busy(("refusal_excessive=2%", text))
    place = plan_of.part(0).stop - 1
    expected = injected(Simulated(BASES[1]), text, PAPER).after.shares / BUSY
    assert plan.ratio[:, place] == pytest.approx(expected, rel=1e-5)


def test_the_behaviour_rule_sees_of_a_declared_change_what_the_model_does() -> None:
    plan_of, plan = judged_against_busy(("traffic=x2 + helpful_misaligned=8%",), "behaviour")
    place = plan_of.part(0).stop - 1
    # 8 of the 16 % harmful requests were helped with: half of them, where it was a quarter.
    assert plan.ratio[:, place] == pytest.approx([1, 2, 2 / 3, 1, 1], rel=1e-5)


def test_declared_changes_have_half_of_the_weight_in_equal_parts_and_what_is_there_already_has_none() -> None:
    plan_of, plan = judged_against_busy(("helpful_misaligned=2%", "off_topic=x2", SWAP))
    prior = plan.prior[plan_of.part(0)]
    assert prior[-3:] == pytest.approx([0, 1 / 6, 1 / 6])
    assert prior.sum() == pytest.approx(1)
    _, plain = judged_against_busy(())
    assert prior[:-3] == pytest.approx(plain.prior[: len(prior) - 3] * 2 / 3)


def test_what_the_reference_cannot_reach_is_taken_as_far_as_it_goes() -> None:
    plan_of, plan = judged_against_busy(("helpful_misaligned=40%",))
    shares = plan.ratio[:, plan_of.part(0).stop - 1] * BUSY
    assert shares.sum() == pytest.approx(1)
    assert shares[1] == pytest.approx(0.08 - 0.02 * 0.06, rel=1e-5)


def test_a_declared_change_of_traffic_alone_is_told_as_one() -> None:
    settings = EngineSettings(watch="all", traffic_mix=False, scenarios=("traffic=x4",))
    log = np.concatenate(
        [draw(BUSY, 3_000, 1), draw(injected(Simulated(BASES[1]), "traffic=x4", PAPER).after.shares, 300, 2)]
    )
    alerts = Monitor("m", settings).observe(scored(log)).alerts
    assert [(alert.rule, alert.reason) for alert in alerts] == [(Rule.DRIFT, Reason.TRAFFIC_CHANGED)]


@pytest.mark.parametrize(
    ("scenarios", "words"),
    [
        (("helpful_misaligned",), "is no change; write CATEGORY=3%"),
        (("harmful=3%",), "category must be one of"),
        (("off_topic=300%",), "more than all responses"),
        (("off_topic=x2%",), "is no amount"),
        (("swap=off_topic/off_topic",), "is no change"),
        (("off_topic=2% + ",), "is no change"),
        (("off_topic=2%", "off_topic=2%"), "must differ"),
        (tuple(f"off_topic={share}%" for share in range(MOST_SCENARIOS + 1)), "must be at most 8, got 9"),
        (("traffic=x2",), "'traffic=x2' moves the mix of requests only"),
    ],
)
def test_a_scenario_that_cannot_be_is_refused_where_it_is_set(scenarios: tuple[str, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        EngineSettings(scenarios=scenarios)


def test_a_behaviour_that_is_the_only_one_of_its_kind_changes_with_the_traffic_only() -> None:
    taxonomy = Taxonomy((Behaviour("help", RequestKind.BENIGN), Behaviour("refusal", RequestKind.HARMFUL)))
    with pytest.raises(ValueError, match="no other behaviour implies a harmful request"):
        moves("refusal=3%", taxonomy)
