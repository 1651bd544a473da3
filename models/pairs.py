"""How a (prompt, response) pair becomes a row of token ids, the same at training time and at run time."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

_CHARACTERS_PER_TOKEN = 16
"""The head or tail of a budget of b tokens is looked for in 16·b characters, so that 1 MB of text costs no more than a page."""

_LEAST_EARLIER = 8
"""Tokens below which earlier turns say nothing: the mark of the last speaker, and a word or two."""


class Layout(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fixes which tokens of a pair the model reads: the head and the tail of both texts, between fixed marks.

    Budgets count tokens and include the tail and the gap mark. `prefix`, `between`, `suffix` and `gap` are token ids.
    """

    prompt_tokens: int
    prompt_tail: int
    response_tokens: int
    response_tail: int
    prefix: tuple[int, ...]
    between: tuple[int, ...]
    suffix: tuple[int, ...]
    gap: tuple[int, ...]
    pad: int

    def __post_init__(self) -> None:
        for name, total, tail in (
            ("prompt", self.prompt_tokens, self.prompt_tail),
            ("response", self.response_tokens, self.response_tail),
        ):
            if not 0 <= tail < total - len(self.gap):
                raise ValueError(f"{name}_tail must be at least 0 and leave room for a head, got {tail} of {total}")

    @property
    def longest(self) -> int:
        """Counts the tokens of the longest row that this layout makes."""
        marks = len(self.prefix) + len(self.between) + len(self.suffix)
        return self.prompt_tokens + self.response_tokens + marks


class EncodedPair(NamedTuple):
    """The token ids of one pair without padding, where its response begins, and whether a text was shortened."""

    ids: list[int]
    response_at: int
    truncated: bool


TokenizeBatch = Callable[[list[str]], Sequence[Sequence[int]]]


def encode_pairs(triples: Sequence[tuple[str, str, str]], tokenize: TokenizeBatch, layout: Layout) -> list[EncodedPair]:
    """Returns the token ids of each (prompt, response, earlier); a text over its budget keeps its head and its tail, with the gap between.

    What was said earlier stands before the prompt and has what that leaves of its budget: the end of it is read, and what is left out makes
    no row `truncated`. `tokenize` turns texts into ids without special tokens; it is called once.
    """
    pieces: list[str] = []
    counts: list[int] = []
    for prompt, response, earlier in triples:
        for text, budget in ((prompt, layout.prompt_tokens), (response, layout.response_tokens)):
            cut = _cut(text, budget)
            pieces.extend(cut)
            counts.append(len(cut))
        if earlier:
            pieces.append(_sound(earlier[-_CHARACTERS_PER_TOKEN * layout.prompt_tokens :]))
        counts.append(1 if earlier else 0)
    tokens = iter(tokenize(pieces))
    parts = [[next(tokens) for _ in range(count)] for count in counts]
    encoded: list[EncodedPair] = []
    for prompt_parts, response_parts, before in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        asked, prompt_cut = _fit(prompt_parts, layout.prompt_tokens, layout.prompt_tail, layout.gap)
        room = layout.prompt_tokens - len(asked)
        if before and room >= _LEAST_EARLIER:
            asked = [*before[0][-room:], *asked]
        said, response_cut = _fit(response_parts, layout.response_tokens, layout.response_tail, layout.gap)
        opening = [*layout.prefix, *asked, *layout.between]
        encoded.append(EncodedPair([*opening, *said, *layout.suffix], len(opening), prompt_cut or response_cut))
    return encoded


def _cut(text: str, budget: int) -> tuple[str, ...]:
    """Returns the text, or only its two ends when it is far too long to be read whole."""
    reach = _CHARACTERS_PER_TOKEN * budget
    parts = (text,) if len(text) <= 2 * reach else (text[:reach], text[-reach:])
    return tuple(_sound(part) for part in parts)


def _sound(text: str) -> str:
    """Returns text that has a UTF-8 form: a lone surrogate, which JSON can smuggle in, becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _fit(parts: Sequence[Sequence[int]], budget: int, tail: int, gap: tuple[int, ...]) -> tuple[list[int], bool]:
    if len(parts) == 1 and len(parts[0]) <= budget:
        return list(parts[0]), False
    head = budget - tail - len(gap)
    return [*parts[0][:head], *gap, *(parts[-1][-tail:] if tail else ())], True
