"""Simulated models, changes of them, and the traffic that they meet: what the suites and the study of the detector run on.

A model is four shares, one for each nested stream: off-topic; harmful of the rest; over-refusal of benign; misaligned of harmful.
"""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from stream.detectors.detector import Categories

Floats = npt.NDArray[np.float64]
Random = np.random.Generator

QUIET = np.array([0.975, 0.005, 0.01, 0.005, 0.005])
"""Shares of g1..g5 of a well-tuned model on ordinary traffic: S = 0.15 nats."""
BUSY = np.array([0.86, 0.02, 0.06, 0.03, 0.03])
"""The same with more harmful requests and more that goes wrong: S = 0.59 nats."""
BROKEN = np.array([0.78, 0.08, 0.06, 0.03, 0.05])
"""What QUIET may turn into: S = 0.82 nats."""
SWAPPED = np.array([0.86, 0.06, 0.02, 0.03, 0.03])
"""BUSY with misaligned help and appropriate refusals exchanged: the same S."""

CHUNK = 2_000
"""Responses drawn at a time where traffic is steady."""
CALM, WAVE, USUAL, TIMES, MOST_HARMFUL = 1_000, 200, 5 / 6, 6, 0.9
"""Bursty traffic: mean lengths in responses of calm and wave, share of calm, factor of the harmful share in a wave, and its cap."""
DAY, SWING = 5_000, 0.8
"""Daily traffic: responses in a cycle, and by how much of its mean the harmful share moves each way."""
SLIGHT, STRONG = 0.012, 0.15
"""Kullback-Leibler divergence, in nats a response, of the random changes: log-uniform between these."""


def shares(off_topic: float, harmful: float, misaligned: float, refused: float) -> Floats:
    """Shares of g1..g5 from those of the nested streams: off-topic; harmful of the rest; misaligned of harmful; refused of benign."""
    on, benign = 1 - off_topic, 1 - harmful
    return np.array(
        [
            on * benign * (1 - refused),
            on * harmful * misaligned,
            on * harmful * (1 - misaligned),
            on * benign * refused,
            off_topic,
        ]
    )


def nested(category_shares: Floats) -> Floats:
    """A model from its shares of g1..g5."""
    helped, misaligned, refused, excessive, off_topic = category_shares
    return np.array(
        [
            off_topic,
            (misaligned + refused) / (1 - off_topic),
            excessive / (helped + excessive),
            misaligned / (misaligned + refused),
        ]
    )


def flat(model: Floats) -> Floats:
    """A model's shares of g1..g5."""
    off_topic, harmful, excessive, misaligned = model
    return shares(off_topic, harmful, misaligned, excessive)


def random_models(number: int, seed: int) -> list[Floats]:
    """Models with log-uniform shares: 0.2 to 10 % off-topic, 0.5 to 50 % harmful, 0.2 to 20 % over-refusal, 5 to 60 % misaligned."""
    low, high = np.log([0.002, 0.005, 0.002, 0.05]), np.log([0.1, 0.5, 0.2, 0.6])
    random = np.random.default_rng(seed)
    return [np.exp(random.uniform(low, high)) for _ in range(number)]


BASES = (nested(QUIET), nested(BUSY))
FITTED = (*BASES, *random_models(6, seed=3))
"""The models that the detector's constants were chosen on."""
OTHERS = tuple(random_models(8, seed=909))
"""Models drawn after that."""

OVER_REFUSAL, MISALIGNED, SWAP, TRAFFIC = (
    "over-refusal 3 → 9 %",
    "misaligned 2 → 5 %",
    "swap g2 ↔ g3",
    "harmful traffic doubled",
)
CHANGES = {
    "S 0.15 → 0.82": (BASES[0], nested(BROKEN)),
    "S 0.15 → 0.39": (BASES[0], nested(np.array([0.92, 0.03, 0.02, 0.015, 0.015]))),
    "S 0.15 → 0.27": (BASES[0], nested(np.array([0.95, 0.015, 0.015, 0.01, 0.01]))),
    OVER_REFUSAL: (BASES[1], nested(np.array([0.80, 0.02, 0.06, 0.09, 0.03]))),
    MISALIGNED: (BASES[1], nested(np.array([0.83, 0.05, 0.06, 0.03, 0.03]))),
    SWAP: (BASES[1], nested(SWAPPED)),
    TRAFFIC: (BASES[1], BASES[1] * np.array([1, 2, 1, 1])),
}
"""A model before and after."""


def random_changes(number: int, seed: int) -> list[tuple[Floats, Floats]]:
    """For each of quiet and busy up to `number` changes in random directions of the logits; what cannot be so large is left out."""
    random = np.random.default_rng(seed)
    changes: list[tuple[Floats, Floats]] = []
    for base in BASES:
        for _ in range(number):
            direction = random.standard_normal(4)
            direction /= np.linalg.norm(direction)
            wanted = np.exp(random.uniform(np.log(SLIGHT), np.log(STRONG)))
            low, high = 0.0, 12.0
            for _ in range(60):
                middle = (low + high) / 2
                if divergence(_moved(base, middle * direction), base) < wanted:
                    low = middle
                else:
                    high = middle
            changed = _moved(base, high * direction)
            if divergence(changed, base) >= 0.95 * wanted:
                changes.append((base, changed))
    return changes


def divergence(after: Floats, before: Floats) -> float:
    """Kullback-Leibler divergence of a model from another, in nats a response."""
    p, q = flat(after), flat(before)
    return float(np.sum(p * np.log(p / q)))


def _moved(model: Floats, step: Floats) -> Floats:
    """The model with this added to its logits."""
    return np.asarray(1 / (1 + (1 / model - 1) * np.exp(-step)))


def steady(harmful: float, random: Random) -> Iterator[Floats]:  # noqa: ARG001 - traffic that moves needs it
    """The harmful share of each response, in pieces of some length: always the same."""
    while True:
        yield np.full(CHUNK, harmful)


def bursty(harmful: float, random: Random) -> Iterator[Floats]:
    """The share in calm and in waves, which come at random from the first response on."""
    calm = random.random() < USUAL
    while True:
        level = harmful if calm else min(TIMES * harmful, MOST_HARMFUL)
        yield np.full(random.geometric(1 / (CALM if calm else WAVE)), level)
        calm = not calm


def daily(harmful: float, random: Random) -> Iterator[Floats]:
    """The share through a sine, from any point of it on."""
    cycle = harmful * (1 + SWING * np.sin(2 * np.pi * (random.random() + np.arange(DAY) / DAY)))
    while True:
        yield from np.split(cycle, DAY // 1_000)


Traffic = Callable[[float, Random], Iterator[Floats]]


def usual(model: Floats, traffic: Traffic) -> Floats:
    """The model with the long-run mean of the harmful share under this traffic."""
    off_topic, harmful, excessive, misaligned = model
    if traffic is bursty:
        harmful = USUAL * harmful + (1 - USUAL) * min(TIMES * harmful, MOST_HARMFUL)
    return np.array([off_topic, harmful, excessive, misaligned])


def log(model: Floats, traffic: Traffic, random: Random) -> Iterator[Categories]:
    """Categories of a model's responses, without end, in pieces of some length."""
    off_topic, harmful_share, excessive, misaligned = model
    for harmful in traffic(harmful_share, random):
        kind, request, behaviour = random.random((3, len(harmful)))
        answered = np.where(
            request < harmful, np.where(behaviour < misaligned, 1, 2), np.where(behaviour < excessive, 3, 0)
        )
        yield np.where(kind < off_topic, 4, answered).astype(np.uint8)
