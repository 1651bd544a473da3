"""Turns samples into padded batches of about equal token counts."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from export.mixtures import Sample
from models.pairs import Layout, encode_pairs

UNKNOWN = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """One sample as token ids; `split` is where the second text begins."""

    ids: list[int]
    split: int
    label: int
    kind: int
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Tensors of n rows padded to t tokens; `label` and `kind` are -1 where unknown."""

    ids: Tensor
    mask: Tensor
    segment: Tensor
    label: Tensor
    kind: Tensor
    weight: Tensor


def encode_samples(samples: Sequence[Sample], tokenizer: Tokenizer, layout: Layout) -> list[Encoded]:
    """Returns the samples as token ids in the given layout."""

    def tokenize(texts: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

    pairs = encode_pairs([(sample.prompt, sample.response, "") for sample in samples], tokenize, layout)
    return [
        Encoded(
            ids=pair.ids,
            split=pair.response_at,
            label=UNKNOWN if sample.label is None else sample.label,
            kind=UNKNOWN if sample.kind is None else sample.kind,
            weight=sample.weight,
        )
        for sample, pair in zip(samples, pairs, strict=True)
    ]


def make_batches(
    rows: Sequence[Encoded], rng: random.Random, *, tokens: int, pad: int, largest: int = 64
) -> list[Batch]:
    """Returns the rows as batches of at most `tokens` padded tokens and `largest` rows, in random order.

    Rows of like length share a batch; the noise in the sort keeps batches different from pass to pass.
    """
    order = sorted(range(len(rows)), key=lambda i: len(rows[i].ids) * (1 + 0.2 * rng.random()))
    groups: list[list[int]] = [[]]
    for index in order:
        longest = max([len(rows[index].ids), *(len(rows[i].ids) for i in groups[-1])])
        if groups[-1] and (longest * (len(groups[-1]) + 1) > tokens or len(groups[-1]) >= largest):
            groups.append([])
        groups[-1].append(index)
    rng.shuffle(groups)
    return [collate([rows[i] for i in group], pad) for group in groups]


def collate(rows: Sequence[Encoded], pad: int) -> Batch:
    """Returns one batch, padded to its longest row."""
    width = max(len(row.ids) for row in rows)
    ids = torch.full((len(rows), width), pad)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    segment = torch.zeros((len(rows), width), dtype=torch.long)
    for place, row in enumerate(rows):
        length = len(row.ids)
        ids[place, :length] = torch.tensor(row.ids)
        mask[place, :length] = 1
        segment[place, row.split : length] = 1
    return Batch(
        ids=ids,
        mask=mask,
        segment=segment,
        label=torch.tensor([row.label for row in rows]),
        kind=torch.tensor([row.kind for row in rows]),
        weight=torch.tensor([row.weight for row in rows]),
    )
