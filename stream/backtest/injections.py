"""Changes as people write them, put into any feed: `helpful_misaligned=3%`, `refusal_excessive=x2,ramp=2000`, `traffic=x2`, `swap=A/B`."""

import re
from dataclasses import dataclass

import numpy as np

from stream.backtest.feeds import STEP, Change, Feed, Moved, Shape
from stream.backtest.models import Floats
from stream.core.taxonomy import RequestKind, Taxonomy

TRAFFIC, SWAP, NOISE = "traffic", "swap", "noise"
_SYNTAX = "write CATEGORY=3% or CATEGORY=x2, swap=A/B, traffic=x2 or noise=5%, and for a shape ,ramp=N or ,pulse=N"


@dataclass(frozen=True, slots=True)
class Amount:
    """A share, or a factor of the present one."""

    value: float
    factor: bool

    def of(self, share: float) -> float:
        """What it makes of a share."""
        return share * self.value if self.factor else self.value


def injected(feed: Feed, text: str, taxonomy: Taxonomy) -> Change:
    """The change of a feed that a text describes.

    A category rises at the cost of the others that imply the same kind of request (off-topic ones: of all), and falls to their benefit;
    with `traffic` the share of harmful requests moves, and each kind is answered as before; `swap` exchanges two categories, whatever their
    shares; `noise` gives so many responses another label at random.

    Raises:
        ValueError: the text cannot be read, names no category, or asks for a share that cannot be reached; the message says what to write.
    """
    what, *shapes = text.split(",")
    name, found, value = what.partition("=")
    if not found or len(shapes) > 1:
        raise ValueError(f"{text!r} is no change; {_SYNTAX}")
    shape = _shape(shapes[0], text) if shapes else STEP
    shares = feed.shares
    if name == SWAP:
        one, _, other = value.partition("/")
        matrix = _swap(taxonomy.index(one), taxonomy.index(other), len(taxonomy))
        title = f"{one} and {other} change places"
    elif name == NOISE:
        matrix = confusion(_amount(value, text).of(0.0), len(taxonomy))
        title = f"{value} of labels at random"
    elif name == TRAFFIC:
        matrix, title = _traffic(shares, _amount(value, text), taxonomy)
    else:
        matrix, title = _category(shares, taxonomy.index(name), _amount(value, text), taxonomy)
    if shape.kind != "step":
        title += f", {shape.kind} of {shape.length:,}"
    return Change(title, feed, Moved(feed, matrix), shape)


def confusion(part: float, k: int) -> Floats:
    """The matrix (k, k) of a classifier that gives this part of responses another label, each of the others equally often.

    Raises:
        ValueError: it is no share.
    """
    if not 0 <= part <= 1:
        raise ValueError(f"noise must be a share of responses, got {part:g}")
    return np.asarray((1 - part) * np.eye(k) + part / (k - 1) * (1 - np.eye(k)))


def _shape(text: str, whole: str) -> Shape:
    match = re.fullmatch(r"(ramp|pulse)=([1-9]\d*)", text)
    if not match:
        raise ValueError(f"{whole!r}: {text!r} is no shape; {_SYNTAX}")
    return Shape("ramp" if match[1] == "ramp" else "pulse", int(match[2]))


def _amount(text: str, whole: str) -> Amount:
    match = re.fullmatch(r"(x?)(\d+(?:\.\d+)?)(%?)", text)
    if not match or (match[1] and match[3]):
        raise ValueError(f"{whole!r}: {text!r} is no amount; {_SYNTAX}")
    return Amount(float(match[2]) / (100 if match[3] else 1), bool(match[1]))


def _swap(one: int, other: int, k: int) -> Floats:
    order = np.arange(k)
    order[[one, other]] = other, one
    return np.asarray(np.eye(k)[order])


def _category(shares: Floats, category: int, amount: Amount, taxonomy: Taxonomy) -> tuple[Floats, str]:
    kind = taxonomy.behaviours[category].request
    mates = np.array(
        [
            place != category and (kind is None or behaviour.request is kind)
            for place, behaviour in enumerate(taxonomy.behaviours)
        ]
    )
    now, rest = float(shares[category]), float(shares[mates].sum())
    wanted = amount.of(now)
    name = taxonomy.names[category]
    if not 0 <= wanted <= now + rest:
        among = "" if kind is None else f" of the {kind} requests"
        raise ValueError(
            f"{name} cannot become {wanted:.2%} of all responses: it has {now:.2%}, and the other behaviours{among} {rest:.2%}"
        )
    matrix = np.eye(len(taxonomy))
    if wanted >= now:
        part = (wanted - now) / rest
        matrix[mates] *= 1 - part
        matrix[mates, category] = part
    else:
        matrix[category] = np.where(mates, (1 - wanted / now) * shares / rest, 0.0)
        matrix[category, category] = wanted / now
    return matrix, f"{name} {_percent(now)} → {_percent(wanted)}"


def _traffic(shares: Floats, amount: Amount, taxonomy: Taxonomy) -> tuple[Floats, str]:
    kinds = {
        kind: np.array([behaviour.request is kind for behaviour in taxonomy.behaviours])
        for kind in (RequestKind.HARMFUL, RequestKind.BENIGN)
    }
    harmful, benign = kinds[RequestKind.HARMFUL], kinds[RequestKind.BENIGN]
    if not harmful.any() or not benign.any():
        raise ValueError("these behaviours do not tell harmful from benign requests: traffic cannot be changed")
    now, rest = float(shares[harmful].sum()), float(shares[benign].sum())
    wanted = amount.of(now)
    if not 0 <= wanted <= now + rest:
        raise ValueError(f"harmful requests cannot become {wanted:.2%}: they are {now:.2%}, benign ones {rest:.2%}")
    source, target = (benign, harmful) if wanted >= now else (harmful, benign)
    part = abs(wanted - now) / float(shares[source].sum())
    matrix = np.eye(len(taxonomy))
    matrix[source] *= 1 - part
    matrix[np.ix_(source, target)] = part * shares[target] / shares[target].sum()
    return matrix, f"harmful requests {_percent(now)} → {_percent(wanted)}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
