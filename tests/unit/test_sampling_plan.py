"""Plans, prompt sets, budgets, pace and schedule: what is asked, how much, and when."""

import asyncio
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from stream.errors import InputError
from stream.sampling import prompt_set
from stream.sampling.budget import Budget, Ledger, Usage
from stream.sampling.pace import Pace
from stream.sampling.plan import Plan
from stream.sampling.prompt_set import PromptKind, PromptSet
from stream.sampling.schedule import Schedule, Start, seconds

LINE = '{"id": "%s", "prompt": "%s", "kind": "benign", "source": "s", "license": "MIT"}\n'


def plan(prompts: int = 3, **fields: object) -> Plan:
    some = PromptSet(prompt_set.load().prompts[:prompts], "digest")
    return Plan(endpoint="http://h/v1", model="m", prompts=some, **fields)  # type: ignore[arg-type]


def test_the_shipped_set_is_stratified_and_names_a_licence_for_each_prompt() -> None:
    shipped = prompt_set.load().prompts
    assert Counter(prompt.kind for prompt in shipped) == dict.fromkeys(PromptKind, 20)
    assert {prompt.license for prompt in shipped} == {"MIT", "Apache-2.0", "CC-BY-4.0"}
    assert all(prompt.source for prompt in shipped)
    assert len({prompt.text for prompt in shipped}) == 60


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no prompt"),
        (LINE % ("a", "x") + LINE % ("a", "y"), "line 2: id 'a' stands on an earlier line"),
        (LINE % ("a", " "), "line 1: prompt is empty"),
        (LINE % ("", "x"), "line 1: id"),
        (LINE % ("i" * 81, "x"), "longer than 80"),
        ("no json secret-text\n", "line 1 is no JSON object"),
        (
            '{"id": "a", "prompt": "x", "kind": "secret-text", "source": "s", "license": "MIT"}',
            "kind must be one of benign",
        ),
        ('{"id": "a", "kind": "benign", "source": "s", "license": "MIT"}', "prompt"),
        ('{"id": "a", "prompt": "x", "kind": "benign", "source": "s", "license": "MIT", "more": 1}', "more"),
    ],
)
def test_a_wrong_prompt_set_is_refused_without_quoting_it(content: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "set.jsonl"
    file.write_text(content)
    with pytest.raises(InputError) as refused:
        prompt_set.load(file)
    assert said in str(refused.value)
    assert "secret-text" not in str(refused.value)


def test_a_prompt_set_that_is_not_there_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the prompt set"):
        prompt_set.load(tmp_path / "none.jsonl")


def test_prompts_take_turns_and_every_answer_is_asked_for_once() -> None:
    chosen = plan(3, responses=5, per_request=2)
    asks = list(chosen.asks("r", {}))
    ids = [prompt.id for prompt in chosen.prompts.prompts]
    assert [ask.prompt.id for ask in asks] == ids * 3
    assert Counter((ask.prompt.id, index) for ask in asks for index in ask.indexes) == {
        (identifier, index): 1 for identifier in ids for index in range(5)
    }


def test_what_is_done_is_not_asked_for() -> None:
    chosen = plan(2, responses=4, per_request=4)
    first, second = (prompt.id for prompt in chosen.prompts.prompts)
    asks = list(chosen.asks("r", {first: frozenset({0, 2}), second: frozenset(range(4))}))
    assert [(ask.prompt.id, ask.indexes) for ask in asks] == [(first, (1, 3))]


def test_seeds_differ_between_rounds_prompts_and_answers_and_repeat_otherwise() -> None:
    chosen = plan(3, responses=4, per_request=1, seed=5)
    seeds = [ask.seed for name in ("r1", "r2") for ask in chosen.asks(name, {})]
    assert len(set(seeds)) == 24
    assert [ask.seed for ask in chosen.asks("r1", {})] == seeds[:12]
    assert all(seed is not None and 0 <= seed < 2**31 for seed in seeds)
    assert {ask.seed for ask in plan(3).asks("r", {})} == {None}


def test_the_fingerprint_changes_with_everything_that_changes_answers() -> None:
    chosen = plan()
    others = [
        replace(chosen, **{name: value})  # type: ignore[arg-type]
        for name, value in (
            ("endpoint", "http://i/v1"),
            ("model", "o"),
            ("prompts", PromptSet(chosen.prompts.prompts, "other")),
            ("responses", 50),
            ("temperature", 0.8),
            ("top_p", 0.9),
            ("max_tokens", 64),
            ("seed", 1),
        )
    ]
    assert len({chosen.fingerprint, *(other.fingerprint for other in others)}) == 9
    assert replace(chosen, per_request=1).fingerprint == chosen.fingerprint


@pytest.mark.parametrize(
    "fields",
    [
        {"responses": 0},
        {"temperature": 2.1},
        {"temperature": -0.1},
        {"top_p": 0.0},
        {"max_tokens": 0},
        {"per_request": 0},
    ],
)
def test_a_plan_refuses_what_makes_no_sense(fields: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(fields))):
        plan(**fields)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("budget", "allowed"),
    [
        (Budget(requests=3), 3),
        (Budget(tokens=250), 2),
        (Budget(cost=0.00031, price_input=1.0, price_output=4.0), 1),
        (Budget(), 9),
    ],
)
def test_a_ledger_never_lets_what_is_under_way_pass_a_limit(budget: Budget, allowed: int) -> None:
    ledger = Ledger(budget)
    assert sum(ledger.reserve(Usage(40, 60)) for _ in range(9)) == allowed


