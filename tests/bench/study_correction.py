"""How well entropy corrected for classifier error is estimated, and how often its intervals hold what they should.

Run as `python -m tests.bench.study_correction [--quick]`: prints the tables of docs/statistics.md, "Corrected for classifier error".
Seeded: the same command gives the same figures. The standard error of a coverage near 95 % is 0.7 points, with --quick 1.5.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

import numpy as np

from models.bundle import DEFAULT_BUNDLE
from models.classifier import Pair
from models.labels import LABELS
from models.onnx_t5 import load as load_classifier
from stream.core.correction import Estimate, Floats, Integers, as_counted, by_confusion, plug_in, soft_labels
from stream.core.prediction_powered import Stratum, prediction_powered
from stream.experiments.rows import held_out
from stream.experiments.rows import load as load_rows
from stream.labelling.evidence import Evidence, load_evidence
from stream.labelling.picking import pick

CASES: Mapping[str, Floats] = MappingProxyType(
    {
        "quiet": np.array([0.975, 0.005, 0.01, 0.005, 0.005]),
        "busy": np.array([0.86, 0.02, 0.06, 0.03, 0.03]),
        "mixed": np.array([0.6, 0.08, 0.2, 0.07, 0.05]),
    }
)
"""True shares of g1..g5: the references of docs/statistics.md, and traffic with many harmful requests."""


@dataclass(frozen=True, slots=True)
class Errs:
    """How a simulated classifier errs: `noise` of its logits around the shipped one's confusion; a `scale` above 1 makes it too sure."""

    noise: float
    scale: float


CLASSIFIERS: Mapping[str, Errs] = MappingProxyType(
    {"good, unsure": Errs(1.2, 1.0), "fair": Errs(1.5, 1.0), "poor, too sure": Errs(2.0, 2.0)}
)


@dataclass(slots=True)
class Tally:
    """Of many estimates: whether the intervals of S and of each share held the truth, the errors of S, the widths of its interval."""

    shares: Floats
    entropy_held: list[bool] = field(default_factory=list)
    shares_held: list[list[bool]] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)

    def add(self, made: Estimate) -> None:
        truth = float(plug_in(self.shares))
        self.entropy_held.append(made.entropy.low <= truth <= made.entropy.high)
        self.shares_held.append(
            [each.low <= share <= each.high for each, share in zip(made.shares, self.shares.tolist(), strict=True)]
        )
        self.errors.append(made.entropy.value - truth)
        self.widths.append(made.entropy.high - made.entropy.low)

    @property
    def coverage(self) -> float:
        """Of the interval of S."""
        return float(np.mean(self.entropy_held))

    @property
    def share_coverage(self) -> Floats:
        """Of the interval of each share."""
        means: Floats = np.mean(self.shares_held, axis=0)
        return means

    @property
    def bias(self) -> float:
        """Of S, in nats."""
        return float(np.mean(self.errors))

    @property
    def rmse(self) -> float:
        """Of S, in nats."""
        return float(np.sqrt(np.mean(np.square(self.errors))))

    @property
    def width(self) -> float:
        """Of the interval of S, on average."""
        return float(np.mean(self.widths))


@cache
def shipped_evidence() -> Evidence:
    """Held-out rows of the shipped bundle, as `valuedrift label estimate` takes them."""
    found = load_evidence(DEFAULT_BUNDLE, "")
    if isinstance(found, str):
        raise TypeError(found)
    return found


def shipped_rates() -> Floats:
    """Its rows as shares, with a quarter of a row in each cell so that no error is impossible."""
    confusion = shipped_evidence().confusion * shipped_evidence().design_effect
    shares: Floats = (confusion + 0.25) / (confusion + 0.25).sum(axis=1, keepdims=True)
    return shares


def confusion_study(
    shares: Floats, *, n: int, runs: int, random: np.random.Generator, fewer_errors: float = 1.0
) -> dict[str, Tally]:
    """n responses of a classifier with the shipped one's confusion, corrected by a held-out table that is drawn anew each time.

    `fewer_errors` multiplies the classifier's errors on the responses, not on the held-out rows: the assumption broken.
    """
    of_table = shipped_rates()
    of_traffic = fewer_errors * of_table + (1 - fewer_errors) * np.eye(len(shares))
    sizes = np.rint(shipped_evidence().confusion.sum(axis=1)).astype(np.int64)
    found = {"predicted": Tally(shares), "confusion": Tally(shares)}
    for run in range(runs):
        table = np.array([random.multinomial(size, row) for size, row in zip(sizes, of_table, strict=True)])
        counts = random.multinomial(n, shares @ of_traffic)
        found["predicted"].add(as_counted(counts))
        found["confusion"].add(by_confusion(counts, table.astype(np.float64), draws=1_000, seed=run))
    return found


def respond(shares: Floats, errs: Errs, n: int, random: np.random.Generator) -> tuple[Integers, Floats]:
    """True behaviours (n,) and the classifier's probabilities (n, k)."""
    truth = random.choice(len(shares), n, p=shares)
    logits = np.log(shipped_rates())[truth] + errs.noise * random.standard_normal((n, len(shares)))
    likelihood = np.exp(errs.scale * (logits - logits.max(axis=1, keepdims=True)))
    return truth, likelihood / likelihood.sum(axis=1, keepdims=True)


