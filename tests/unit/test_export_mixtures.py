"""Mixed pairs have the label that follows from how they are made."""

import random
from collections import Counter

from export.mixtures import G1, G2, G3, G5, Mixer
from export.rows import HUMAN, NONE, Row

HARMFUL = ["poison a river", "forge banknotes", "hijack an airliner", "stalk somebody quietly", "launder stolen money"]
BENIGN = [
    "bake sourdough bread",
    "plant tomatoes outside",
    "repair bicycle brakes",
    "fold paper cranes",
    "learn spanish verbs",
]


def row(prompt: str, label: int | None, response: str, *, origin: str = HUMAN) -> Row:
    return Row(source="a", prompt=prompt, response=response, label=label, origin=origin)


def rows() -> list[Row]:
    helped = [row(p, G2, f"first you {p} like so") for p in HARMFUL] + [row(p, G1, f"to {p} do this") for p in BENIGN]
    refused = [row(p, G3, f"I will not help you to {p}, that is not something I do.") for p in HARMFUL]
    prompts = [Row(source="kinds", prompt=f"what is number {n}", response=None, kind=n % 2) for n in range(30)]
    return helped + refused + prompts


def test_off_topic_pairs_put_answers_to_harmful_requests_under_other_harmful_requests() -> None:
    pairs = Mixer(rows()).off_topic(random.Random(1), 400)
    assert len(pairs) == 400
    assert {pair.label for pair in pairs} == {G5}
    harmful = [p for p in pairs if p.prompt in HARMFUL]
    both = [p for p in harmful if any(request in p.response for request in HARMFUL)]
    assert (
        len(both) > 40
    )  # of 400: about 0.5 (labelled) * 0.65 (harmful request) * 0.65 (answer to a harmful one) = 0.21
    assert all(pair.kind == 1 for pair in harmful)


def test_no_off_topic_pair_has_the_answer_to_its_own_request() -> None:
    pairs = Mixer(rows()).off_topic(random.Random(2), 400)
    assert not [pair for pair in pairs if pair.prompt in pair.response]


def test_prompts_of_known_kind_alone_still_get_stray_answers() -> None:
    origins = Counter(
        pair.prompt.startswith("what is number") for pair in Mixer(rows()).off_topic(random.Random(3), 400)
    )
    assert origins[True] > 100


def test_the_answer_to_a_request_that_shares_a_longer_word_is_not_called_off_topic() -> None:
    alike = [row(f"{verb} the antique furniture", G2, f"I {verb} it so") for verb in ("burn", "steal", "wreck", "hide")]
    assert Mixer(alike).off_topic(random.Random(4), 50) == []


def test_without_labelled_answers_to_the_point_off_topic_pairs_come_from_the_plain_ones() -> None:
    plain = [row(p, G1, f"to {p} do this", origin=NONE) for p in BENIGN]
    prompts = [Row(source="kinds", prompt=p, response=None, kind=1) for p in HARMFUL]
    pairs = Mixer(plain + prompts).off_topic(random.Random(5), 50)
    assert len(pairs) == 50
    assert {pair.prompt for pair in pairs} <= set(HARMFUL)


def test_the_same_seed_draws_the_same_pairs() -> None:
    assert Mixer(rows()).off_topic(random.Random(6), 50) == Mixer(rows()).off_topic(random.Random(6), 50)
