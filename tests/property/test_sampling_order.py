"""Answers leave once each and in turns, in whatever order they come, and so mixed they do not look like a change of the model."""

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.core.events import Rule
from stream.core.records import ResponseEvent
from stream.core.settings import EngineSettings
from stream.experiments.judging import Judge
from stream.sampling.order import Interleaver
from tests.property.test_sampling_estimates import design

PROMPTS = ("a", "b", "c")


def event(prompt: str, index: int) -> ResponseEvent:
    return ResponseEvent(
        event_id=f"r/{prompt}/{index}",
        ts=0,
        model="m",
        prompt="q",
        response="a",
        attributes={"probe_index": str(index)},
    )


@given(st.integers(1, 6), st.randoms(use_true_random=False), st.sets(st.integers(0, 17)))
def test_every_answer_leaves_once_and_in_its_turn(k: int, rnd: random.Random, skipped: set[int]) -> None:
    arrivals = [(prompt, index) for prompt in PROMPTS for index in range(k)]
    rnd.shuffle(arrivals)
    order = Interleaver("r", PROMPTS)
    left: list[str] = []
    for number, (prompt, index) in enumerate(arrivals):
        if number in skipped:
            order.skip(prompt, [index])
        else:
            order.add(prompt, index, event(prompt, index))
        left += [each.event_id for each in order.ready()]
    expected = {f"r/{prompt}/{index}" for number, (prompt, index) in enumerate(arrivals) if number not in skipped}
    assert set(left) == expected
    assert len(left) == len(expected)
    turns = [int(identifier.rsplit("/")[-1]) for identifier in left]
    assert turns == sorted(turns)


@given(st.integers(1, 5), st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_how_answers_came(k: int, rnd: random.Random) -> None:
    def leave(arrivals: list[tuple[str, int]]) -> list[str]:
        order = Interleaver("r", PROMPTS)
        left = []
        for prompt, index in arrivals:
            order.add(prompt, index, event(prompt, index))
            left += [each.event_id for each in order.ready()]
        return left

    arrivals = [(prompt, index) for prompt in PROMPTS for index in range(k)]
    shuffled = arrivals[:]
    rnd.shuffle(shuffled)
    assert leave(arrivals) == leave(shuffled)


def test_clumps_of_one_prompt_raise_false_alarms_and_mixed_prompts_do_not() -> None:
    rng = np.random.default_rng(3)
    n, k = 8_000, 10
    judge = Judge(EngineSettings(window=500, stride=500, learn_from=1000), n)
    clumped = mixed = 0
    for _ in range(8):
        shares = design(60, rng)
        rounds = [np.array([rng.choice(5, size=k, p=row) for row in shares]) for _ in range(-(-n // 600))]
        clumps = np.concatenate([answers.ravel() for answers in rounds])
        turns = np.concatenate([answers[rng.permutation(60), turn] for answers in rounds for turn in range(k)])
        clumped += len(judge.alarms(clumps[:n].astype(np.uint8), Rule.DRIFT))
        mixed += len(judge.alarms(turns[:n].astype(np.uint8), Rule.DRIFT))
    # 56,000 responses are judged, so about 6 false alarms are due at one in 10,000; mixing a fixed set makes them fewer.
    assert clumped > 20
    assert mixed <= 8