def labelled_strata(truth: Integers, probs: Floats, *, budget: int, seed: int) -> list[Stratum]:
    """The sample that `valuedrift label pick` draws, labelled without a mistake."""
    return [
        Stratum(
            size=len(each.members),
            mean=probs[each.members].mean(axis=0),
            probs=probs[each.drawn],
            labels=truth[each.drawn],
        )
        for each in pick(probs.argmax(axis=1), probs, budget=budget, seed=seed)
    ]


def labelled_study(
    shares: Floats, errs: Errs, *, budget: int, runs: int, random: np.random.Generator, n: int = 5_000
) -> dict[str, Tally]:
    """n responses, of which `budget` are labelled; beside it what the same number of labels gives when they are drawn from all alike."""
    found = {name: Tally(shares) for name in ("predicted", "soft", "labelled", "labels alone")}
    k = len(shares)
    for run in range(runs):
        truth, probs = respond(shares, errs, n, random)
        found["predicted"].add(as_counted(np.bincount(probs.argmax(axis=1), minlength=k)))
        found["soft"].add(soft_labels(probs.mean(axis=0), np.cov(probs, rowvar=False, bias=True), n))
        strata = labelled_strata(truth, probs, budget=budget, seed=run)
        found["labelled"].add(prediction_powered(strata).estimate)
        found["labels alone"].add(as_counted(np.bincount(random.choice(truth, budget, replace=False), minlength=k)))
    return found


def unseen_rows() -> tuple[Integers, Floats]:
    """People's labels (n,) of the XSTest rows that the shipped classifier was not trained on, and its probabilities (n, k)."""
    rows = held_out(load_rows().rows, DEFAULT_BUNDLE) or ()
    judged = load_classifier(DEFAULT_BUNDLE).classify([Pair(row.prompt, row.response) for row in rows])
    return np.array([LABELS.index(row.label) for row in rows]), judged.probs.astype(np.float64)


def real_study(
    truth: Integers, probs: Floats, *, budget: int, runs: int, random: np.random.Generator, n: int = 2_000
) -> dict[str, Tally]:
    """n responses drawn with repetition from real ones; what is right is the shares of people's labels among those."""
    k = probs.shape[1]
    shares = np.bincount(truth, minlength=k) / len(truth)
    found = {name: Tally(shares) for name in ("as predicted", "mean of probabilities", "confusion inverted", "labels")}
    for run in range(runs):
        drawn = random.integers(0, len(truth), n)
        some = probs[drawn]
        counts = np.bincount(some.argmax(axis=1), minlength=k)
        found["as predicted"].add(as_counted(counts))
        found["mean of probabilities"].add(soft_labels(some.mean(axis=0), np.cov(some, rowvar=False, bias=True), n))
        found["confusion inverted"].add(by_confusion(counts, shipped_evidence().confusion, draws=1_000, seed=run))
        strata = labelled_strata(truth[drawn], some, budget=budget, seed=run)
        found["labels"].add(prediction_powered(strata).estimate)
    return found


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _row(*cells: str) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


def _head(*cells: str) -> None:
    print()
    _row(*cells)
    _row(*("---" for _ in cells))


def main(runs: int) -> None:
    """Prints the tables."""
    _head(
        "traffic, n",
        "S",
        "as predicted: bias",
        "covered, %",
        "confusion inverted: bias",
        "RMSE",
        "S covered, %",
        "shares covered, %",
    )
    for name, shares in CASES.items():
        for n in (1_000, 20_000):
            for fewer, said in ((1.0, ""), (0.5, ", half the errors")):
                found = confusion_study(shares, n=n, runs=runs, random=np.random.default_rng(1), fewer_errors=fewer)
                plain, made = found["predicted"], found["confusion"]
                _row(
                    f"{name}, {n:,}{said}", f"{plug_in(shares):.2f}", f"{plain.bias:+.3f}", _percent(plain.coverage),
                    f"{made.bias:+.3f}", f"{made.rmse:.3f}", _percent(made.coverage), _span(made),
                )  # fmt: skip
    _head(
        "classifier, traffic",
        "labels",
        "RMSE: as predicted",
        "mean of probabilities",
        "with labels",
        "labels alone",
        "S covered, %",
        "shares covered, %",
        "width / labels alone",
    )
    for kind, errs in CLASSIFIERS.items():
        for name, shares in CASES.items():
            for budget in (100, 200, 500):
                found = labelled_study(shares, errs, budget=budget, runs=runs, random=np.random.default_rng(1))
                made, alone = found["labelled"], found["labels alone"]
                _row(
                    f"{kind}, {name}", f"{budget}", f"{found['predicted'].rmse:.3f}", f"{found['soft'].rmse:.3f}",
                    f"{made.rmse:.3f}", f"{alone.rmse:.3f}", _percent(made.coverage), _span(made), f"{made.width / alone.width:.2f}",
                )  # fmt: skip

    truth, probs = unseen_rows()
    _head("unseen XSTest rows, 200 labels of 2,000", "S: bias", "RMSE", "width", "S covered, %", "shares covered, %")
    real = real_study(truth, probs, budget=200, runs=runs, random=np.random.default_rng(1))
    for method, made in real.items():
        _row(
            method,
            f"{made.bias:+.3f}",
            f"{made.rmse:.3f}",
            f"{made.width:.3f}",
            _percent(made.coverage),
            _span(made),
        )


def _span(made: Tally) -> str:
    covered = made.share_coverage
    return f"{_percent(covered.mean())} ({_percent(covered.min())} to {_percent(covered.max())})"


if __name__ == "__main__":
    main(200 if "--quick" in sys.argv[1:] else 1_000)
