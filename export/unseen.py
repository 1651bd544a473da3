"""What a new deployment may cost: accuracy on a source whose rows training never saw, for a plain model on frozen features.

The shipped model is not trained again for each source, which would take days. Instead MiniLM's sentence embeddings of
prompt and response, frozen, are sorted by logistic regression, trained once with and once without the source: the
difference is what that source is worth to a model that otherwise knows the same.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from transformers import BertModel

from export.curves import Progress
from export.evaluate import EvaluateOptions
from export.minilm import minilm_folder
from export.report import UnseenSource
from export.rows import NONE, Row, read_folder
from export.split import split_by_request
from models.labels import LABELS
from models.onnx_t5 import read_tokenizer

LEAST_ROWS: Final = 10
"""Sources with fewer held-out rows say nothing."""

_TOKENS = 128
_BATCH = 64
_DECAY = 1e-4
_STEPS = 60


def unseen_sources(
    options: EvaluateOptions, progress: Progress = lambda _stage, _step, _steps, _words: None
) -> tuple[UnseenSource, ...]:
    """Returns for each source the accuracy on its held-out rows of a model trained with its other rows, and without.

    Both models train on the training part of the split of `options` and differ in that source alone; rows of all other
    sources are the same.
    """
    rows = read_folder(options.data)
    split = split_by_request(rows, options.split)
    usable = {i for i, row in enumerate(rows) if row.label is not None and row.response and row.origin != NONE}
    train, test = ([rows[i] for i in side if i in usable] for side in (split.train, split.test))
    features = _features([*train, *test], progress)
    labels = torch.tensor([row.label for row in [*train, *test]])
    source = np.array([row.source for row in [*train, *test]])
    training = np.arange(len(source)) < len(train)
    with_all = _fit(features[training], labels[training])
    found = []
    names = sorted(set(source[~training]))
    for number, name in enumerate(names):
        progress("sources", number, len(names), str(name))
        members = ~training & (source == name)
        rest = training & (source != name)
        if members.sum() < LEAST_ROWS or not rest.any():
            continue
        without = _fit(features[rest], labels[rest])
        with torch.no_grad():
            judged = [model(features[members]).argmax(1) == labels[members] for model in (with_all, without)]
        seen, unseen = (round(float(hits.float().mean()), 4) for hits in judged)
        found.append(UnseenSource(source=str(name), rows=int(members.sum()), with_it=seen, without_it=unseen))
    progress("sources", len(names), len(names), "")
    return tuple(found)


def _features(rows: Sequence[Row], progress: Progress) -> Tensor:
    """Returns [prompt, response, product] of unit embeddings, shape (n, 3 x 384); equal texts are read once."""
    texts = sorted({text for row in rows for text in (row.prompt, row.response or "")}, key=len)
    tokenizer = read_tokenizer(minilm_folder() / "tokenizer.json")
    tokenizer.enable_truncation(_TOKENS)
    tokenizer.enable_padding()
    encoder = BertModel.from_pretrained(minilm_folder(), attn_implementation="sdpa").eval()
    vectors: dict[str, Tensor] = {}
    for start in range(0, len(texts), _BATCH):
        batch = texts[start : start + _BATCH]
        encoded = tokenizer.encode_batch(batch)
        ids = torch.tensor([one.ids for one in encoded])
        mask = torch.tensor([one.attention_mask for one in encoded])
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            states = encoder(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        means = (states * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
        vectors.update(zip(batch, nn.functional.normalize(means, dim=-1), strict=True))
        progress("embeddings", start + len(batch), len(texts), "")
    asked = torch.stack([vectors[row.prompt] for row in rows])
    said = torch.stack([vectors[row.response or ""] for row in rows])
    return torch.cat([asked, said, asked * said * asked.shape[1] ** 0.5], dim=1)


def _fit(features: Tensor, labels: Tensor) -> nn.Linear:
    """Returns logistic regression with a little weight decay; labels count alike by the square root of their frequency."""
    torch.manual_seed(0)
    model = nn.Linear(features.shape[1], len(LABELS))
    counts = torch.bincount(labels, minlength=len(LABELS)).clamp(min=1)
    weight = counts.sum().sqrt() / counts.sqrt()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value: Tensor = nn.functional.cross_entropy(model(features), labels, weight=weight)
        value = value + _DECAY * model.weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    return model
