"""Changes as people write them, put into any feed: `helpful_misaligned=3%`, `refusal_excessive=x2,ramp=2000`, `noise=5%`."""

import re

import numpy as np

from stream.backtest.feeds import STEP, Change, Feed, Moved, Shape
from stream.backtest.models import Floats
from stream.core.scenarios import SYNTAX, Amount, Move, moves
from stream.core.taxonomy import Taxonomy

NOISE = "noise"
_SYNTAX = f"{SYNTAX}, or noise=5%, and for a shape ,ramp=N or ,pulse=N"


def injected(feed: Feed, text: str, taxonomy: Taxonomy) -> Change:
    """The change of a feed that a text describes: as in `stream.core.scenarios`, or `noise`: so many responses get another label at random.

    Raises:
        ValueError: the text cannot be read, names no category, or asks for a share that cannot be reached; the message says what to write.
    """
    what, *shapes = text.split(",")
    name, found, value = what.partition("=")
    if not found or len(shapes) > 1:
        raise ValueError(f"{text!r} is no change; {_SYNTAX}")
    shape = _shape(shapes[0], text) if shapes else STEP
    if name == NOISE:
        matrix = confusion(_part(value, text), len(taxonomy))
        title = f"{value} of labels at random"
    else:
        matrix, title = _moved(feed.shares, moves(what, taxonomy))
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


def _part(text: str, whole: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", text)
    if not match:
        raise ValueError(f"{whole!r}: {text!r} is no amount; {_SYNTAX}")
    return float(match[1]) / (100 if match[2] else 1)


def _moved(shares: Floats, parts: tuple[Move, ...]) -> tuple[Floats, str]:
    """The matrix (k, k) that makes these moves one after the other, and a title."""
    whole = np.eye(len(shares))
    titles = []
    for move in parts:
        matrix = _matrix(shares, move)
        now, then = (float(each[list(move.rise)].sum()) for each in (shares, shares @ matrix))
        swap = move.amount is Amount.EXCHANGE
        titles.append(
            f"{move.what} and {move.of} change places" if swap else f"{move.what} {_percent(now)} → {_percent(then)}"
        )
        shares, whole = shares @ matrix, whole @ matrix
    return whole, ", ".join(titles)


def _matrix(shares: Floats, move: Move) -> Floats:
    """Each response of the side that falls goes over with the same probability, to the categories of the other as these have shares."""
    matrix = np.eye(len(shares))
    rise, pays = list(move.rise), list(move.pays)
    wanted = move.wanted(shares)
    if move.amount is Amount.EXCHANGE:
        order = np.arange(len(shares))
        order[rise + pays] = pays + rise
        return np.asarray(matrix[order])
    now = float(shares[rise].sum())
    source, target = (pays, rise) if wanted >= now else (rise, pays)
    had, gets = (float(shares[side].sum()) for side in (source, target))
    part = abs(wanted - now) / had if had else 0.0
    matrix[source] *= 1 - part
    matrix[np.ix_(source, target)] = part * (shares[target] / gets if gets else np.full(len(target), 1 / len(target)))
    return matrix


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
