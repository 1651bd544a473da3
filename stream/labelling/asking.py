"""Asks a person for one label after the other: what is shown, and what each key does. Keys and screen are arguments."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stream.labelling.folder import Labels, SampleRow
from stream.labelling.texts import harmless

SKIP, BACK, WHOLE, QUIT = "s", "b", "v", "q"
HEAD, TAIL = 30, 15
"""Lines of a long text that are shown from its beginning and its end; `v` shows all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """Where to ask: `read_key` waits for a key, `show` replaces what is on the screen, `width` is in characters."""

    read_key: Callable[[], str]
    show: Callable[[str], None]
    width: int


def ask(
    rows: Sequence[SampleRow],
    labels: Labels,
    categories: Sequence[str],
    *,
    terminal: Terminal,
    save: Callable[[Labels], None],
) -> Labels:
    """Asks for a label for each row that has none, rows that were skipped last, and saves after every answer.

    The prediction is not shown, so that it cannot sway anyone. Returns the labels when all rows have been asked for or the person quits.
    """
    given = dict(labels)
    waiting = [row for row in rows if row.row not in given] + [row for row in rows if given.get(row.row, "") is None]
    place, whole = 0, False
    while place < len(waiting):
        row = waiting[place]
        terminal.show(page(row, categories, done=_done(given), total=len(rows), width=terminal.width, whole=whole))
        key = terminal.read_key().lower()
        whole = False
        if key == QUIT:
            break
        if key == BACK:
            place = max(place - 1, 0)
        elif key == WHOLE:
            whole = True
        elif key == SKIP or key in [str(at) for at in range(1, len(categories) + 1)]:
            given[row.row] = None if key == SKIP else categories[int(key) - 1]
            save(given)
            place += 1
    return given


def page(
    row: SampleRow, categories: Sequence[str], *, done: int, total: int, width: int = 100, whole: bool = False
) -> str:
    """Returns what is shown for a row. Each line of a text stands behind a bar, so that none can pass for one of ours."""
    keys = "  ".join(f"[{at}] {name}" for at, name in enumerate(categories, 1))
    return "\n".join(
        [
            f"{done:,} of {total:,} labelled",
            "",
            "prompt",
            *_lines(row.prompt, width, whole=whole),
            "",
            "response",
            *_lines(row.response, width, whole=whole),
            "",
            keys,
            f"[{SKIP}] skip: cannot tell  [{BACK}] back  [{WHOLE}] view whole  [{QUIT}] quit: all answers are saved",
        ]
    )


def _done(labels: Labels) -> int:
    return sum(label is not None for label in labels.values())


def _lines(text: str, width: int, *, whole: bool) -> list[str]:
    lines = [
        f"│ {part}"
        for line in harmless(text).split("\n")
        for part in textwrap.wrap(line, max(width - 2, 20), replace_whitespace=False, drop_whitespace=False) or [""]
    ]
    if whole or len(lines) <= HEAD + TAIL + 1:
        return lines
    return [*lines[:HEAD], f"  … {len(lines) - HEAD - TAIL:,} lines more: {WHOLE} …", *lines[-TAIL:]]
