"""The parts of notify that touch nothing: what is open, what is owed, who wants it, how long it is tried."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.core.events import AlertEvent, Severity, Status
from stream.notify.incidents import Incidents, Told, identity, incident
from stream.notify.retry import persist
from stream.notify.routes import wants
from stream.sinks.outcome import Delivered, Later, Outcome, Refused
from stream.sinks.settings import Stdout
from tests.unit.histories import alert

FIRING = alert("a")
RESOLVED = alert("a", seq=900, status=Status.RESOLVED)


def after(*alerts: AlertEvent) -> Incidents:
    incidents = Incidents()
    for each in alerts:
        incidents.take(each)
    return incidents


def knowing(*alerts: AlertEvent) -> Told:
    told = Told()
    for each in alerts:
        told.add(identity(each), of=incident(each), status=each.status)
    return told


def test_an_incident_is_open_from_firing_to_resolved() -> None:
    assert list(after(FIRING).open()) == [FIRING]
    assert list(after(FIRING, RESOLVED).open()) == []
    again = alert("a", seq=1500)
    assert list(after(FIRING, RESOLVED, again).open()) == [again]


def test_a_resolution_carries_the_severity_under_which_it_opened() -> None:
    incidents = after(replace(FIRING, severity=Severity.CRITICAL))
    assert incidents.take(replace(RESOLVED, severity=Severity.INFO)).severity is Severity.CRITICAL
    assert Incidents().take(RESOLVED) == RESOLVED


@pytest.mark.parametrize(
    ("past", "told", "owed"),
    [
        ((FIRING,), (), [FIRING]),
        ((FIRING,), (FIRING,), []),
        ((FIRING, alert("a", seq=800), RESOLVED), (FIRING,), [RESOLVED]),
        ((FIRING, RESOLVED), (), []),
        ((FIRING, RESOLVED), (FIRING,), [RESOLVED]),
        ((FIRING, RESOLVED), (FIRING, RESOLVED), []),
        ((RESOLVED,), (), []),
    ],
)
def test_owed_is_what_is_open_and_unknown_and_the_end_of_what_is_known(
    past: tuple[AlertEvent, ...], told: tuple[AlertEvent, ...], owed: list[AlertEvent]
) -> None:
    assert after(*past).owed(knowing(*told)) == owed


def test_a_replay_opens_and_closes_incidents_of_its_own() -> None:
    incidents = after(FIRING, replace(FIRING, replay=True), replace(RESOLVED, replay=True))
    assert list(incidents.open()) == [FIRING]
    assert identity(FIRING) != identity(replace(FIRING, replay=True))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=30), st.integers(0, 30))
def test_whoever_is_told_what_is_owed_at_any_moment_knows_exactly_what_is_open_at_the_end(
    story: list[tuple[str, bool]], join: int
) -> None:
    alerts = [
        alert(name, seq=1000 + number, status=Status.FIRING if firing else Status.RESOLVED)
        for number, (name, firing) in enumerate(story)
    ]
    heard: list[AlertEvent] = []
    for stop in (join, len(alerts)):
        heard += after(*alerts[:stop]).owed(knowing(*heard))
    believed = {each.monitor: each for each in heard}
    open_in_belief = {name for name, each in believed.items() if each.status is Status.FIRING}
    latest = {each.monitor: each for each in alerts}
    assert open_in_belief == {name for name, each in latest.items() if each.status is Status.FIRING}


@pytest.mark.parametrize(
    ("receiver", "wanted"),
    [
        ({}, True),
        ({"monitors": ("a", "b")}, True),
        ({"monitors": ("b*",)}, False),
        ({"monitors": ("A",)}, False),
        ({"rules": ("d*",)}, True),
        ({"rules": ("traffic_*",)}, False),
        ({"severities": ("warning",)}, True),
        ({"severities": ("critical",)}, False),
        ({"monitors": ("a",), "rules": ("entropy_rate",)}, False),
    ],
)
def test_an_alert_is_for_a_receiver_if_monitor_rule_and_severity_all_match(
    receiver: dict[str, tuple[str, ...]], *, wanted: bool
) -> None:
    assert wants(Stdout.model_validate({"name": "x", "type": "stdout", **receiver}), FIRING) is wanted


class Attempts:
    """Outcomes in turn, the last for ever; waits are noted instead of waited for, and a clock moves with them."""

    def __init__(self, *outcomes: Outcome) -> None:
        self._outcomes = list(outcomes)
        self.waits: list[float] = []
        self.reports: list[tuple[str, int]] = []

    def __call__(self) -> Outcome:
        return self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]

    def report(self, why: str, attempts: int, _: float) -> None:
        self.reports.append((why, attempts))


def test_it_is_tried_until_it_works_and_every_failure_is_reported() -> None:
    attempts = Attempts(Later("500"), Later("reset"), Delivered())
    tried = persist(attempts, give_up_after=60, sleep=attempts.waits.append, report=attempts.report)
    assert (tried.outcome, tried.attempts) == (Delivered(), 3)
    assert attempts.reports == [("500", 1), ("reset", 2)]


def test_a_refusal_is_final() -> None:
    attempts = Attempts(Refused("400"))
    tried = persist(attempts, give_up_after=60, sleep=attempts.waits.append, report=attempts.report)
    assert (tried.outcome, tried.attempts, attempts.waits) == (Refused("400"), 1, [])


def test_it_waits_at_least_as_long_as_the_receiver_asks() -> None:
    attempts = Attempts(Later("429", wait=90), Delivered())
    persist(attempts, give_up_after=600, sleep=attempts.waits.append, report=attempts.report)
    assert attempts.waits == [90]


def test_waits_grow_are_random_and_stay_below_a_minute() -> None:
    attempts = Attempts(*[Later("503")] * 200, Delivered())
    persist(attempts, give_up_after=60, sleep=attempts.waits.append, report=attempts.report)
    assert max(attempts.waits[:2]) <= 2
    assert 30 < max(attempts.waits[10:]) <= 60
    assert min(attempts.waits) >= 0.2
    assert len(set(attempts.waits)) > 150


def test_it_gives_up_when_time_is_up_and_says_what_the_last_answer_was() -> None:
    attempts = Attempts(Later("down"))
    tried = persist(attempts, give_up_after=1e-9, sleep=attempts.waits.append, report=attempts.report)
    assert tried.outcome == Later("down")
    assert tried.attempts == 1
