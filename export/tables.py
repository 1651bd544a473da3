"""The figures of an evaluation as tables, for Markdown, a terminal and a page alike."""

from collections.abc import Iterable, Sequence

import msgspec

from export.metrics import Figures, Interval
from export.report import EVERYTHING, Report

BREAKDOWNS = {
    "source": "By source",
    "model": "By model",
    "length": "By length of the response",
    "language": "By script of the response",
    "truncated": "By how much of the texts was read",
}


class Table(msgspec.Struct, frozen=True):
    """A heading, what stands above the columns, and the cells."""

    heading: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def headline(report: Report) -> Table:
    """Returns the table that answers how good the bundle is."""
    header = ("rows", "n / prompts", "accuracy", "macro-F1", "g1/g2 confusion", "calibration excess", "always helpful")
    lines = (
        (name, _counts(f), *_figures(f), f"{report.always_helpful[name]:.3f}") for name, f in report.headline.items()
    )
    return Table("How good it is", header, tuple(lines))


def labels(report: Report) -> Table:
    """Returns precision, recall and F1 of each label over all rows."""
    lines = (
        (
            one.label,
            str(one.rows),
            _with(one.precision, one.precision_interval),
            _with(one.recall, one.recall_interval),
            _with(one.f1, one.f1_interval),
        )
        for one in report.headline[EVERYTHING].per_class
    )
    return Table("By label, all rows", ("label", "n", "precision", "recall", "F1"), tuple(lines))


def confusion(report: Report) -> Table:
    """Returns the counts of true (down) and predicted (across) labels over all rows; g1 and g2 stand first."""
    figures = report.headline[EVERYTHING]
    names = [one.label for one in figures.per_class]
    lines = ((name, *map(str, row)) for name, row in zip(names, figures.confusion, strict=True))
    return Table("Confusion, all rows (true label down, predicted across)", ("", *names), tuple(lines))


def entropies(report: Report) -> Table:
    """Returns what the errors do to the entropy."""
    header = ("rows", "S, true", "S, predicted", "error", "predicted - true (95 %)", "Pearson's ρ", "Spearman's ρ")
    lines = (
        (
            name,
            f"{one.true:.3f}",
            f"{one.predicted:.3f}",
            f"{one.error:.3f}",
            _range(one.difference_interval),
            _with(one.pearson, one.pearson_interval),
            _with(one.spearman, one.spearman_interval),
        )
        for name, one in report.entropy.items()
    )
    return Table("Entropy of the labels, nats", header, tuple(lines))


def breakdowns(report: Report) -> tuple[Table, ...]:
    """Returns one table for each way of taking the rows apart."""
    header = ("", "n / prompts", "accuracy", "macro-F1", "g1/g2 confusion", "calibration excess")
    return tuple(
        Table(BREAKDOWNS[name], header, tuple((part, _counts(f), *_figures(f)) for part, f in parts.items()))
        for name, parts in report.breakdowns.items()
    )


def unseen(report: Report) -> tuple[Table, ...]:
    """Returns what a source costs that training never saw, if that was measured."""
    if not report.unseen_sources:
        return ()
    header = ("source left out", "n", "trained with its other rows", "trained without", "difference")
    lines = [
        (s.source, str(s.rows), f"{s.with_it:.3f}", f"{s.without_it:.3f}", f"{s.without_it - s.with_it:+.3f}")
        for s in report.unseen_sources
    ]
    return (Table("A source that training never saw: logistic regression on MiniLM's embeddings", header, (*lines,)),)


def worst(report: Report) -> Table:
    """Returns the misjudged rows of most confidence, by file and line."""
    header = ("row", "model", "true", "predicted", "confidence")
    lines = ((w.place, w.model, w.true, w.predicted, f"{w.confidence:.3f}") for w in report.worst)
    return Table("Wrong and sure of it: rows to read, at most one a request", header, tuple(lines))


def every(report: Report) -> tuple[Table, ...]:
    """Returns all tables in the order in which people ask."""
    first = (headline(report), confusion(report), labels(report), entropies(report))
    return (*first, *breakdowns(report), *unseen(report), worst(report))


def notes(report: Report) -> tuple[str, ...]:
    """Returns what must be known to read the figures."""
    told = [
        (
            "Intervals are 95 % and resample prompts. Calibration excess: expected calibration error over 10 bins of equal"
            " mass, less what perfectly calibrated confidence would show on as many rows."
        ),
        (
            f"Entropies move together (ρ) over {_windows(report)}, each with a mix of models of its own. Pearson's ρ is the"
            " one to compare with the paper's: a monitor reacts to the size of a change."
        ),
    ]
    if report.not_held_out:
        told.append(
            f"{report.not_held_out:,} of {report.headline[EVERYTHING].rows:,} rows have a request that the bundle's training"
            " record does not list as held out: if training read them, the figures flatter it."
        )
    return tuple(told)


def card(report: Report) -> str:
    """Returns what a model card says of the figures, as Markdown."""
    rest = (labels(report), confusion(report), entropies(report), *breakdowns(report), *unseen(report))
    first = headline(report)
    return "\n".join([*notes(report), "", *markdown_table(first.header, first.rows), "", markdown(rest)])


def markdown(tables: Iterable[Table]) -> str:
    """Returns tables as Markdown, one heading each."""
    lines: list[str] = []
    for table in tables:
        lines += [f"## {table.heading}", "", *markdown_table(table.header, table.rows), ""]
    return "\n".join(lines)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Returns the lines of one Markdown table."""
    return [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows)]


def _windows(report: Report) -> str:
    largest = max(report.entropy.values(), key=lambda one: one.prompts)
    return f"{largest.windows} samples of up to {largest.prompts} prompts"


def _counts(f: Figures) -> str:
    return f"{f.rows:,} / {f.prompts:,}"


def _figures(f: Figures) -> tuple[str, str, str, str]:
    c = f.calibration
    return (
        _with(f.accuracy, (f.accuracy_low, f.accuracy_high)),
        _with(f.macro_f1, f.macro_f1_interval),
        _with(f.g1_g2_confusion, f.g1_g2_interval),
        _with(c.excess, c.excess_interval),
    )


def _with(value: float | None, interval: Interval | None) -> str:
    return "-" if value is None or interval is None else f"{value:.3f} ({_range(interval)})"


def _range(interval: Interval) -> str:
    return f"{interval[0]:.3f} to {interval[1]:.3f}"
