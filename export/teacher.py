"""The teacher: a MiniLM cross-encoder that reads the pair and says what kind of request it is and what the answer does."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import BertModel

from export.batches import Batch

COMPLIES, REFUSES, STRAYS = range(3)
_BEHAVIOUR = (COMPLIES, COMPLIES, REFUSES, REFUSES, STRAYS)
"""What each label g1..g5 says of the answer alone."""


class Judgement(NamedTuple):
    """Log-probabilities of the request's kind (n, 2) and of the answer's behaviour (n, 3), from two heads."""

    kind: Tensor
    behaviour: Tensor
    cls_kind: Tensor
    cls_behaviour: Tensor
    hidden: tuple[Tensor, ...]


class Teacher(nn.Module):
    """Factors the label: P(g2) is P(harmful)·P(complies), so that prompts of known kind alone teach all four labels."""

    def __init__(self, encoder: BertModel) -> None:
        super().__init__()
        width = encoder.config.hidden_size
        self.encoder = encoder
        self.pooled = nn.Sequential(nn.Dropout(0.1), nn.Linear(4 * width, width), nn.GELU(), nn.Dropout(0.1))
        self.out = nn.Linear(width, 5)
        self.cls_out = nn.Linear(width, 5)

    def forward(self, batch: Batch) -> Judgement:
        """Judges a batch; both heads read the same encoder."""
        encoded = self.encoder(
            input_ids=batch.ids, attention_mask=batch.mask, token_type_ids=batch.segment, output_hidden_states=True
        )
        last = encoded.last_hidden_state
        said = (batch.segment * batch.mask).unsqueeze(-1).to(last.dtype)
        asked = ((1 - batch.segment) * batch.mask).unsqueeze(-1).to(last.dtype)
        prompt = (last * asked).sum(1) / asked.sum(1).clamp(min=1)
        response = (last * said).sum(1) / said.sum(1).clamp(min=1)
        joined = torch.cat([last[:, 0], prompt, response, prompt * response], dim=-1)
        out = self.out(self.pooled(joined)).float()
        cls = self.cls_out(last[:, 0]).float()
        return Judgement(
            kind=out[:, :2].log_softmax(-1),
            behaviour=out[:, 2:].log_softmax(-1),
            cls_kind=cls[:, :2].log_softmax(-1),
            cls_behaviour=cls[:, 2:].log_softmax(-1),
            hidden=encoded.hidden_states,
        )


def label_log_probs(kind: Tensor, behaviour: Tensor) -> Tensor:
    """Returns log-probabilities (n, 5) of g1..g5 from those of kind and behaviour."""
    benign, harmful = kind[:, 0], kind[:, 1]
    complies, refuses, strays = behaviour.unbind(-1)
    return torch.stack([benign + complies, harmful + complies, harmful + refuses, benign + refuses, strays], dim=-1)


def teacher_loss(judged: Judgement, batch: Batch, *, smoothing: float, class_weight: Tensor) -> Tensor:
    """Returns the mean weighted loss: kind where known, behaviour where labelled, in both heads."""
    behaviour = torch.tensor(_BEHAVIOUR)[batch.label.clamp(min=0)]
    labelled = (batch.label >= 0).float() * batch.weight * class_weight[batch.label.clamp(min=0)]
    known = (batch.kind >= 0).float() * batch.weight
    known = torch.where(batch.label >= 0, known * class_weight[batch.label.clamp(min=0)], known)
    total = torch.zeros(())
    for share, kind, act in ((1.0, judged.kind, judged.behaviour), (0.5, judged.cls_kind, judged.cls_behaviour)):
        total = total + share * (
            (_nll(kind, batch.kind.clamp(min=0), smoothing) * known).sum()
            + (_nll(act, behaviour, smoothing) * labelled).sum()
        )
    return total / batch.weight.sum()


def _nll(log_probs: Tensor, target: Tensor, smoothing: float) -> Tensor:
    hit = -log_probs.gather(-1, target.unsqueeze(-1)).squeeze(-1)
    return (1 - smoothing) * hit - smoothing * log_probs.mean(-1)
