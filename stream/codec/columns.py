"""Columns of a scored record, dense and fast: what is written once for each response costs nanoseconds, not microseconds."""

from collections.abc import Mapping, Sequence
from itertools import chain

import msgspec
import numpy as np
import numpy.typing as npt

DECIMALS = 4
"""Of probabilities, confidence and energy. They enter no default decision, and machines differ in the digits beyond."""

_STEPS = 10**DECIMALS
_HALF = 0.5 / _STEPS
_WIDTH = len("0.1234,")
_NUMBERS = np.frombuffer(b"".join(b"%d.%04d," % divmod(step, _STEPS) for step in range(_STEPS + 1)), np.uint8).reshape(
    -1, _WIDTH
)
"""Row k is the text of k / 10,000 and a comma."""


class Dictionary(msgspec.Struct, forbid_unknown_fields=True):
    """A column of few distinct texts: each once, and for each response the place of its text (None for none)."""

    values: tuple[str, ...]
    index: tuple[int | None, ...]


def _texts(shares: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    if not ((shares > -_HALF) & (shares < 1 + _HALF)).all():
        raise ValueError("probabilities and confidence must lie between 0 and 1")
    steps = np.rint(shares.astype(np.float64) * _STEPS).astype(np.int64)
    texts: npt.NDArray[np.uint8] = _NUMBERS[steps]
    return texts


def write_shares(shares: npt.NDArray[np.float32]) -> msgspec.Raw:
    """Returns the JSON of numbers between 0 and 1, (n,) as an array and (n, k) as an array of n arrays, to 4 decimals.

    Raises:
        ValueError: a number lies outside.
    """
    if not len(shares):
        return msgspec.Raw(b"[]")
    texts = _texts(shares)
    if shares.ndim == 1:
        return msgspec.Raw(b"[" + texts.tobytes()[:-1] + b"]")
    rows = np.empty((len(shares), shares.shape[1] * _WIDTH + 2), np.uint8)
    rows[:, 0] = ord("[")
    rows[:, 1:-1] = texts.reshape(len(shares), -1)
    rows[:, -2:] = np.frombuffer(b"],", np.uint8)
    return msgspec.Raw(b"[" + rows.tobytes()[:-1] + b"]")


def write_numbers(numbers: npt.NDArray[np.float32]) -> list[float]:
    """Returns the numbers to 4 decimals.

    Raises:
        ValueError: one is not finite.
    """
    if not np.isfinite(numbers).all():
        raise ValueError("a column's numbers must be finite")
    rounded: list[float] = (np.round(numbers.astype(np.float64), DECIMALS) + 0.0).tolist()
    return rounded


def read_matrix(rows: Sequence[Sequence[float]], *, width: int) -> npt.NDArray[np.float32]:
    """Returns float32 (n, width).

    Raises:
        ValueError: a row has another number of elements than `width`.
    """
    if set(map(len, rows)) - {width}:
        raise ValueError(f"probs must have {width} numbers for each response")
    flat = np.fromiter(chain.from_iterable(rows), np.float32, len(rows) * width)
    return flat.reshape(len(rows), width)


def write_dictionary(texts: Sequence[str | None]) -> Dictionary:
    """Returns the column with each distinct text once, in order of first appearance."""
    values = tuple(dict.fromkeys(text for text in texts if text is not None))
    places: dict[str | None, int | None] = {None: None} | {text: place for place, text in enumerate(values)}
    return Dictionary(values, tuple([places[text] for text in texts]))


def read_dictionary(column: Dictionary) -> tuple[str | None, ...]:
    """Returns the texts.

    Raises:
        ValueError: a place lies outside the values.
    """
    texts: dict[int | None, str | None] = {None: None} | dict(enumerate(column.values))
    try:
        return tuple([texts[place] for place in column.index])
    except KeyError:
        raise ValueError("an attribute points outside its values") from None


def check_lengths(n: int, columns: Mapping[str, int | None]) -> None:
    """Checks that each column that exists has n elements.

    Raises:
        ValueError: one has not; the message names it.
    """
    for name, length in columns.items():
        if length is not None and length != n:
            raise ValueError(f"{name} has {length} elements, event_id {n}")
