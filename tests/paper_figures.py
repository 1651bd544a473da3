"""Keeps the figures of docs/paper.md equal to what the experiments gave.

`python -m tests.paper_figures out/experiments` stores the tables that the page shows as docs/paper-figures.json and writes them between
the markers of the page; `make experiments` measures first. Figures in the page's sentences cannot be written by a program: `sentences`
has each phrase as the stored figures give it, and a test looks for it.
"""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from export.tables import markdown_table
from stream.experiments.writing import cell
from tests import figures

PAGE, STORED = Path("docs/paper.md"), Path("docs/paper-figures.json")
KEPT = {
    "dynamics": ("levels", "still", "recovery"),
    "threshold": ("noise", "epsilon", "delays", "quiet", "in_time", "blind"),
}
MODELS = {
    "gpt4": "GPT-4",
    "llama2new": "Llama 2 70B, no safety prompt",
    "llama2orig": "Llama 2 70B, original prompt",
    "mistralinstruct": "Mistral 7B, no guard prompt",
    "mistralguard": "Mistral 7B, guard prompt",
}
MISSED = ": missed"
Row = dict[str, str | float | None]
Tables = dict[str, list[Row]]


class _Table(msgspec.Struct):
    rows: list[Row]


class _Figures(msgspec.Struct):
    tables: dict[str, _Table]


def collected(folder: Path) -> Tables:
    """Returns the rows of the tables that the page is made of, from the folders of the experiments."""
    found: Tables = {}
    for experiment, names in KEPT.items():
        content = (folder / experiment / "figures.json").read_bytes()
        tables = msgspec.json.decode(content, type=_Figures).tables
        found |= {name: tables[name].rows for name in names}
    return found


def stored() -> Tables:
    """Returns the rows that were kept with the page."""
    return msgspec.json.decode(STORED.read_bytes(), type=Tables)


def begin(name: str) -> str:
    """Returns the marker above a table."""
    return f"<!-- figures {name}: written by `make experiments`, from {STORED} -->"


def blocks(tables: Tables) -> dict[str, str]:
    """Returns the page's tables by name."""
    made: dict[str, Callable[[Tables], list[str]]] = {
        "levels": _levels, "recovery": _recovery, "epsilon": _epsilon, "delays": _delays,
    }  # fmt: skip
    return {name: "\n".join(make(tables)) for name, make in made.items()}


def _levels(tables: Tables) -> list[str]:
    header = ("model", "S (nats)", "95 %", "of this, request kind", "of this, behaviour")
    rows = (
        (
            MODELS[str(row["model"])],
            f"{_number(row, 'S'):.2f}",
            f"{_number(row, 'low'):.2f} to {_number(row, 'high'):.2f}",
            f"{_number(row, 'traffic'):.2f}",
            f"{_number(row, 'behaviour'):.2f}",
        )
        for row in tables["levels"]
    )
    return markdown_table(header, rows)


def _recovery(tables: Tables) -> list[str]:
    header = ("drift", "true rate (nats per step)", "mean of 200", "sd", "coverage of the 95 % interval")
    rows = (
        (
            str(row["drift"]),
            *(cell(row[name]) for name in ("true rate", "mean", "sd")),
            f"{_number(row, 'coverage'):.1%}".replace("%", " %"),
        )
        for row in tables["recovery"]
    )
    return markdown_table(header, rows)


def _epsilon(tables: Tables) -> list[str]:
    """Both models in one row: the least and the largest of each figure."""
    header = (
        "window, stride", "sd of ΔS", "steps with abs(ΔS) > 0.001", "ε for one false alarm in 1,000 responses", "in 10,000",
        "in 100,000",
    )  # fmt: skip
    windows = dict.fromkeys((row["window"], row["stride"]) for row in tables["noise"])
    rows = []
    for window in windows:
        noise, chosen = (
            [row for row in tables[name] if (row["window"], row["stride"]) == window] for name in ("noise", "epsilon")
        )
        rows.append(
            (
                ", ".join(map(cell, window)),
                _between(_column(noise, "sd of ΔS"), ".3f"),
                _between(_column(noise, "steps that fire"), ".0%"),
                *(_between(_column(chosen, interval), ".3f") for interval in ("1,000", "10,000", "100,000")),
            )
        )
    return markdown_table(header, rows)


