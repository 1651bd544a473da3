"""How often the detector alarms while nothing changes, and how late it is compared with a CUSUM that knows the change.

Run as `python -m tests.bench.study_detection [--quick]`: prints the tables of docs/statistics.md, "Detector", in Markdown, and on standard
error how far it is. Seeded: the same command gives the same figures. After ± stands a standard error.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from stream.backtest.estimates import Estimate, quantile
from stream.backtest.models import BASES, CHANGES, FITTED, OTHERS, Floats, Random, bursty, daily, random_changes
from stream.core.settings import Watch
from tests.bench.study_runs import KNOB, Study, delay, interval, interval_given, learned_from, oracle

REFERENCES = (None, 500, 1_000, 5_000)
"""Responses that a reference is learned from; None: the shares are known."""
LONGEST_RATIO = 12
"""In the table of random changes a delay counts as at most this many times the oracle's."""
WATCHES: tuple[Watch, ...] = ("behaviour", "all")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Runs behind one figure: an interval, a long one, a delay, that of one random change, and the oracle's (random changes: a quarter).

    `reference` is the number of single references, and of runs with each.
    """

    interval: int
    long_interval: int
    delay: int
    random_delay: int
    oracle: int
    reference: int


FULL = Sizes(interval=250, long_interval=40, delay=800, random_delay=150, oracle=4_000, reference=40)
QUICK = Sizes(interval=80, long_interval=20, delay=300, random_delay=50, oracle=2_000, reference=30)


def table(title: str, head: Sequence[str], cells: Callable[[int | None], Sequence[str]]) -> None:
    """Print a table with a row for each kind of reference, and say so on standard error before each."""
    print(f"\n{title}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for learned in REFERENCES:
        name = "known" if learned is None else f"learned from {learned:,}"
        print(f"{title[:40]}…: {name}", file=sys.stderr, flush=True)
        print("| " + " | ".join((name, *cells(learned))) + " |", flush=True)


def over_models(models: Sequence[Floats], study: Study) -> str:
    """Mean of the models' intervals, its error, the least and the most."""
    found = [interval(model, study) for model in models]
    values = [each.value for each in found]
    error = np.sqrt(np.sum(np.square([each.error for each in found]))) / len(found)
    return f"{np.mean(values):,.0f} ± {error:,.0f} ({min(values):,.0f} to {max(values):,.0f})"


def steady_traffic(sizes: Sizes, random: Random) -> None:
    def cells(learned: int | None) -> list[str]:
        studies = [Study(watch=watch, learned=learned, runs=sizes.interval, random=random) for watch in WATCHES]
        return [over_models(models, study) for study in studies for models in (FITTED, OTHERS)]

    head = ("reference", "behaviour: fitted, mean (least to most)", "others", "all: fitted", "others")
    table(f"Realised interval at a knob of {KNOB:,}, steady traffic", head, cells)


def moving_traffic(sizes: Sizes, random: Random) -> None:
    def cells(learned: int | None) -> list[str]:
        studies = [
            Study(watch=watch, learned=learned, runs=sizes.interval, random=random, traffic=traffic)
            for watch in WATCHES
            for traffic in (bursty, daily)
        ]
        return [over_models(BASES, study) for study in studies]

    head = ("reference", "behaviour: bursty, mean (least to most)", "daily", "all: bursty", "daily")
    table(f"Realised interval at a knob of {KNOB:,}, quiet and busy under moving traffic", head, cells)


def other_rules(sizes: Sizes, random: Random) -> None:
    columns = ((WATCHES[0], 1_000), (WATCHES[0], 2_000), (WATCHES[0], 100_000), (None, KNOB))

    def cells(learned: int | None) -> list[str]:
        return [
            over_models(
                BASES,
                Study(
                    watch=watch,
                    knob=knob,
                    learned=learned,
                    runs=sizes.long_interval if knob > KNOB else sizes.interval,
                    random=random,
                ),
            )
            for watch, knob in columns
        ]

    head = ("reference", *(f"{watch or 'traffic_mix'}, {knob:,}" for watch, knob in columns))
    table("Realised interval of quiet and busy at other knobs, and of traffic_mix", head, cells)


def single_references(sizes: Sizes, random: Random) -> None:
    """The row of the known reference shows what chance alone does to so few runs."""

    def cells(learned: int | None) -> list[str]:
        study = Study(watch="behaviour", learned=learned, runs=sizes.reference, random=random)
        texts = []
        for model in BASES:
            references = [learned_from(model, study)[0] for _ in range(sizes.reference)]
            values = [interval_given(reference, model, study).value for reference in references]
            low, middle = quantile(values, 0.1), quantile(values, 0.5)
            texts.append(f"{low.value:,.0f} ± {low.error:,.0f}, {middle.value:,.0f} ± {middle.error:,.0f}")
        return texts

    title = f"Intervals of single references, behaviour, 10th percentile and median of {sizes.reference}"
    table(title, ("reference", "quiet", "busy"), cells)


def declared_changes(sizes: Sizes, random: Random) -> None:
    best = [oracle(change, runs=sizes.oracle) for change in CHANGES.values()]

    def cells(learned: int | None) -> list[str]:
        study = Study(watch="all", learned=learned, runs=sizes.delay, random=random)
        found = [delay(change, study) / known for change, known in zip(CHANGES.values(), best, strict=True)]
        return [f"{each.value:.2f} ± {each.error:.2f}" for each in found]

    print("\nOracle's mean delay: " + ", ".join(f"{each.value:.1f} ± {each.error:.1f}" for each in best))
    table(f"Delay over the oracle's at a knob of {KNOB:,}, watch = all", ("reference", *CHANGES), cells)


def any_changes(sizes: Sizes, random: Random) -> None:
    sets = [random_changes(number, seed) for number, seed in ((16, 2024), (10, 31337))]
    best = [[oracle(change, runs=sizes.oracle // 4) for change in changes] for changes in sets]

    def summary(changes: Sequence[tuple[Floats, Floats]], oracles: Sequence[Estimate], study: Study) -> str:
        found = [
            delay(change, study, longest=round(LONGEST_RATIO * known.value)) / known
            for change, known in zip(changes, oracles, strict=True)
        ]
        ratios = [each.value for each in found]
        error = np.sqrt(np.sum(np.square([each.error for each in found]))) / len(found)
        high = quantile(ratios, 0.9)
        return f"{np.mean(ratios):.2f} ± {error:.2f}, {high.value:.2f} ± {high.error:.2f}"

    def cells(learned: int | None) -> list[str]:
        study = Study(watch="all", learned=learned, runs=sizes.random_delay, random=random)
        return [summary(changes, oracles, study) for changes, oracles in zip(sets, best, strict=True)]

    head = (
        "reference",
        *(f"{len(changes)} random changes, {when}" for changes, when in zip(sets, ("fitted", "later"), strict=True)),
    )
    table("Delay over the oracle's, mean and 90th percentile over changes, watch = all", head, cells)


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--quick"]):
        print("usage: python -m tests.bench.study_detection [--quick]", file=sys.stderr)
        return 2
    for study in (declared_changes, any_changes, steady_traffic, moving_traffic, other_rules, single_references):
        study(QUICK if arguments else FULL, np.random.default_rng(1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
