"""Compiles the detector before the worker joins its group: on a new machine that takes many seconds, later it is cached."""

from dataclasses import replace

import numpy as np

from stream.core.aged import SECOND
from stream.core.control import Accept, Learn
from stream.core.monitor import Monitor
from stream.core.records import Scored, Source
from stream.core.settings import EngineSettings
from stream.core.taxonomy import Taxonomy

LEARN = 100
"""Responses of a reference, the fewest that the engine takes."""


def compile_detector(taxonomy: Taxonomy, *, aged: bool) -> None:
    """Leads a monitor of its own through learning, alarm and return, and through its stored form; with a window by age if `aged`."""
    settings = EngineSettings(taxonomy=taxonomy, window=LEARN, stride=LEARN // 2, learn_from=LEARN, epsilon=1e-9)
    settings = replace(settings, window_age=SECOND if aged else None)
    usual = np.arange(4 * LEARN) % len(taxonomy)
    changed = np.full(2 * LEARN, len(taxonomy) - 1)
    monitor = Monitor("", settings)
    for part, categories in enumerate((usual, changed, usual)):
        monitor.observe(_scored(categories.astype(np.uint8), first=part * 4 * LEARN))
        monitor = Monitor.restore("", settings, monitor.snapshot())
    monitor.observe(Accept(control_id="", monitor="", ts=0, learn=Learn.WINDOW, source=Source("accepted", 0), offset=0))
    monitor.glance()


def _scored(categories: np.ndarray[tuple[int], np.dtype[np.uint8]], *, first: int) -> Scored:
    offsets = np.arange(first, first + len(categories))
    return Scored(
        monitor="",
        classifier="",
        source=Source("", 0),
        offset=offsets,
        event_id=tuple(map(str, offsets)),
        ts=offsets * 1_000_000,
        category=categories,
        attributes={},
    )