def test_a_failed_request_costs_a_request_but_no_tokens() -> None:
    ledger = Ledger(Budget(tokens=100))
    assert ledger.reserve(Usage(40, 60))
    ledger.settle(Usage(40, 60), Usage())
    assert (ledger.requests, ledger.tokens) == (1, 0)
    assert ledger.reserve(Usage(40, 60))


def test_money_is_counted_by_the_million() -> None:
    ledger = Ledger(Budget(cost=1.0, price_input=2.0, price_output=8.0))
    assert ledger.reserve(Usage(1000, 1000))
    ledger.settle(Usage(1000, 1000), Usage(500, 250))
    assert ledger.cost == pytest.approx(0.003)


def test_a_budget_of_money_needs_a_price() -> None:
    with pytest.raises(ValueError, match="price"):
        Budget(cost=1.0)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


def test_requests_start_evenly_when_there_is_a_rate() -> None:
    async def run() -> list[float]:
        clock = Clock()
        pace = Pace(1, rate=120, clock=clock, sleep=clock.sleep)
        starts = []
        for _ in range(4):
            async with pace.turn():
                starts.append(clock.now)
        return starts

    assert asyncio.run(run()) == [0.0, 0.5, 1.0, 1.5]


def test_a_pause_holds_everybody_back() -> None:
    async def run() -> list[float]:
        clock = Clock()
        pace = Pace(3, clock=clock, sleep=clock.sleep)
        starts: list[float] = []

        async def one() -> None:
            async with pace.turn():
                starts.append(clock.now)

        async with pace.turn():
            pace.pause(7)
        await asyncio.gather(one(), one(), one())
        return starts

    assert all(start >= 7 for start in asyncio.run(run()))


def test_no_more_requests_run_at_once_than_allowed() -> None:
    async def run() -> int:
        pace = Pace(3)
        running = most = 0

        async def one() -> None:
            nonlocal running, most
            async with pace.turn():
                running += 1
                most = max(most, running)
                await asyncio.sleep(0)
                running -= 1

        await asyncio.gather(*(one() for _ in range(12)))
        return most

    assert asyncio.run(run()) == 3


def test_rounds_keep_their_places_and_are_late_by_no_more_than_the_jitter() -> None:
    schedule, rng = Schedule(every=100, jitter=0.2), random.Random(3)
    start = Start(0, 0.0, 0)
    for slot in range(1, 200):
        start = schedule.following(start, first=0.0, now=start.at + 5, rng=rng)
        assert start.slot == slot
        assert slot * 100 <= start.at < slot * 100 + 20


def test_places_that_a_long_round_ran_over_are_missed() -> None:
    start = Schedule(every=60, jitter=0).following(Start(1, 60.0, 0), first=0.0, now=301.0, rng=random.Random(1))
    assert start == Start(6, 360.0, 4)


@pytest.mark.parametrize("text", ["", "1", "h", "-1h", "1 h 30 m", "1y"])
def test_a_length_of_time_needs_a_number_and_a_unit(text: str) -> None:
    with pytest.raises(ValueError, match="length of time"):
        seconds(text)
