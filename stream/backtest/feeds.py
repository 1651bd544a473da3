"""Where responses come from: simulated models, a recorded log drawn again in blocks, either of them changed; and how a change comes in."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Literal, Protocol

import numpy as np

from stream.backtest.models import Floats, Random, Traffic, flat, log, steady, usual
from stream.detectors.detector import Categories

PIECE = 2_000
"""Responses of a recorded log that are drawn at a time."""


class Feed(Protocol):
    """An endless source of responses; equal generators give equal responses."""

    @property
    def shares(self) -> Floats:
        """Long-run share of each category, shape (k,)."""

    def pieces(self, random: Random) -> Iterator[Categories]:
        """Categories of responses, without end, in pieces of some length."""


@dataclass(frozen=True, slots=True, eq=False)
class Simulated:
    """A model (four shares, one for each nested stream) that meets simulated traffic."""

    model: Floats
    traffic: Traffic = steady

    @property
    def shares(self) -> Floats:
        """Long-run share of each category."""
        return flat(usual(self.model, self.traffic))

    def pieces(self, random: Random) -> Iterator[Categories]:
        """Its responses."""
        return log(self.model, self.traffic, random)


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """A log of k categories drawn again in blocks of successive responses (Künsch 1989), so that waves shorter than a block stay waves.

    Raises:
        ValueError: the log is empty, or the block is no length within it.
    """

    categories: Categories
    block: int
    k: int

    def __post_init__(self) -> None:
        if not 1 <= self.block <= len(self.categories):
            raise ValueError(
                f"block must be from 1 to the log's {len(self.categories):,} responses, got {self.block:,}"
            )

    @property
    def shares(self) -> Floats:
        """Share of each category, each counted half a time more, so that none is 0."""
        counts = np.bincount(self.categories, minlength=self.k) + 0.5
        found: Floats = counts / counts.sum()
        return found

    def pieces(self, random: Random) -> Iterator[Categories]:
        """Blocks of it."""
        places = np.arange(self.block)
        while True:
            starts = random.integers(len(self.categories), size=-(-PIECE // self.block))
            yield self.categories[((starts[:, None] + places) % len(self.categories)).ravel()]


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """A feed in which a response of category i becomes one of category j with probability `matrix[i, j]`, shape (k, k)."""

    feed: Feed
    matrix: Floats

    @property
    def shares(self) -> Floats:
        """Long-run share of each category."""
        found: Floats = self.feed.shares @ self.matrix
        return found

    def pieces(self, random: Random) -> Iterator[Categories]:
        """Its responses."""
        edges = self.matrix.cumsum(axis=1)[:, :-1]
        for piece in self.feed.pieces(random):
            yield (random.random(len(piece))[:, None] >= edges[piece]).sum(axis=1).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Shape:
    """How a change comes in: at once, over `length` responses, or at once and for `length` responses only.

    Raises:
        ValueError: a ramp or pulse has no length.
    """

    kind: Literal["step", "ramp", "pulse"] = "step"
    length: int = 0

    def __post_init__(self) -> None:
        if (self.kind == "step") != (self.length == 0) or self.length < 0:
            raise ValueError(f"a {self.kind} of {self.length} responses is none")

    def strength(self, first: int, n: int) -> Floats:
        """Probability that a response is a changed one, for n responses from the `first` after the onset on (counted from 0)."""
        place = first + np.arange(n)
        if self.kind == "pulse":
            return (place < self.length).astype(np.float64)
        return np.minimum((place + 1) / max(self.length, 1), 1.0)


STEP = Shape()


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What a feed turns into, and how."""

    name: str
    before: Feed
    after: Feed
    shape: Shape = STEP

    def pieces(self, random: Random) -> Iterator[Categories]:
        """Responses from the onset of the change on."""
        if self.shape.kind == "step":
            yield from self.after.pieces(random)
        first = 0
        for old, new in zip(even(self.before.pieces(random)), even(self.after.pieces(random)), strict=False):
            changed = random.random(len(old)) < self.shape.strength(first, len(old))
            yield np.where(changed, new, old)
            first += len(old)


def even(pieces: Iterator[Categories]) -> Iterator[Categories]:
    """The same responses in pieces of one length."""
    while True:
        piece, pieces = taken(pieces, 1_000)
        yield piece


def taken(pieces: Iterator[Categories], n: int) -> tuple[Categories, Iterator[Categories]]:
    """The first n responses of an endless feed, and the feed after them."""
    parts: list[Categories] = [np.zeros(0, np.uint8)]
    left = n
    while left:
        piece = next(pieces)
        parts.append(piece[:left])
        if len(piece) > left:
            pieces = chain([piece[left:]], pieces)
        left -= len(parts[-1])
    return np.concatenate(parts), pieces
