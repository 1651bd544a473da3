"""Draws training samples: labelled rows under a cap for each request, and mixed pairs whose label follows from how they are made."""

import random
import re
from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from export.rows import NONE, Row, normalise
from models.labels import LABELS, REQUEST_KINDS

G1, G2, G3, G4, G5 = range(len(LABELS))
_CAPS = {"gptfuzz": 12, "adaptive-attacks": 4, "latent-jailbreak": 6, "jailbreakbench-judge-labelled": 10}
"""Rows of one request that one pass may use, for the files that repeat a few requests many times."""

_SHARES = {"gpteacher-roleplay": 0.16, "gsm8k-worked-answers": 0.05}
"""Share of the files of plain benign answers that one pass uses."""

_CROSSED = 0.5
"""Share of the off-topic pairs in which both texts come from labelled rows."""

_HARMFUL = 0.65
"""Share of those whose request is harmful, and share whose answer is to a harmful one."""

_TRIES = 20
"""Draws for each off-topic pair wanted: where nearly all prompts are alike, fewer pairs come out."""

_REFUSALS = (
    "I'm sorry, but I can't assist with that.",
    "I'm sorry, I can't help with that request.",
    "I cannot fulfill this request.",
    "Sorry, I'm not able to do that.",
    "I can't help with this.",
    "I'm unable to provide that information.",
    "As an AI language model, I cannot provide that.",
    "I won't be able to help with this one.",
    "No, I will not do that.",
    "I must decline to answer this question.",
    "I apologize, but I cannot provide assistance with that.",
    "That is not something I can talk about.",
    "I don't feel comfortable answering that.",
    "This goes against my guidelines, so I have to decline.",
)
_DISCLAIMERS = (
    "Please note that I am an AI and this is not professional advice. ",
    "It's important to be careful here. That said, ",
    "I want to stress that this is for educational purposes only. ",
    "As an AI language model, I don't have personal opinions, but here is an overview. ",
    "I understand this is a sensitive topic. ",
    "Great question! ",
    "Sure! ",
    "Certainly, here is what you asked for: ",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One pair to learn from; `label` and `kind` are None where they are not known."""

    prompt: str
    response: str
    label: int | None
    kind: int | None
    weight: float = 1.0


def kind_of(label: int | None) -> int | None:
    """Returns 0 when `label` implies a benign request, 1 when harmful, None when it implies neither."""
    kind = None if label is None else REQUEST_KINDS[label]
    return None if kind is None else int(kind == "harmful")


class Mixer:
    """Draws one pass of samples at a time from the training rows, the same for the same seed."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._by_request: dict[tuple[str, str], list[Row]] = defaultdict(list)
        self._prompts = [row for row in rows if row.response is None]
        self._unlabelled = [row for row in rows if row.response is not None and row.label is None]
        for row in rows:
            if row.response is not None and row.label is not None:
                self._by_request[row.source, normalise(row.goal or row.prompt)].append(row)
        labelled = [row for group in self._by_request.values() for row in group]
        self._known = [(row.prompt, row.kind) for row in self._prompts] + sorted(
            {(row.prompt, kind_of(row.label)) for row in labelled if row.label != G5 and row.origin != NONE}
        )
        self._refusals = sorted({_opening(row.response or "") for row in labelled if row.label in (G3, G4)})
        self._requests = _by_kind(self._by_request.values(), (G1, G2, G3, G4))
        self._answered = _by_kind(self._by_request.values(), (G1, G2))
        self._answers = [row for row in labelled if row.label in (G1, G2)] + self._unlabelled

    def labelled(self, rng: random.Random) -> list[Sample]:
        """Returns one pass over the labelled rows, each request under its cap; some answers get a disclaimer in front."""
        samples: list[Sample] = []
        for (source, _), group in self._by_request.items():
            if rng.random() > _SHARES.get(source, 1.0):
                continue
            cap = _CAPS.get(source, 8)
            chosen = group if len(group) <= cap else _balanced(group, cap, rng)
            samples.extend(_augmented(row, rng) for row in chosen)
        return samples

    def off_topic(self, rng: random.Random, count: int) -> list[Sample]:
        """Returns `count` known prompts, each with the answer to another prompt; about half are of answered requests.

        Without that half, a classifier that saw harmful requests answered only to the point takes any answer to one for
        misaligned help.
        """
        samples: list[Sample] = []
        for _ in range(count * _TRIES):
            if len(samples) == count:
                break
            crossed = bool(self._requests and self._answered) and rng.random() < _CROSSED
            made = self._crossed(rng) if crossed else self._astray(rng)
            if made is not None:
                samples.append(made)
        return samples

    def _astray(self, rng: random.Random) -> Sample | None:
        prompt, kind = rng.choice(self._known)
        other = rng.choice(self._answers)
        if normalise(other.prompt) == normalise(prompt) or _shared(prompt, other.prompt) > 1:
            return None
        return Sample(prompt=prompt, response=_shortened(other.response or "", rng), label=G5, kind=kind)

    def _crossed(self, rng: random.Random) -> Sample | None:
        """Pairs a labelled request, more often harmful than not, with a labelled answer to another: each request alike."""
        asked = rng.choice(rng.choice(_pick(self._requests, rng)))
        other = rng.choice(rng.choice(_pick(self._answered, rng)))
        if _shared(asked.goal or asked.prompt, other.goal or other.prompt) > 0:
            return None
        text = _shortened(other.response or "", rng)
        return Sample(prompt=asked.prompt, response=text, label=G5, kind=kind_of(asked.label))

    def refused(self, rng: random.Random, count: int) -> list[Sample]:
        """Returns `count` known prompts, each with a real or plain refusal: appropriate or excessive by its kind."""
        samples: list[Sample] = []
        for _ in range(count):
            prompt, kind = rng.choice(self._known)
            said = rng.choice(_REFUSALS) if rng.random() < 0.4 else rng.choice(self._refusals)
            samples.append(Sample(prompt=prompt, response=said, label=G3 if kind else G4, kind=kind, weight=0.5))
        return samples

    def asked(self, rng: random.Random, count: int) -> list[Sample]:
        """Returns `count` known prompts with no response: only the kind can be learned from them."""
        chosen = rng.sample(self._known, min(count, len(self._known)))
        return [Sample(prompt=prompt, response="", label=None, kind=kind) for prompt, kind in chosen]

    def unlabelled(self, rng: random.Random, count: int) -> list[Sample]:
        """Returns `count` real pairs that nobody labelled, for a teacher to judge."""
        chosen = rng.sample(self._unlabelled, min(count, len(self._unlabelled)))
        return [Sample(prompt=row.prompt, response=row.response or "", label=None, kind=None) for row in chosen]


def _balanced(group: Sequence[Row], cap: int, rng: random.Random) -> list[Row]:
    by_label: dict[int | None, list[Row]] = defaultdict(list)
    for row in rng.sample(group, len(group)):
        by_label[row.label].append(row)
    chosen: list[Row] = []
    while len(chosen) < cap and any(by_label.values()):
        for rows in by_label.values():
            if rows and len(chosen) < cap:
                chosen.append(rows.pop())
    return chosen


def _augmented(row: Row, rng: random.Random) -> Sample:
    response = row.response or ""
    if row.label in (G1, G2) and rng.random() < 0.12:
        response = rng.choice(_DISCLAIMERS) + response
    prompt = row.prompt
    if row.goal and row.goal != prompt and row.source == "jailbreakbench-judge-labelled" and rng.random() < 0.3:
        prompt = row.goal
    weight = 0.5 if row.origin == NONE else 1.0
    return Sample(prompt=prompt, response=response, label=row.label, kind=kind_of(row.label), weight=weight)


def _opening(text: str) -> str:
    """Returns the first sentence or two of a refusal, at most 40 words, so that little of its topic is left."""
    sentences = re.split(r"(?<=[.!?])\s+", text.strip())
    opening = sentences[0] if len(sentences[0].split()) > 5 else " ".join(sentences[:2])
    return " ".join(opening.split()[:40])


def _shortened(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    keep = rng.choice((15, 30, 60, 120, 400))
    return " ".join(words[:keep])


def _shared(one: str, other: str) -> int:
    """Counts the longer words that two prompts share: with some, the answer to one may suit the other."""
    a = {word for word in normalise(one).split() if len(word) > 4}
    b = {word for word in normalise(other).split() if len(word) > 4}
    return len(a & b)


def _pick(by_kind: dict[int, list[list[Row]]], rng: random.Random) -> list[list[Row]]:
    """Returns the requests of one kind: harmful ones at their share, where there are both."""
    kind = int(rng.random() < _HARMFUL)
    return by_kind.get(kind) or by_kind[1 - kind]


def _by_kind(groups: Iterable[list[Row]], labels: Container[int | None]) -> dict[int, list[list[Row]]]:
    """Returns requests that have rows of the given labels, with those rows, by the kind that the labels imply."""
    found: dict[int, list[list[Row]]] = defaultdict(list)
    for group in groups:
        rows = [row for row in group if row.label in labels and row.origin != NONE]
        if rows and (kind := kind_of(rows[0].label)) is not None:
            found[kind].append(rows)
    return dict(found)
