"""Evens out channels before quantisation, leaving what the model computes as it was.

Eight bits go by the largest value of a token, and by the largest weight of an output channel: one large input channel costs
the other channels of its tokens, one with large weights costs the other weights. Each input channel of a projection is
therefore divided by sqrt(size of the channel / size of its weights), by the norm before it (or the projection that makes it),
and its weights are multiplied: both come out equal (SmoothQuant, arXiv:2211.10438, equation 4 with exponent 1/2, with root
mean squares for largest values). Bringing the channels alone to one size, as was done before, moved the whole spread into the
weights and left three times the error in what the feed-forwards read.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from export.batches import Batch
from export.student import T5Classifier

_SMALLEST = 1e-3
"""Channels below this share of the mean size are treated as if they had it: silence is not amplified."""


def smooth(model: T5Classifier, batches: Sequence[Batch]) -> None:
    """Rescales the channels of `model` in place by their size on the texts of `batches`; its outputs stay the same."""
    sizes = _sizes(model, batches)
    with torch.no_grad():
        blocks: list[Any] = [*model.t5.encoder.block, *model.t5.decoder.block]
        for block in blocks:
            for layer in block.layer:
                attention = getattr(layer, "SelfAttention", None) or getattr(layer, "EncDecAttention", None)
                if attention is None:
                    _dense(layer, sizes)
                    continue
                readers = [attention.q, attention.k, attention.v] if hasattr(layer, "SelfAttention") else [attention.q]
                _share(layer.layer_norm.weight, sizes[layer.layer_norm], readers)
                _share(attention.v.weight, sizes[attention.o], [attention.o])


def _dense(layer: Any, sizes: dict[nn.Module, Tensor]) -> None:
    dense = layer.DenseReluDense
    gated = hasattr(dense, "wi_1")
    _share(layer.layer_norm.weight, sizes[layer.layer_norm], [dense.wi_0, dense.wi_1] if gated else [dense.wi])
    if gated:
        _share(dense.wi_1.weight, sizes[dense.wo], [dense.wo])


def _share(maker: Tensor, size: Tensor, readers: Sequence[nn.Linear]) -> None:
    """Moves half of the spread of what the maker (rows of a matrix, or gains) puts out into the readers' columns."""
    weights = _even(torch.cat([reader.weight for reader in readers]).square().mean(0))
    half = (size / weights).sqrt()
    maker.div_(half if maker.ndim == 1 else half.unsqueeze(-1))
    for reader in readers:
        reader.weight.mul_(half)


def _sizes(model: T5Classifier, batches: Sequence[Batch]) -> dict[nn.Module, Tensor]:
    """Returns the root mean square of each channel that a norm puts out, and of each that an `o` or `wo` takes in."""
    sums: dict[nn.Module, Tensor] = {}
    counts: dict[nn.Module, int] = {}

    def add(module: nn.Module, values: Tensor) -> None:
        flat = values.detach().float().flatten(0, -2)
        sums[module] = sums.get(module, torch.zeros(flat.shape[-1])) + flat.square().sum(0)
        counts[module] = counts.get(module, 0) + len(flat)

    handles = []
    for name, module in model.t5.named_modules():
        if name.endswith("layer_norm"):
            handles.append(module.register_forward_hook(lambda m, _inputs, out: add(m, out)))
        elif name.rpartition(".")[2] in {"o", "wo"}:
            handles.append(module.register_forward_pre_hook(lambda m, inputs: add(m, inputs[0])))
    model.eval()
    with torch.no_grad():
        for batch in batches:
            model(batch.ids, batch.mask)
    for handle in handles:
        handle.remove()
    return {module: _even(total / counts[module]) for module, total in sums.items()}


def _even(square: Tensor) -> Tensor:
    size = square.sqrt()
    return size.clamp(min=_SMALLEST * float(size.mean()))
