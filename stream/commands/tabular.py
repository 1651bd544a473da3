"""Tables on a terminal, and the same in a pipe, where no line is broken."""

from collections.abc import Iterable, Sequence


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints rows below their header; what comes from records must be made safe for a terminal before."""
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    table = Table(*(Column(Text(name), no_wrap=True) for name in header), box=None, padding=(0, 1, 0, 0))
    for row in rows:
        table.add_row(*map(Text, row))  # as texts: square brackets of a name are no markup
    console = Console()
    if not console.is_terminal:
        console.width = 200  # in a pipe there is no window to fit into, and what is wrapped cannot be searched for
    console.print(table)
