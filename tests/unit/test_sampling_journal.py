"""The journal: what is written stays, what a kill tore is cut, and answers leave with their prompts mixed."""

import json
from pathlib import Path

import pytest

from stream.core.records import ResponseEvent
from stream.errors import OutputError
from stream.sampling.journal import Journal
from stream.sampling.plan import Plan
from stream.sampling.prompt_set import Prompt, PromptKind, PromptSet
from stream.sampling.protocol import Unanswered

PROMPTS = tuple(Prompt(id=name, text="q", kind=PromptKind.BENIGN, source="test", license="MIT") for name in ("a", "b"))
PLAN = Plan(endpoint="http://h/v1", model="m", prompts=PromptSet(PROMPTS, "digest"), responses=3)
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


def indexes(file: Path) -> list[tuple[str, set[str]]]:
    """The events of a file as turns: an index, and the prompts whose answers left then."""
    turns: list[tuple[str, set[str]]] = []
    for line in file.read_text().splitlines():
        attributes = json.loads(line)["attributes"]
        if not turns or turns[-1][0] != attributes["probe_index"]:
            turns.append((attributes["probe_index"], set()))
        assert attributes["probe_prompt"] not in turns[-1][1]
        turns[-1][1].add(attributes["probe_prompt"])
    return turns


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
@pytest.mark.parametrize("ending", ["", ".pending.jsonl"])
def test_a_torn_line_is_cut_wherever_the_kill_fell(tmp_path: Path, kept: int, ending: str) -> None:
    file = tmp_path / "o.jsonl"
    with Journal(file, PLAN) as journal:
        journal.begin("r1")
        journal.add("a", [event("r1", "a", 0), event("r1", "a", 1)], [])
        journal.add("b", [event("r1", "b", 0), event("r1", "b", 1)], [])
    torn = tmp_path / f"o.jsonl{ending}"
    whole = torn.read_bytes()
    last = whole[:-1].rindex(b"\n") + 1
    torn.write_bytes(whole[: last + kept])
    with Journal(file, PLAN) as journal:
        assert {index for done in journal.done.values() for index in done} == {0, 1}
        journal.complete()
    ids = [json.loads(line)["event_id"] for line in file.read_text().splitlines()]
    assert len(ids) == len(set(ids)) == 4, "what is torn in one file is whole in the other"


def test_answers_leave_when_every_prompt_has_one_and_no_prompt_twice_in_a_turn(tmp_path: Path) -> None:
    file = tmp_path / "o.jsonl"
    with Journal(file, PLAN) as journal:
        journal.begin("r1")
        journal.add("a", [event("r1", "a", index) for index in range(3)], [])
        assert file.read_bytes() == b""
        journal.add("b", [event("r1", "b", 0)], [(1, Unanswered.CONTENT_FILTER)])
        assert indexes(file) == [("0", {"a", "b"}), ("1", {"a"})]
        journal.complete()
        assert indexes(file) == [("0", {"a", "b"}), ("1", {"a"}), ("2", {"a"})]


def test_a_prompt_that_is_asked_no_further_holds_nobody_up(tmp_path: Path) -> None:
    file = tmp_path / "o.jsonl"
    with Journal(file, PLAN) as journal:
        journal.begin("r1")
        journal.add("a", [event("r1", "a", index) for index in range(3)], [])
        journal.close("b")
        assert indexes(file) == [("0", {"a"}), ("1", {"a"}), ("2", {"a"})]


def test_a_killed_round_goes_on_with_nothing_twice_and_nothing_lost(tmp_path: Path) -> None:
    file = tmp_path / "o.jsonl"
    with Journal(file, PLAN) as journal:
        journal.begin("r1")
        journal.add("a", [event("r1", "a", index) for index in range(3)], [])
        journal.add("b", [event("r1", "b", 0)], [])
    with Journal(file, PLAN) as journal:
        assert journal.done == {"a": frozenset({0, 1, 2}), "b": frozenset({0})}
        journal.add("b", [event("r1", "b", 1), event("r1", "b", 2)], [])
        journal.complete()
    assert indexes(file) == [(str(index), {"a", "b"}) for index in range(3)]


def test_answers_to_a_plan_that_was_given_up_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "o.jsonl"
    with Journal(file, OTHER) as journal:
        journal.begin("r1")
        journal.add("a", [event("r1", "a", 0, plan=OTHER)], [])
    with Journal(file, PLAN) as journal:
        journal.begin("r2")
        journal.add("a", [event("r2", "a", 0)], [])
    with Journal(file, OTHER) as journal:
        assert (journal.round_name, journal.done) == ("r1", {"a": frozenset({0})})


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
        journal.close("b")
        journal.add("a", [event("r1", "a", 0)], [])
        middle = journal.size
        journal.add("a", [event("r1", "a", 1)], [])
        assert [b'"r1/a/1"' in line for line in journal.lines_from(middle)] == [True]
        assert len(journal.lines_from(0)) == 2
        assert journal.lines_from(journal.size) == []
