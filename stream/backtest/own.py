"""A backtest of a person's own traffic: their log or shares, the changes that they ask about, the detectors that they name."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stream.backtest.compare import Comparison
from stream.backtest.feeds import Change, Feed, Simulated
from stream.backtest.injections import injected
from stream.backtest.models import nested
from stream.backtest.recipes import recipe
from stream.backtest.runs import Sizes
from stream.core.settings import EngineSettings

TIMES = 3
"""What each unwanted behaviour is multiplied by where nobody names a change."""
LEAST = 0.01
"""The least share that it then comes to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What is asked: `feed` called `name`, its changes in words or else what comes `after` it, and detectors by name."""

    name: str
    feed: Feed
    changes: tuple[str, ...]
    after: tuple[str, Feed] | None
    detectors: tuple[str, ...]
    wanted: int
    runs: int
    seed: int


def comparison(own: Own, settings: EngineSettings) -> Comparison:
    """The comparison that answers it.

    Raises:
        ValueError: a change or detector cannot be read; the message says what to write.
    """
    taxonomy = settings.taxonomy
    if own.after is not None:
        name, after = own.after
        changes: tuple[Change, ...] = (Change(f"{own.name}, then {name}", own.feed, after),)
    else:
        texts = own.changes or unwanted_rises(own.feed, settings)
        changes = tuple(injected(own.feed, text, taxonomy) for text in texts)
    wanted = tuple(each for each in (own.wanted // 10, own.wanted * 3 // 10, own.wanted) if each >= SHORTEST)
    return Comparison(
        title=own.name,
        feed=own.feed,
        changes=changes,
        recipes=tuple(recipe(text, settings) for text in own.detectors),
        settings=settings,
        sizes=Sizes(learn=settings.learn_from, missed=own.wanted),
        wanted=wanted or (own.wanted,),
        runs=own.runs,
        null_runs=max(own.runs // 2, 20),
        seed=own.seed,
    )


SHORTEST = 500
"""Least interval between false alarms of the operating curve."""


def unwanted_rises(feed: Feed, settings: EngineSettings) -> Sequence[str]:
    """A change for each unwanted behaviour: three times as frequent, and one in a hundred at least."""
    shares = feed.shares
    return [
        f"{behaviour.name}={max(TIMES * share, LEAST):.6f}"
        for behaviour, share in zip(settings.taxonomy.behaviours, shares.tolist(), strict=True)
        if not behaviour.wanted and TIMES * share < 1
    ]


def simulated(text: str) -> Simulated:
    """The model with these shares of g1..g5.

    Raises:
        ValueError: they are not five shares above 0 that add up to 1.
    """
    try:
        shares = np.array([float(part) for part in text.split(",")])
    except ValueError:
        shares = np.zeros(0)
    if len(shares) != 5 or not np.all(shares > 0) or abs(shares.sum() - 1) > 1e-6:
        raise ValueError(f"shares must be five numbers above 0 that add up to 1, got {text!r}")
    return Simulated(nested(shares))
