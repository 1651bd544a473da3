"""The journal: what is written stays, what a kill tore is cut, and a finished round is not gone on with."""

from pathlib import Path

import pytest

from stream.core.records import ResponseEvent
from stream.errors import OutputError
from stream.sampling.journal import Journal
from stream.sampling.plan import Plan
from stream.sampling.prompt_set import PromptSet, load
from stream.sampling.protocol import Unanswered

PLAN = Plan(endpoint="http://h/v1", model="m", prompts=PromptSet(load().prompts[:2], "digest"), responses=3)
OTHER = Plan(endpoint="http://h/v1", model="o", prompts=PLAN.prompts, responses=3)


def event(round_name: str, prompt: str, index: int, *, plan: Plan = PLAN) -> ResponseEvent:
    attributes = {
        "probe_round": round_name,
        "probe_plan": plan.fingerprint,
        "probe_prompt": prompt,
        "probe_index": str(index),
    }
    return ResponseEvent(
        event_id=f"{round_name}/{prompt}/{index}",
        ts=1_772_366_400_000_000,
        model=plan.model,
        prompt="q",
        response=f"a{index}",
        attributes=attributes,
    )


def test_what_was_kept_is_known_to_the_next_run(tmp_path: Path) -> None:
    file = tmp_path / "o.jsonl"
    with Journal(file, PLAN) as journal:
        journal.begin("r1")
        journal.add("a", [event("r1", "a", 0), event("r1", "a", 2)], [(1, Unanswered.CONTENT_FILTER)])
        journal.add("b", [event("r1", "b", 1)], [])
    with Journal(file, PLAN) as journal:
        assert journal.round_name == "r1"
        assert journal.done == {"a": frozenset({0, 1, 2}), "b": frozenset({1})}
        assert journal.texts == {"a": [("q", "a0"), ("q", "a2")], "b": [("q", "a1")]}


def test_a_complete_round_is_not_gone_on_with(tmp_path: Path) -> None:
    file = tmp_path / "o.jsonl"
    with Journal(file, PLAN) as journal:
        journal.begin("r1")
        journal.add("a", [event("r1", "a", 0)], [])
        journal.complete()
    with Journal(file, PLAN) as journal:
        assert journal.round_name is None
        assert journal.done == {}


def test_the_round_of_another_plan_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "o.jsonl"
    with Journal(file, OTHER) as journal:
        journal.begin("r1")
        journal.add("a", [event("r1", "a", 0, plan=OTHER)], [])
    with Journal(file, PLAN) as journal:
        assert journal.round_name is None
        journal.begin("r2")
        journal.add("a", [event("r2", "a", 0)], [])
    with Journal(file, OTHER) as journal:
        assert journal.round_name == "r1"


@pytest.mark.parametrize("kept", range(1, 40, 3))
def test_a_torn_line_is_cut_wherever_the_kill_fell(tmp_path: Path, kept: int) -> None:
    file = tmp_path / "o.jsonl"
    with Journal(file, PLAN) as journal:
        journal.begin("r1")
        journal.add("a", [event("r1", "a", 0), event("r1", "a", 1)], [])
    whole = file.read_bytes()
    first = whole.index(b"\n") + 1
    file.write_bytes(whole[: first + kept])
    with Journal(file, PLAN) as journal:
        assert journal.done == {"a": frozenset({0})}
    assert file.read_bytes() == whole[:first]


def test_two_runs_cannot_share_a_file(tmp_path: Path) -> None:
    file = tmp_path / "o.jsonl"
    with Journal(file, PLAN), pytest.raises(OutputError, match="another run"), Journal(file, PLAN):
        pass


def test_a_file_of_something_else_is_not_added_to(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("dear diary\n")
    with pytest.raises(OutputError, match="something else"), Journal(file, PLAN):
        pass
    assert file.read_text() == "dear diary\n"


def test_a_run_without_answers_leaves_no_file(tmp_path: Path) -> None:
    with Journal(tmp_path / "o.jsonl", PLAN):
        pass
    assert list(tmp_path.iterdir()) == []


def test_lines_are_given_back_from_any_line_on(tmp_path: Path) -> None:
    with Journal(tmp_path / "o.jsonl", PLAN) as journal:
        journal.begin("r1")
        journal.add("a", [event("r1", "a", 0)], [])
        middle = journal.size
        journal.add("a", [event("r1", "a", 1)], [])
        assert [b'"r1/a/1"' in line for line in journal.lines_from(middle)] == [True]
        assert len(journal.lines_from(0)) == 2
        assert journal.lines_from(journal.size) == []
