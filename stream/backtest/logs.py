"""A person's own log for a backtest: the categories of one monitor, in log order, and how many responses a day it has."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from stream import times
from stream.backtest.feeds import Recorded
from stream.core.taxonomy import Taxonomy
from stream.detectors.detector import Categories
from stream.errors import InputError
from stream.files import LogFiles

DAY = 86_400_000_000
"""Microseconds."""
FEWEST = 100
"""Responses below which a log says too little to be drawn from."""
LONGEST_BLOCK = 500
BLOCKS = 20
"""Blocks that a log has at least, where nobody says how long they are."""


class _Row(msgspec.Struct):
    category: str | None = None
    label: str | None = None
    monitor: str | None = None
    model: str | None = None
    ts: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Log:
    """One monitor's categories, and its responses a day where every one has a time."""

    name: str
    categories: Categories
    daily: float | None

    def feed(self, taxonomy: Taxonomy, block: int | None) -> Recorded:
        """The log drawn again, in blocks of a twentieth of it and at most `LONGEST_BLOCK` responses unless told otherwise.

        Raises:
            InputError: the block is longer than the log.
        """
        chosen = block or max(1, min(LONGEST_BLOCK, len(self.categories) // BLOCKS))
        try:
            return Recorded(self.categories, chosen, len(taxonomy))
        except ValueError as error:
            raise InputError(f"{self.name}: {error}; choose another with --block") from None


def read(files: Sequence[Path], taxonomy: Taxonomy, *, monitor: str | None) -> Log:
    """The log of one monitor from files of labelled rows (`category` or `label`, `monitor` or `model`, `ts` where known).

    Raises:
        InputError: a file or row cannot be read, it holds several monitors and none is chosen, or too few responses.
    """
    places = {name: place for place, name in enumerate(taxonomy.names)}
    found: dict[str, tuple[list[int], list[str]]] = {}
    for record in LogFiles(files):
        where = f"{record.source.topic}, line {record.offset + 1}"
        try:
            row = msgspec.json.decode(record.value or b"", type=_Row)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise InputError(
                f"{where}: a row must be a JSON object with category (or label), and model or monitor"
            ) from None
        category = places.get(row.category or row.label or "")
        if category is None:
            raise InputError(
                f"{where}: category must be one of {', '.join(places)}; label responses with valuedrift classify"
            )
        categories, at = found.setdefault(row.monitor or row.model or "", ([], []))
        categories.append(category)
        if row.ts:
            at.append(row.ts)
    name = _chosen({key: len(categories) for key, (categories, _) in found.items()}, monitor)
    categories, at = found[name]
    if len(categories) < FEWEST:
        raise InputError(f"{name or 'the log'} has {len(categories)} responses; a backtest needs {FEWEST} at least")
    return Log(name or "log", np.array(categories, np.uint8), _daily(at, len(categories)))


def _chosen(found: dict[str, int], monitor: str | None) -> str:
    names = ", ".join(f"{name or '(none)'} ({n:,} responses)" for name, n in sorted(found.items())[:20])
    if not found:
        raise InputError("the files hold no responses")
    if monitor is None and len(found) > 1:
        raise InputError(f"the files hold several monitors; choose one with --monitor: {names}")
    name = next(iter(found)) if monitor is None else monitor
    if name not in found:
        raise InputError(f"the files hold no monitor {name!r}; they hold {names}")
    return name


def _daily(at: Sequence[str], n: int) -> float | None:
    """Responses a day; None where some have no time that can be read, or all have the same."""
    if len(at) < n:
        return None
    try:
        instants = times.parse_column(list(at))
    except ValueError:
        return None
    spent = int(instants.max() - instants.min())
    return None if spent == 0 else (n - 1) * DAY / spent
