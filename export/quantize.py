"""Turns the fp32 graph into int8 whose result for a row owes nothing to the other rows of its batch.

Weights become 8-bit in blocks of one output channel; activations are quantised inside the kernel, row by row and block by
block (ONNX Runtime's MatMulNBits, accuracy level 4). The embedding table becomes 8-bit with one scale a word.
"""

from pathlib import Path
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

BLOCK: Final = 128
_SMALLEST = 4096
"""Matrices with fewer weights stay in fp32: nothing to save."""

_DOMAIN = "com.microsoft"


def quantize(source: Path, target: Path, *, block: int = BLOCK) -> None:
    """Writes the int8 form of the fp32 graph `source` to `target`."""
    model = onnx.load(source)
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    uses = _uses(model)
    nodes: list[NodeProto] = []
    done: set[str] = set()
    for node in graph.node:
        name = _constant_operand(node, weights)
        if name is None or uses[name] != 1 or np.prod(weights[name].dims) < _SMALLEST:
            nodes.append(node)
            continue
        values = numpy_helper.to_array(weights[name])
        if node.op_type == "Gather":
            nodes.extend(_gather(node, name, values, graph.initializer))
        else:
            nodes.append(_matmul(node, name, values, graph.initializer, block))
        done.add(name)
    kept = [tensor for tensor in graph.initializer if tensor.name not in done]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(kept)
    if _DOMAIN not in {opset.domain for opset in model.opset_import}:
        model.opset_import.append(helper.make_opsetid(_DOMAIN, 1))
    onnx.save(model, target)


def _uses(model: ModelProto) -> dict[str, int]:
    counts: dict[str, int] = {}
    for node in model.graph.node:
        for name in node.input:
            counts[name] = counts.get(name, 0) + 1
    return counts


def _constant_operand(node: NodeProto, weights: dict[str, TensorProto]) -> str | None:
    """Returns the name of the weight matrix that a node multiplies by or looks up in, if it does that."""
    place = {"MatMul": 1, "Gather": 0}.get(node.op_type)
    if place is None:
        return None
    tensor = weights.get(node.input[place])
    fits = tensor is not None and len(tensor.dims) == 2 and tensor.data_type == TensorProto.FLOAT
    return node.input[place] if fits else None


def _matmul(
    node: NodeProto, name: str, values: NDArray[np.float32], initializers: "list[TensorProto]", block: int
) -> NodeProto:
    rows, columns = values.shape
    blocks = -(-rows // block)
    padded = np.zeros((columns, blocks * block), np.float32)
    padded[:, :rows] = values.T
    parts = padded.reshape(columns, blocks, block)
    scales = np.maximum(np.abs(parts).max(axis=-1) / 127.0, np.float32(1e-12)).astype(np.float32)
    packed = (np.rint(parts / scales[..., None]) + 128).clip(0, 255).astype(np.uint8)
    initializers.append(numpy_helper.from_array(packed, f"{name}_q8"))
    initializers.append(numpy_helper.from_array(scales.ravel(), f"{name}_scale"))
    return helper.make_node(
        "MatMulNBits",
        [node.input[0], f"{name}_q8", f"{name}_scale"],
        list(node.output),
        name=f"{node.name}_q8",
        domain=_DOMAIN,
        K=rows,
        N=columns,
        bits=8,
        block_size=block,
        accuracy_level=4,
    )


def _gather(
    node: NodeProto, name: str, values: NDArray[np.float32], initializers: "list[TensorProto]"
) -> list[NodeProto]:
    scales = np.maximum(np.abs(values).max(axis=1, keepdims=True) / 127.0, np.float32(1e-12)).astype(np.float32)
    packed = np.rint(values / scales).clip(-127, 127).astype(np.int8)
    initializers.append(numpy_helper.from_array(packed, f"{name}_q8"))
    initializers.append(numpy_helper.from_array(scales, f"{name}_scale"))
    ids, out = node.input[1], node.output[0]
    return [
        helper.make_node("Gather", [f"{name}_q8", ids], [f"{out}_q8"], axis=0),
        helper.make_node("Gather", [f"{name}_scale", ids], [f"{out}_scale"], axis=0),
        helper.make_node("Cast", [f"{out}_q8"], [f"{out}_f32"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{out}_f32", f"{out}_scale"], [out]),
    ]
