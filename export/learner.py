"""What is trained while a T5 learns from a teacher, what it is told, and how fast each part moves."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from export.batches import Batch
from export.mixtures import G1, G2, G3, G4, G5
from export.student import AuxiliaryHead, T5Classifier
from export.teacher import Teacher, label_log_probs
from export.transplant import unit


@dataclass(frozen=True, slots=True, kw_only=True)
class DistilOptions:
    """How long and how hard to distil. `rate` is relative to the size of each weight, `head_rate` absolute.

    For the first `apart` of the run only the decoder learns, from the encoder as it is: a fresh decoder's gradients would
    undo the encoder's good start. With `minutes`, training ends after so long at the latest, and the rates fall to their
    end by then. `states` weighs the match with the teacher's states, which falls to a tenth of it; `kind_share` weighs
    what kind of request it is, for the pairs whose label does not say so. The last four count the mixed pairs of a pass.
    """

    passes: int = 2
    minutes: float | None = None
    tokens_per_batch: int = 2600
    rate: float = 0.001
    apart: float = 0.15
    head_rate: float = 1e-3
    warm_up: float = 0.03
    softness: float = 1.5
    label_share: float = 0.5
    states: float = 3.0
    kind_share: float = 0.3
    averaging: float = 0.99
    seed: int = 1
    unlabelled: int = 600
    off_topic: int = 2400
    refused: int = 2800
    asked: int = 1600

    def again(self) -> "DistilOptions":
        """Returns these options for a student that learned before: lower rates, and its states need no leading."""
        return replace(self, rate=0.7 * self.rate, head_rate=0.7 * self.head_rate, apart=0.04, states=0.1 * self.states)


class Learner(nn.Module):
    """The model, the running mean of its weights, and what helps it learn and is thrown away.

    `readings` (d, d), one a block, map the model's stream to the teacher's.
    """

    inner: Tensor

    def __init__(self, model: T5Classifier, readings: Sequence[Tensor]) -> None:
        super().__init__()
        self.model = model
        self.averaged = copy.deepcopy(model).eval()
        self.head = AuxiliaryHead(model.t5.config.d_model, len(model.label_ids))
        # Solved matrices lie in memory by columns; a fused optimiser takes its restored state for rows, whatever it was.
        self.reading = nn.Parameter(readings[-1].clone(memory_format=torch.contiguous_format))
        self.register_buffer("inner", torch.stack(list(readings))[:-1])

    def average(self, keep: float) -> None:
        """Moves the mean of the weights toward their present values by 1 - `keep`."""
        with torch.no_grad():
            for mean, now in zip(self.averaged.parameters(), self.model.parameters(), strict=True):
                if now.requires_grad:
                    mean.lerp_(now, 1 - keep)

    def groups(self, options: DistilOptions) -> list[dict[str, object]]:
        """Returns the optimiser's groups: `peak` is in proportion to a weight's size in the encoder, absolute elsewhere."""
        table = self.model.t5.shared.weight
        fresh = torch.zeros(len(table), 1)
        fresh[[*self.model.label_ids, self.model.t5.config.decoder_start_token_id]] = 1.0
        table.register_hook(lambda gradient: gradient * fresh)
        rated = [([table, *self.head.parameters()], options.head_rate)]
        rated.append(([self.reading], options.rate * _size(self.reading)))
        for name, weight in self.model.named_parameters():
            if weight is table:
                continue
            if "relative_attention_bias" in name:
                rate = 0.01
            elif name.startswith("t5.decoder"):
                rate = options.head_rate if weight.ndim > 1 else 0.003
            else:
                rate = options.rate * _size(weight)
            rated.append(([weight], rate))
        return [{"params": weights, "lr": rate, "peak": rate} for weights, rate in rated]

    def loss(self, teacher: Teacher, batch: Batch, options: DistilOptions, *, done: float) -> tuple[Tensor, float]:
        """Returns the loss of one batch at `done` of the run, and the mean cosine of the last states with the teacher's."""
        alone = done < options.apart
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                judged = teacher(batch)
            with torch.set_grad_enabled(not alone):
                states, streams = self.model.streams(batch.ids, batch.mask)
            logits = self.model.decode(states, batch.mask)
            pooled = self.head(states, batch)
        taught = label_log_probs(judged.kind, judged.behaviour)
        loss = told(logits, taught, batch, options) + 0.5 * told(pooled, taught, batch, options)
        keep = batch.mask.bool()
        cosine, apart = _compare(states.float()[keep] @ self.reading, judged.hidden[-1].float()[keep])
        if not alone:
            for stream, inner, wanted in zip(streams, self.inner, judged.hidden[1:-1], strict=True):
                apart = apart + 0.4 * _compare(unit(stream.float()[keep]) @ inner, wanted.float()[keep])[1]
            loss = loss + options.states * max(0.1, 1.0 - 1.2 * done) * apart
        return loss, float(cosine.detach())


def told(logits: Tensor, taught: Tensor, batch: Batch, options: DistilOptions) -> Tensor:
    """Returns how far logits (n, 5) are from the teacher's judgement, the labels, and the kinds of request."""
    soft = (taught / options.softness).log_softmax(-1)
    distance = (soft.exp() * (soft - (logits / options.softness).log_softmax(-1))).sum(-1) * options.softness**2
    # Off-topic pairs are made, so their label is sure: a teacher that says otherwise is not listened to.
    heard = batch.weight * ((batch.label != G5) | (taught.argmax(-1) == G5)).float()
    known = batch.weight * (batch.label >= 0).float()
    hit = nn.functional.cross_entropy(logits, batch.label.clamp(min=0), reduction="none", label_smoothing=0.03)
    untold = batch.weight * ((batch.kind >= 0) & ((batch.label < 0) | (batch.label == G5))).float()
    harmful = logits[:, [G2, G3]].logsumexp(-1) - logits[:, [G1, G4]].logsumexp(-1)
    wrong = nn.functional.binary_cross_entropy_with_logits(harmful, (batch.kind == 1).float(), reduction="none")
    parts = (1 - options.label_share) * distance * heard + options.label_share * hit * known
    total: Tensor = 2 * (parts + options.kind_share * wrong * untold).sum() / batch.weight.sum()
    return total


def _compare(got: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the mean cosine of two sets of states, and how far apart they are in direction and in size."""
    cosine = nn.functional.cosine_similarity(got, wanted, dim=-1).mean()
    error = (got - wanted).square().sum(-1) / wanted.square().sum(-1).mean()
    return cosine, 1 - cosine + 0.3 * error.mean()


def _size(weight: Tensor) -> float:
    return float(weight.detach().square().mean().sqrt())
