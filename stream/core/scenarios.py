"""Changes as people write them: `helpful_misaligned=3%`, `refusal_excessive=x2`, `traffic=x2`, `swap=A/B`, several joined by ` + `.

A category rises at the cost of the others that imply the same kind of request (off-topic ones: of all), and falls to their benefit; with
`traffic` the share of harmful requests moves, and each kind is answered as before; `swap` exchanges two categories.
"""

import re
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from stream.core.taxonomy import RequestKind, Taxonomy

TRAFFIC, SWAP = "traffic", "swap"
SYNTAX = "write CATEGORY=3% or CATEGORY=x2, swap=A/B or traffic=x2; several parts are joined by ' + '"


class Amount(IntEnum):
    """What a move's value is: a share of all responses, a factor of the share before, or nothing (two categories change places)."""

    SHARE = 0
    FACTOR = 1
    EXCHANGE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One part of a change: the categories `rise` get an amount of all responses together, and `pays` what is left of both.

    Within each of the two sides proportions stay. `what` names the first side for people, and `of` the second; `mix` is whether it moves
    the mix of requests and nothing else.
    """

    what: str
    of: str
    rise: tuple[int, ...]
    pays: tuple[int, ...]
    amount: Amount
    value: float = 0.0
    mix: bool = False

    def wanted(self, shares: npt.NDArray[np.float64]) -> float:
        """The share of `rise` after the move, of these shares (k,).

        Raises:
            ValueError: both sides together do not have so much.
        """
        now, rest = (float(shares[list(side)].sum()) for side in (self.rise, self.pays))
        if self.amount is Amount.EXCHANGE:
            return rest
        wanted = self.value * now if self.amount is Amount.FACTOR else self.value
        if not 0 <= wanted <= now + rest:
            raise ValueError(
                f"{self.what} cannot become {wanted:.2%} of all responses: it has {now:.2%}, and {self.of} {rest:.2%}"
            )
        return wanted


def moves(text: str, taxonomy: Taxonomy) -> tuple[Move, ...]:
    """The parts of a change, in the order in which they are made.

    Raises:
        ValueError: the text cannot be read, or names no category of the taxonomy; the message says what to write.

    Examples:
        >>> from stream.core.taxonomy import PAPER
        >>> [(move.rise, move.pays, move.value) for move in moves("off_topic=5% + helpful_misaligned=x3", PAPER)]
        [((4,), (0, 1, 2, 3), 0.05), ((1,), (2,), 3.0)]
    """
    return tuple(_move(part.strip(), taxonomy) for part in text.split("+"))


def _move(text: str, taxonomy: Taxonomy) -> Move:
    name, found, value = (part.strip() for part in text.partition("="))
    if not found:
        raise ValueError(f"{text!r} is no change; {SYNTAX}")
    if name == SWAP:
        one, _, other = value.partition("/")
        if one == other:
            raise ValueError(f"{text!r} is no change; {SYNTAX}")
        sides = ((taxonomy.index(one),), (taxonomy.index(other),))
        return Move(what=one, of=other, rise=sides[0], pays=sides[1], amount=Amount.EXCHANGE)
    amount, size = _amount(value, text)
    if name == TRAFFIC:
        harmful, benign = (_of_kind(taxonomy, kind) for kind in (RequestKind.HARMFUL, RequestKind.BENIGN))
        if not harmful or not benign:
            raise ValueError("these behaviours do not tell harmful from benign requests: traffic cannot be changed")
        return Move(
            what="harmful requests",
            of="benign ones have",
            rise=harmful,
            pays=benign,
            amount=amount,
            value=size,
            mix=True,
        )
    category = taxonomy.index(name)
    kind = taxonomy.behaviours[category].request
    mates = range(len(taxonomy)) if kind is None else _of_kind(taxonomy, kind)
    pays = tuple(place for place in mates if place != category)
    if not pays:
        raise ValueError(f"{text!r}: no other behaviour implies a {kind} request; change traffic instead")
    of = "the other behaviours" + ("" if kind is None else f" of the {kind} requests")
    return Move(what=name, of=of, rise=(category,), pays=pays, amount=amount, value=size)


def _of_kind(taxonomy: Taxonomy, kind: RequestKind) -> tuple[int, ...]:
    return tuple(place for place, behaviour in enumerate(taxonomy.behaviours) if behaviour.request is kind)


def _amount(text: str, whole: str) -> tuple[Amount, float]:
    match = re.fullmatch(r"(x?)(\d+(?:\.\d+)?)(%?)", text)
    if not match or (match[1] and match[3]):
        raise ValueError(f"{whole!r}: {text!r} is no amount; {SYNTAX}")
    size = float(match[2]) / (100 if match[3] else 1)
    if not match[1] and size > 1:
        raise ValueError(f"{whole!r}: {text!r} is more than all responses; {SYNTAX}")
    return Amount.FACTOR if match[1] else Amount.SHARE, size
