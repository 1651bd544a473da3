"""How a pair becomes a row of token ids."""

import msgspec
import pytest

from models.pairs import Layout, encode_pairs


def by_word(texts: list[str]) -> list[list[int]]:
    """One token a word: the number that the word is."""
    return [[int(word) for word in text.split()] for text in texts]


def numbers(count: int, *, start: int = 100) -> str:
    return " ".join(str(start + place) for place in range(count))


LAYOUT = Layout(
    prompt_tokens=6,
    prompt_tail=2,
    response_tokens=8,
    response_tail=3,
    prefix=(1,),
    between=(2, 3),
    suffix=(4,),
    gap=(9,),
    pad=0,
)


def test_a_short_pair_is_kept_whole_between_the_marks() -> None:
    (row,) = encode_pairs([("11 12", "21 22 23", "")], by_word, LAYOUT)
    assert row.ids == [1, 11, 12, 2, 3, 21, 22, 23, 4]
    assert row.response_at == 5
    assert not row.truncated


def test_texts_of_exactly_the_budget_are_not_shortened() -> None:
    (row,) = encode_pairs([(numbers(6), numbers(8), "")], by_word, LAYOUT)
    assert len(row.ids) == LAYOUT.longest == 6 + 8 + 4
    assert not row.truncated


def test_a_long_response_keeps_its_head_and_its_tail_so_that_a_late_refusal_is_read() -> None:
    (row,) = encode_pairs([("11", numbers(20), "")], by_word, LAYOUT)
    assert row.ids == [1, 11, 2, 3, 100, 101, 102, 103, 9, 117, 118, 119, 4]
    assert row.truncated


def test_a_long_prompt_never_pushes_the_response_out() -> None:
    (row,) = encode_pairs([(numbers(500), "21 22", "")], by_word, LAYOUT)
    assert row.ids == [1, 100, 101, 102, 9, 598, 599, 2, 3, 21, 22, 4]
    assert row.truncated


def test_of_a_very_long_text_only_the_two_ends_are_tokenised() -> None:
    seen: list[str] = []

    def remember(texts: list[str]) -> list[list[int]]:
        seen.extend(texts)
        return [[7] * 50 for _ in texts]

    (row,) = encode_pairs([("a", "x" * 1_000_000, "")], remember, LAYOUT)
    assert max(map(len, seen)) <= 16 * LAYOUT.response_tokens
    assert row.truncated
    assert len(row.ids) <= LAYOUT.longest


def test_a_lone_surrogate_becomes_a_question_mark_because_tokenizers_take_only_sound_text() -> None:
    seen: list[str] = []

    def remember(texts: list[str]) -> list[list[int]]:
        seen.extend(texts)
        return [[7] for _ in texts]

    encode_pairs([("a\ud83d", "\u00e9", "")], remember, LAYOUT)
    assert seen == ["a?", "\u00e9"]


def test_empty_texts_give_a_row_of_marks_alone() -> None:
    (row,) = encode_pairs([("", "", "")], by_word, LAYOUT)
    assert row.ids == [1, 2, 3, 4]


def test_earlier_turns_fill_the_room_that_the_prompt_leaves_with_their_end() -> None:
    budget = Layout(**{**msgspec.structs.asdict(LAYOUT), "prompt_tokens": 12})
    (row,) = encode_pairs([("11 12", "21", numbers(40))], by_word, budget)
    assert row.ids == [1, *range(130, 140), 11, 12, 2, 3, 21, 4]
    assert row.response_at == 15
    assert not row.truncated
    (whole,) = encode_pairs([("11 12", "21", "31 32")], by_word, budget)
    assert whole.ids == [1, 31, 32, 11, 12, 2, 3, 21, 4]


def test_a_prompt_that_leaves_no_room_is_read_as_if_nothing_was_said_before() -> None:
    texts = ("11 12 13 14 15", "21")
    assert encode_pairs([(*texts, numbers(40))], by_word, LAYOUT) == encode_pairs([(*texts, "")], by_word, LAYOUT)


def test_no_pairs_give_no_rows() -> None:
    assert encode_pairs([], by_word, LAYOUT) == []


def test_a_layout_whose_tail_leaves_no_head_is_refused() -> None:
    with pytest.raises(ValueError, match="prompt_tail must"):
        Layout(
            prompt_tokens=3, prompt_tail=2, response_tokens=8, response_tail=3,
            prefix=(), between=(), suffix=(), gap=(9,), pad=0,
        )  # fmt: skip
