"""Splits rows so that no request stands on both sides."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from export.rows import Row, normalise

_PROBE = 5
"""A request of at least this many words that stands inside a longer prompt links the two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitOptions:
    """Shares of the requests of each stratum that are held out, and the word that seeds the choice."""

    test: float = 0.15
    validation: float = 0.08
    seed: str = "valuedrift-split-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Indices into the rows that were split."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


def split_by_request(rows: Sequence[Row], options: SplitOptions) -> Split:
    """Returns a split in which rows with the same request, alone or inside a longer prompt, share a side.

    Requests are grouped by their normalised text; the shares are taken within each source (and type of prompt), in the
    order of a seeded hash, so that adding a source moves no request of another. Prompts that stand alone, and unlabelled
    pairs, give no test rows and a smaller validation share.
    """
    groups = _groups(rows)
    strata: dict[str, list[str]] = defaultdict(list)
    for name, members in groups.items():
        strata[_stratum([rows[i] for i in members])].append(name)
    sides: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    for stratum, names in sorted(strata.items()):
        names.sort(key=lambda name: hashlib.sha256(f"{options.seed}\0{name}".encode()).digest())
        labelled = not stratum.startswith("~")
        test = round(options.test * len(names)) if labelled else 0
        validation = round((options.validation if labelled else options.validation / 4) * len(names))
        for place, name in enumerate(names):
            side = "test" if place < test else "validation" if place < test + validation else "train"
            sides[side].extend(groups[name])
    return Split(**{side: tuple(sorted(members)) for side, members in sides.items()})


def _stratum(members: Sequence[Row]) -> str:
    labelled = [row for row in members if row.label is not None and row.origin != "none"]
    if not labelled:
        return f"~{members[0].source}"
    typed = [row for row in labelled if row.stratum]
    row = (typed or labelled)[0]
    return f"{row.source}/{row.stratum}"


def _groups(rows: Sequence[Row]) -> dict[str, list[int]]:
    parent: dict[str, str] = {}

    def find(key: str) -> str:
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    def join(one: str, other: str) -> None:
        a, b = sorted((find(one), find(other)))
        parent[b] = a

    keys: list[str] = []
    for row in rows:
        key = normalise(row.prompt) or "(empty)"
        parent.setdefault(key, key)
        keys.append(key)
        if row.goal and (goal := normalise(row.goal)):
            parent.setdefault(goal, goal)
            join(key, goal)
    for inner, outer in _contained(list(parent)):
        join(inner, outer)
    groups: dict[str, list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        groups[find(key)].append(index)
    return groups


def _contained(keys: Sequence[str]) -> list[tuple[str, str]]:
    """Returns (request, longer prompt) pairs where the words of the first stand in a row inside the second."""
    by_opening: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for key in keys:
        words = key.split()
        if _PROBE <= len(words) <= 60:
            by_opening[tuple(words[:_PROBE])].append(key)
    found: list[tuple[str, str]] = []
    for key in keys:
        words = key.split()
        padded = f" {key} "
        for start in range(len(words) - _PROBE + 1):
            candidates = by_opening.get(tuple(words[start : start + _PROBE]), ())
            found.extend((inner, key) for inner in candidates if len(inner) < len(key) and f" {inner} " in padded)
    return found


def request_hash(row: Row) -> str:
    """Returns the first 16 hex digits of the SHA-256 of the normalised prompt."""
    return hashlib.sha256(normalise(row.prompt).encode()).hexdigest()[:16]


def request_hashes(rows: Iterable[Row]) -> tuple[str, ...]:
    """Returns the hash of each distinct normalised prompt, sorted."""
    return tuple(sorted({request_hash(row) for row in rows}))
