"""The tables that chaos prints."""

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from tests.chaos.campaign import Outcome
from tests.chaos.faults import Blow, Fault
from tests.chaos.soak import Soak

console = Console(width=150)


def seeds(outcomes: Sequence[Outcome]) -> Table:
    """A row a seed, and their sum."""
    found = Table(title="chaos: every number from `lost` on must be 0")
    for name in ("seed", "seconds", "faults", "restarts", "responses", "drift", "alerts", *outcomes[0].findings.faults):
        found.add_column(name.replace("_", " "), justify="right")
    rows = [
        (
            round(each.seconds),
            len(each.blows),
            each.restarts,
            each.findings.responses,
            each.findings.drift,
            each.findings.alerts,
            *each.findings.faults.values(),
        )
        for each in outcomes
    ]
    for each, row in zip(outcomes, rows, strict=True):
        found.add_row(str(each.seed), *map(str, row), style=None if each.clean else "bold red")
    found.add_section()
    found.add_row("all", *(str(sum(column)) for column in zip(*rows, strict=True)))
    return found


def injected(blows: Iterable[Blow]) -> Table:
    """How often each fault struck."""
    counts = Counter(blow.fault for blow in blows)
    listed = Table(title="faults injected")
    listed.add_column("fault")
    listed.add_column("times", justify="right")
    for fault in Fault:
        listed.add_row(fault, str(counts[fault]))
    return listed


def soaked(found: Soak) -> Table:
    """What a soak found."""
    told = Table(title=f"soak of {found.minutes:.0f} minutes under {len(found.blows)} faults")
    told.add_column("what")
    told.add_column("figure", justify="right")
    sizes = {
        "responses": found.findings.responses,
        "drift events": found.findings.drift,
        "alerts": found.findings.alerts,
    }
    for name, number in (sizes | dict(found.findings.faults)).items():
        told.add_row(name.replace("_", " "), str(number))
    told.add_row("memory of the oldest worker, MB", f"{found.memory / 1e6:.0f}")
    told.add_row(f"its slope over {found.watched:.0f} minutes, MB an hour", f"{found.slope / 1e6:+.1f}")
    return told
