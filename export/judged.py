"""Labelled rows with what a classifier says of them, and the figures of any part of them."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from export import slices
from export.entropies import EntropyFigures, compare
from export.metrics import Figures, measure
from export.report import Wrong
from export.rows import Row, normalise
from models.classifier import Classifier, Pair

WORST: Final = 20
_BATCH = 64

Progress = Callable[[int, int], None]


class Judged:
    """Rows, all judged when it is made; parts of them are named by their places."""

    def __init__(self, classifier: Classifier, rows: Sequence[Row], progress: Progress) -> None:
        self._rows = rows
        self._labels = classifier.labels
        self._groups = [normalise(row.goal or row.prompt) for row in rows]
        self.truth: NDArray[np.int64] = np.array([row.label for row in rows], np.int64)
        self.predicted = np.empty(len(rows), np.int64)
        self.confidence = np.empty(len(rows), np.float64)
        self.truncated = np.empty(len(rows), np.bool_)
        for start in range(0, len(rows), _BATCH):
            batch = rows[start : start + _BATCH]
            said = classifier.classify([Pair(row.prompt, row.response or "") for row in batch])
            part = slice(start, start + len(batch))
            self.predicted[part], self.confidence[part] = said.category, said.confidence
            self.truncated[part] = said.truncated
            progress(start + len(batch), len(rows))

    def figures(self, members: Sequence[int]) -> Figures:
        """Returns the figures of a part that has a row."""
        index = np.array(members)
        return measure(
            self.truth[index],
            self.predicted[index],
            self.confidence[index],
            groups=[self._groups[i] for i in members],
            labels=self._labels,
        )

    def entropies(self, members: Sequence[int]) -> EntropyFigures:
        """Returns what the errors do to the entropy of a part that has a row."""
        index = np.array(members)
        return compare(
            self.truth[index],
            self.predicted[index],
            groups=[self._groups[i] for i in members],
            models=[slices.model(self._rows[i]) for i in members],
            labels=len(self._labels),
        )

    def by(self, names: Sequence[str]) -> dict[str, Figures]:
        """Returns the figures of the rows of each name, one name a row."""
        parts: dict[str, list[int]] = defaultdict(list)
        for index, name in enumerate(names):
            parts[name].append(index)
        return {name: self.figures(members) for name, members in sorted(parts.items())}

    def worst(self) -> tuple[Wrong, ...]:
        """Returns the misjudged rows of most confidence, at most one a request."""
        wrong = np.flatnonzero(self.truth != self.predicted)
        wrong = wrong[np.argsort(-self.confidence[wrong], kind="stable")]
        first = {self._groups[index]: int(index) for index in reversed(wrong.tolist())}
        chosen = sorted(first.values(), key=lambda index: (-self.confidence[index], index))[:WORST]
        return tuple(
            Wrong(
                place=self._rows[index].place,
                source=self._rows[index].source,
                model=slices.model(self._rows[index]),
                true=self._labels[self.truth[index]],
                predicted=self._labels[self.predicted[index]],
                confidence=round(float(self.confidence[index]), 4),
            )
            for index in chosen
        )
