"""Moves a trained BERT encoder into T5 blocks in closed form, so that distillation starts near its goal.

T5 has no biases, no mean subtraction, and normalises before each block instead of after it. One residual channel is kept
constant and serves as the bias of every projection. Block after block, the projections are then fitted by ridge regression
so that, on real text, the T5 stream carries what the BERT stream carries. What T5 cannot have, absolute places and the text
that a token belongs to, comes from the front (see student.PairInput); without one, a tenth of the first block is lost and
each later block loses more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertModel

from export.batches import Batch
from export.student import T5Classifier

_CONSTANT = 1.5
_RIDGE = 1e-4


@dataclass(frozen=True, slots=True)
class _Trace:
    """What the BERT stream holds on n real tokens: inputs of each sublayer (n, d) and what each adds before its norm."""

    inputs: list[Tensor]
    added: list[Tensor]
    last: Tensor


def transplant(source: BertModel, target: T5Classifier, batches: Sequence[Batch]) -> list[Tensor]:
    """Fits the encoder of `target` to `source` on the texts of `batches`; returns one map (d, d) a block, to BERT's states.

    A map applies to the stream after its block, divided by its root mean square as T5 does before every block. Both must
    have the same width, depth, heads and feed-forward size. About 20,000 tokens of text suffice.
    """
    source.eval()
    target.eval()
    with torch.no_grad():
        trace = _trace(source, batches)
        keep = torch.cat([batch.mask.flatten() for batch in batches]).bool()
        constant = int(trace.last.var(0).argmin())
        _embed(source, target, constant)
        hidden = [target.embed(batch.ids) for batch in batches]
        scale = torch.ones(trace.last.shape[1])
        readings: list[Tensor] = []
        wanted_states = [*trace.inputs[2::2], trace.last]
        layers: Any = source.encoder.layer
        blocks: Any = target.t5.encoder.block
        for depth, layer in enumerate(layers):
            attention, dense = blocks[depth].layer
            own, wide = attention.SelfAttention, dense.DenseReluDense
            bert = layer.attention.self
            root = bert.attention_head_size**0.5
            x = trace.inputs[2 * depth]
            normed = attention.layer_norm(_flat(hidden)[keep])
            for linear, into, factor in ((bert.query, own.q, root), (bert.key, own.k, 1.0), (bert.value, own.v, 1.0)):
                into.weight.copy_(_regress(normed, linear(x) / factor).T)
            context = _context(attention, own, hidden, batches)
            wanted = _update(_flat(hidden)[keep], x, trace.added[2 * depth], scale, constant)
            own.o.weight.copy_(_regress(_flat(context)[keep], wanted).T)
            hidden = [h + own.o(c) for h, c in zip(hidden, context, strict=True)]
            scale = _through(layer.attention.output.LayerNorm, x + trace.added[2 * depth], scale)
            x = trace.inputs[2 * depth + 1]
            normed = dense.layer_norm(_flat(hidden)[keep])
            wide.wi.weight.copy_(_regress(normed, layer.intermediate.dense(x)).T)
            inner = [wide.act(wide.wi(dense.layer_norm(h))) for h in hidden]
            wanted = _update(_flat(hidden)[keep], x, trace.added[2 * depth + 1], scale, constant)
            wide.wo.weight.copy_(_regress(_flat(inner)[keep], wanted).T)
            hidden = [h + wide.wo(a) for h, a in zip(hidden, inner, strict=True)]
            scale = _through(layer.output.LayerNorm, x + trace.added[2 * depth + 1], scale)
            readings.append(_regress(unit(_flat(hidden)[keep]), wanted_states[depth]))
        return readings


def readings_of(source: BertModel, target: T5Classifier, batches: Sequence[Batch]) -> list[Tensor]:
    """Returns the maps that `transplant` returns, for a `target` that has learned since: fitted to where its stream is now."""
    source.eval()
    target.eval()
    streams: list[list[Tensor]] = []
    wanted: list[list[Tensor]] = []
    with torch.no_grad():
        for batch in batches:
            keep = batch.mask.bool()
            states, inner = target.streams(batch.ids, batch.mask)
            out = source(
                input_ids=batch.ids, attention_mask=batch.mask, token_type_ids=batch.segment, output_hidden_states=True
            )
            streams.append([*(unit(stream)[keep] for stream in inner), states[keep]])
            wanted.append([hidden[keep] for hidden in out.hidden_states[1:]])
        pairs = zip(zip(*streams, strict=True), zip(*wanted, strict=True), strict=True)
        return [_regress(torch.cat(ours), torch.cat(theirs)) for ours, theirs in pairs]


def unit(stream: Tensor) -> Tensor:
    """Returns the stream (…, d) divided by its root mean square, as T5's norm does before its gains."""
    return stream * torch.rsqrt(stream.square().mean(-1, keepdim=True) + 1e-6)


