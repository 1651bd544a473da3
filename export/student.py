"""A T5 as a classifier: the encoder reads the pair, one decoder step says the label, whose token's logit is the score."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import T5Config, T5ForConditionalGeneration

from export.batches import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentShape:
    """The small T5 that is made when no checkpoint is given: MiniLM's width and depth, so that its weights fit."""

    width: int = 384
    layers: int = 6
    decoder_layers: int = 2
    heads: int = 12
    feed_forward: int = 1536
    dropout: float = 0.0


def new_t5(shape: StudentShape, *, vocabulary: int, pad: int, end: int) -> T5ForConditionalGeneration:
    """Returns a T5 of the given shape with random weights; the vocabulary is rounded up to a multiple of 8."""
    config = T5Config(
        vocab_size=-(-vocabulary // 8) * 8,
        d_model=shape.width,
        d_kv=shape.width // shape.heads,
        num_heads=shape.heads,
        num_layers=shape.layers,
        num_decoder_layers=shape.decoder_layers,
        d_ff=shape.feed_forward,
        feed_forward_proj="gelu",
        dropout_rate=shape.dropout,
        pad_token_id=pad,
        eos_token_id=end,
        decoder_start_token_id=pad,
    )
    return T5ForConditionalGeneration(config)


class PairInput(nn.Module):
    """Adds to each word's embedding where it stands and to which text it belongs, then normalises, as BERT does.

    T5 has relative places only and takes a single text. With this in front, the encoder starts with all that the BERT
    encoder knew that its weights are fitted to; a T5 checkpoint from elsewhere goes without. There is a place for each
    of `longest` tokens and for the padding that rounds them up to a multiple of 8.
    """

    def __init__(self, width: int, longest: int, separator: int) -> None:
        super().__init__()
        self.separator = separator
        self.places = nn.Parameter(torch.zeros(-(-longest // 8) * 8, width))
        self.texts = nn.Parameter(torch.zeros(2, width))
        self.norm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, words: Tensor, input_ids: Tensor) -> Tensor:
        """Returns the input of the encoder (n, t, d) for the words' embeddings (n, t, d)."""
        marks = (input_ids == self.separator).long()
        second = (marks.cumsum(1) - marks > 0).long()
        out: Tensor = self.norm(words + self.places[: words.shape[1]] + self.texts[second])
        return out


class T5Classifier(nn.Module):
    """Maps (input_ids, attention_mask) to logits (n, k) by one decoder step over k single-token labels.

    The single query lets the key and value projections of the cross-attention be applied to the query and to the pooled
    states instead of to every token: the same numbers for less work. `temperature` divides the logits; `front`, where
    there is one, makes the encoder's input of the words' embeddings.
    """

    temperature: Tensor

    def __init__(
        self,
        t5: T5ForConditionalGeneration,
        label_ids: Sequence[int],
        temperature: float = 1.0,
        front: PairInput | None = None,
    ) -> None:
        super().__init__()
        if len(set(label_ids)) != len(label_ids):
            raise ValueError(f"label_ids must be distinct, got {list(label_ids)}")
        self.t5 = t5
        self.label_ids = list(label_ids)
        self.front = front
        self.register_buffer("temperature", torch.tensor(float(temperature)))

    def embed(self, input_ids: Tensor) -> Tensor:
        """Returns what the encoder's first block reads (n, t, d)."""
        words: Tensor = self.t5.shared(input_ids)
        return words if self.front is None else self.front(words, input_ids)

    def encode(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Returns the encoder's normalised states (n, t, d)."""
        out = self.t5.encoder(inputs_embeds=self.embed(input_ids), attention_mask=attention_mask)
        states: Tensor = out.last_hidden_state
        return states

    def streams(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Returns the encoder's normalised states, and the stream after each block but the last (n, t, d)."""
        out = self.t5.encoder(
            inputs_embeds=self.embed(input_ids), attention_mask=attention_mask, output_hidden_states=True
        )
        return out.last_hidden_state, tuple(out.hidden_states[1:-1])

    def decode(self, states: Tensor, attention_mask: Tensor) -> Tensor:
        """Returns the uncalibrated logits (n, k) of the labels, from one decoder step over the encoder's states."""
        decoder: Any = self.t5.decoder
        start = torch.tensor(self.t5.config.decoder_start_token_id)
        hidden = decoder.embed_tokens(start).expand(states.shape[0], -1)
        blocked = (1.0 - attention_mask[:, None, :].to(states.dtype)) * torch.finfo(torch.float32).min
        for block in decoder.block:
            hidden = _step(block, hidden, states, blocked)
        hidden = decoder.final_layer_norm(hidden)
        if self.t5.config.tie_word_embeddings:
            hidden = hidden * self.t5.model_dim**-0.5
        return nn.functional.linear(hidden, self.t5.lm_head.weight[self.label_ids]).float()

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Returns calibrated logits (n, k)."""
        logits: Tensor = self.decode(self.encode(input_ids, attention_mask), attention_mask) / self.temperature
        return logits


def _step(block: Any, hidden: Tensor, states: Tensor, blocked: Tensor) -> Tensor:
    """Runs one decoder block for the first position: self-attention over one token is its value projection."""
    itself, across, dense = block.layer
    own = itself.SelfAttention
    hidden = hidden + own.o(own.v(itself.layer_norm(hidden)))
    cross = across.EncDecAttention
    heads, size = cross.n_heads, cross.key_value_proj_dim
    query = cross.q(across.layer_norm(hidden)).unflatten(-1, (heads, 1, size))
    key = cross.k.weight.unflatten(0, (heads, size))
    value = cross.v.weight.unflatten(0, (heads, size))
    toward = (query @ key).squeeze(2)
    weights = (toward @ states.transpose(1, 2) + blocked).float().softmax(-1).to(states.dtype)
    pooled = (weights @ states).unsqueeze(2)
    gathered = (pooled @ value.transpose(1, 2)).flatten(1)
    hidden = hidden + cross.o(gathered)
    out: Tensor = dense(hidden)
    return out


def aim_decoder(model: T5Classifier, batches: Sequence[Batch]) -> None:
    """Starts the first decoder block's heads on the opening token, the request and the response, a third of them each.

    A fresh query attends to all tokens alike and learns slowly; directions that tell the three apart are found by ridge
    regression on the encoder's states and written into the key projections.
    """
    block: Any = model.t5.decoder.block[0]
    cross = block.layer[1].EncDecAttention
    size = cross.key_value_proj_dim
    with torch.no_grad():
        states = torch.cat([model.encode(b.ids, b.mask)[b.mask.bool()] for b in batches])
        first = torch.cat([(torch.arange(b.ids.shape[1]) == 0).expand_as(b.ids)[b.mask.bool()] for b in batches])
        said = torch.cat([b.segment[b.mask.bool()] for b in batches]).bool()
        gram = states.T @ states + len(states) * 1e-3 * torch.eye(states.shape[1])
        aims = []
        for member, sharpness in ((first, 14.0), (~said & ~first, 10.0), (said, 10.0)):
            aims.append(sharpness * torch.linalg.solve(gram, states.T @ member.float()))
        start = model.t5.decoder.embed_tokens(torch.tensor(model.t5.config.decoder_start_token_id)).unsqueeze(0)
        itself = block.layer[0]
        start = start + itself.SelfAttention.o(itself.SelfAttention.v(itself.layer_norm(start)))
        seen = block.layer[1].layer_norm(start)[0]
        for head in range(cross.n_heads):
            row = head * size
            cross.q.weight[row] = seen / seen.square().sum()
            cross.k.weight[row] = aims[head * len(aims) // cross.n_heads]
            cross.q.weight[row + 1 : row + size] *= 0.1


class AuxiliaryHead(nn.Module):
    """A pooled head (means of the request and of the response, their product, the opening token) used in training only."""

    def __init__(self, width: int, labels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4 * width, width), nn.GELU(), nn.Linear(width, labels))

    def forward(self, states: Tensor, batch: Batch) -> Tensor:
        """Returns logits (n, k)."""
        said = (batch.segment * batch.mask).unsqueeze(-1).to(states.dtype)
        asked = ((1 - batch.segment) * batch.mask).unsqueeze(-1).to(states.dtype)
        request = (states * asked).sum(1) / asked.sum(1).clamp(min=1)
        response = (states * said).sum(1) / said.sum(1).clamp(min=1)
        out: Tensor = self.layers(torch.cat([states[:, 0], request, response, request * response], dim=-1))
        return out.float()
