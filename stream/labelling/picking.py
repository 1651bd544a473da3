"""Which responses are worth a label: a stratified sample, drawn so that every response's chance is known."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stream.core.correction import Floats, Integers

SURE = 0.9
"""Confidence from which a response is in its behaviour's stratum of sure predictions."""
FEW = 4
"""Labels that every stratum gets, where it has as many responses: with fewer its errors would be anybody's guess."""
FIRST = 2
"""Labels of each stratum that are asked for before all others, so that an estimate is possible early."""
_LEAST_DOUBT = 0.01
"""A classifier is never taken to be surer of itself than this when labels are shared out."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chosen:
    """A stratum: what is predicted in it and whether surely, the places (size,) of its responses, and of those to label."""

    category: int
    sure: bool
    members: Integers
    drawn: Integers


def pick(category: Integers, probs: Floats, *, budget: int, seed: int) -> tuple[Chosen, ...]:
    """Draws `budget` of the n responses (all, if there are no more), at random within each stratum.

    Strata are the predicted behaviour and whether its probability is at least 0.9. Labels are shared out by Neyman's rule, exactly
    in whole numbers (Wright 2012, The American Statistician 66): in proportion to a stratum's size times the root of its mean doubt,
    1 - confidence, at least 4 each. `drawn` is in random order.

    Raises:
        ValueError: the budget does not give each stratum two.
    """
    generator = np.random.default_rng(seed)
    confidence = probs.max(axis=1)
    sure = confidence >= SURE
    keys = 2 * category + sure
    kinds = np.unique(keys).tolist()
    members = [np.flatnonzero(keys == kind) for kind in kinds]
    doubt = np.array([max(float((1 - confidence[places]).mean()), _LEAST_DOUBT) for places in members])
    take = share_out(np.array([len(places) for places in members]), np.sqrt(doubt), budget)
    return tuple(
        Chosen(category=kind // 2, sure=kind % 2 == 1, members=places, drawn=generator.permutation(places)[:count])
        for kind, places, count in zip(kinds, members, take.tolist(), strict=True)
    )


def share_out(sizes: Integers, spread: Floats, budget: int) -> Integers:
    """Returns how many of the budget go to each stratum: the next always where it lowers the sum of (size·spread)²/n most.

    Raises:
        ValueError: the budget does not give each stratum two.
    """
    if budget < np.minimum(sizes, FIRST).sum():
        raise ValueError(f"a sample of {len(sizes)} strata needs a budget of at least {np.minimum(sizes, FIRST).sum()}")
    few = next(few for few in range(FEW, 0, -1) if np.minimum(sizes, few).sum() <= budget)
    take = np.minimum(sizes, few)
    for _ in range(min(budget, int(sizes.sum())) - int(take.sum())):
        gain = np.where(take < sizes, sizes * spread / np.sqrt(take * (take + 1.0)), -1.0)
        take[np.argmax(gain)] += 1
    return take


def in_order(strata: tuple[Chosen, ...], *, seed: int) -> Iterator[tuple[int, int]]:
    """The (stratum, place) of each drawn response in the order to ask for: two of each stratum, then the others, mixed.

    Within a stratum the order is random, so that the labels of somebody who stops early are a random sample too.
    """
    generator = np.random.default_rng((seed, 1))
    first = [(number, int(at)) for number, each in enumerate(strata) for at in each.drawn[:FIRST]]
    rest = [(number, int(at)) for number, each in enumerate(strata) for at in each.drawn[FIRST:]]
    for part in (first, rest):
        yield from (part[place] for place in generator.permutation(len(part)))
