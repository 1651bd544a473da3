"""Evens out channels before quantisation, leaving what the model computes as it was.

Where one channel is large and its weights are small, 8 bits a block spend themselves on the weights of channels that hardly
matter. Each projection's input channels are therefore brought to the same size: the norm before it (or the projection that
makes its input) divides, its own weights multiply.
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
                _divide(layer.layer_norm.weight, sizes[layer.layer_norm], readers)
                _divide(attention.v.weight, sizes[attention.o], [attention.o])


def _dense(layer: Any, sizes: dict[nn.Module, Tensor]) -> None:
    dense = layer.DenseReluDense
    gated = hasattr(dense, "wi_1")
    _divide(layer.layer_norm.weight, sizes[layer.layer_norm], [dense.wi_0, dense.wi_1] if gated else [dense.wi])
    if gated:
        _divide(dense.wi_1.weight, sizes[dense.wo], [dense.wo])


def _divide(maker: Tensor, size: Tensor, readers: Sequence[nn.Linear]) -> None:
    """Divides what makes the channels (rows of a matrix, or gains) by their size and multiplies the readers' columns."""
    maker.div_(size if maker.ndim == 1 else size.unsqueeze(-1))
    for reader in readers:
        reader.weight.mul_(size)


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