def _delays(tables: Tables) -> list[str]:
    """The calibrated rule and the two ε rules that are as quiet; the paper's own is left out."""
    change, *names = tables["delays"][0]
    rules = [name.removesuffix(MISSED) for name in names if name.endswith(MISSED)][:3]
    header = ("change", *(f"{rule.replace(', ', ', window ')}" for rule in rules))
    rows = (
        (
            str(row[change]),
            *(
                f"{_delay(row[f'{rule}: median'])}, {_number(row, rule + MISSED):.0%}".replace("%", " %")
                for rule in rules
            ),
        )
        for row in tables["delays"]
    )
    return markdown_table(header, rows)


def sentences(tables: Tables) -> tuple[str, ...]:
    """Returns what the page says of the tables in its sentences."""
    rates = _column(tables["still"], "dS/dt")
    behaviour = {str(row["model"]): f"{_number(row, 'behaviour'):.2f}" for row in tables["levels"]}
    levels = dict.fromkeys(f"{value:.2f}" for value in _column(tables["noise"], "S (nats)"))
    epsilons = [value for name in ("1,000", "10,000", "100,000") for value in _column(tables["epsilon"], name)]
    quiet = [_delay(value) for value in _column(tables["quiet"], "responses between false alarms")[:3]]
    (_, *short), (_, *long) = (list(row.values()) for row in tables["in_time"])
    in_time = [
        [f"{value:.0%}".removesuffix("%") for value in each[:3] if isinstance(value, float)] for each in (short, long)
    ]
    mix = next(row for row in tables["blind"] if str(row["rule"]).startswith("traffic_mix"))
    traffic = tables["delays"][-1]
    paper = next(row for row in tables["noise"] if (row["model"], row["window"]) == ("mistralguard", 500))
    return (
        f"between {min(rates) * 1e5:.1f}·10⁻⁵ and +{max(rates) * 1e5:.1f}·10⁻⁵ nats per step",
        f"{behaviour['mistralinstruct']} and {behaviour['mistralguard']}, {behaviour['llama2new']} and {behaviour['llama2orig']}",
        f"(S = {' and '.join(levels)})",
        f"{min(epsilons) / 0.001:.0f} to {max(epsilons) / 0.001:.0f} times the paper's",
        f"(measured: {', '.join(quiet)})",
        f"announces {in_time[0][0]} % before they are complete, the ε rules {in_time[0][1]} and {in_time[0][2]} %",
        f"over 10,000 responses {in_time[1][0]} %, {in_time[1][1]} % and {in_time[1][2]} %",
        f"(its {_delay(traffic['calibrated: median'])} are false alarms",
        f"reports it after {_delay(mix['median'])}",
        f"once every {_delay(paper['responses between alarms'])} responses",
    )


def _number(row: Row, name: str) -> float:
    value = row[name]
    if not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number, got {value!r}")
    return value


def _column(rows: Iterable[Row], name: str) -> list[float]:
    return [_number(row, name) for row in rows]


def _between(values: list[float], form: str) -> str:
    """The least and the largest, or the one that both are as written."""
    ends = dict.fromkeys(f"{value:{form}}".removesuffix("%") for value in (min(values), max(values)))
    return " to ".join(ends) + " %" * form.endswith("%")


def _delay(value: str | float | None) -> str:
    """Responses to two or three digits; a median beyond the horizon is `never`."""
    return "never" if value is None else f"{float(f'{float(value):.3g}'):,.0f}"


def main(folder: Path) -> int:
    """Stores the tables and rewrites the page's."""
    tables = collected(folder)
    page = PAGE.read_text(encoding="utf-8")
    for name, text in blocks(tables).items():
        page = figures.replaced(page, text, at=PAGE, begin=begin(name))
    PAGE.write_text(page, encoding="utf-8")
    STORED.write_bytes(msgspec.json.format(msgspec.json.encode(tables), indent=1) + b"\n")
    for phrase in sentences(tables):
        if phrase not in " ".join(page.split()):
            print(f"{PAGE} must now say: {phrase}", file=sys.stderr)
    print(f"{PAGE} and {STORED} say what the experiments gave")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
