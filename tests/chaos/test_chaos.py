"""The short form of `make chaos`: the faults that heal fastest, with the shortest session that Kafka allows."""

import os
from pathlib import Path

from tests.chaos.campaign import Plan, run
from tests.chaos.faults import Blow, Fault
from tests.chaos.worker import SESSION


def test_worker_and_broker_are_killed_while_responses_flow_and_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    blows = (Blow(Fault.BROKER_KILL, after=1.0, seed=1), Blow(Fault.KILL, after=0.5, seed=2))
    outcome = run(
        Plan(seed=0, blows=blows, workers=1, turns=2), folder=tmp_path / "run", environment=os.environ | {SESSION: "6"}
    )
    assert outcome.clean, outcome.findings
    assert outcome.restarts >= 1
    assert outcome.findings.alerts