def _trace(source: BertModel, batches: Sequence[Batch]) -> _Trace:
    """Runs BERT and keeps what each sublayer reads and adds, on real tokens only."""
    inputs: list[list[Tensor]] = [[] for _ in range(2 * len(source.encoder.layer))]
    added: list[list[Tensor]] = [[] for _ in inputs]
    last: list[Tensor] = []
    for batch in batches:
        keep = batch.mask.bool()
        handles = []
        layers: Any = source.encoder.layer
        for depth, layer in enumerate(layers):
            for place, output in ((2 * depth, layer.attention.output), (2 * depth + 1, layer.output)):

                def record(_: nn.Module, args: tuple[Tensor, Tensor], place: int = place, keep: Tensor = keep) -> None:
                    inputs[place].append(args[1][keep])

                def record_dense(
                    _: nn.Module, __: tuple[Tensor], out: Tensor, place: int = place, keep: Tensor = keep
                ) -> None:
                    added[place].append(out[keep])

                handles.append(output.register_forward_pre_hook(record))
                handles.append(output.dense.register_forward_hook(record_dense))
        out = source(input_ids=batch.ids, attention_mask=batch.mask, token_type_ids=batch.segment)
        last.append(out.last_hidden_state[keep])
        for handle in handles:
            handle.remove()
    return _Trace([torch.cat(part) for part in inputs], [torch.cat(part) for part in added], torch.cat(last))


def _embed(source: BertModel, target: T5Classifier, constant: int) -> None:
    """Copies the words, and the front's places and texts where there is a front; one channel becomes constant."""
    parts = source.embeddings
    words = parts.word_embeddings.weight
    table = target.t5.shared.weight
    if target.front is None:
        place = parts.position_embeddings.weight[:232].mean(0) + parts.token_type_embeddings.weight.mean(0)
        table[: len(words)] = parts.LayerNorm(words + place)
        table[:, constant] = _CONSTANT
    else:
        table[: len(words)] = words
        target.front.places.copy_(parts.position_embeddings.weight[: len(target.front.places)])
        target.front.texts.copy_(parts.token_type_embeddings.weight)
        target.front.norm.weight.copy_(parts.LayerNorm.weight)
        target.front.norm.bias.copy_(parts.LayerNorm.bias)
        target.front.norm.weight[constant] = 0.0
        target.front.norm.bias[constant] = _CONSTANT
    table[len(words) :] = table[: len(words)].mean(0)


def _context(attention: Any, own: Any, hidden: Sequence[Tensor], batches: Sequence[Batch]) -> list[Tensor]:
    """Returns what the heads of one T5 layer gather, before the output projection, without position bias."""
    gathered = []
    for h, batch in zip(hidden, batches, strict=True):
        normed = attention.layer_norm(h)
        rows, width, _ = h.shape
        q, k, v = (
            part(normed).view(rows, width, own.n_heads, own.key_value_proj_dim).transpose(1, 2)
            for part in (own.q, own.k, own.v)
        )
        scores = q @ k.transpose(-1, -2) + (1 - batch.mask[:, None, None, :]) * -1e9
        gathered.append((scores.softmax(-1) @ v).transpose(1, 2).reshape(rows, width, -1))
    return gathered


def _update(h: Tensor, x: Tensor, added: Tensor, scale: Tensor, constant: int) -> Tensor:
    """Returns what to add to the T5 stream: BERT's addition in the stream's own scale, per channel and per token."""
    like = x * scale
    size = (h * like).sum(-1, keepdim=True) / like.square().sum(-1, keepdim=True)
    wanted = size.clamp(0.5, 2.0) * scale * (added - added.mean(-1, keepdim=True))
    wanted = wanted - wanted.mean(0)
    wanted[:, constant] = 0.0
    return wanted


def _through(norm: nn.LayerNorm, summed: Tensor, scale: Tensor) -> Tensor:
    """Returns the stream's scale relative to BERT's after BERT normalises its own."""
    spread = summed.std(-1).mean()
    gain = norm.weight.abs().clamp(min=0.2 * float(norm.weight.abs().mean()))
    return scale * spread / gain


def _flat(parts: Sequence[Tensor]) -> Tensor:
    return torch.cat([part.flatten(0, 1) for part in parts])


def _regress(inputs: Tensor, wanted: Tensor) -> Tensor:
    """Returns the ridge solution W of inputs @ W = wanted."""
    gram = inputs.T @ inputs
    ridge = _RIDGE * gram.diagonal().mean() * torch.eye(len(gram))
    solved: Tensor = torch.linalg.solve(gram + ridge, inputs.T @ wanted)
    return solved
