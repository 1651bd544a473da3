"""Turns the fp32 graph into int8 whose result for a row owes nothing to the other rows of its batch.

Weights become 8-bit. The encoder's projections multiply integers: each token is quantised by its own largest value
(QuantizeLinear along the token axis) and each output channel by its own. Where that is too coarse (the feed-forward's way
back, whose inputs have outliers, and the single decoder step, which costs nothing) scales hold for 64 weights of a channel
and the kernel quantises the token block by block (MatMulNBits). The table of words has one scale a word.
"""

from pathlib import Path
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

BLOCK: Final = 64
_SMALLEST = 4096
"""Matrices with fewer weights stay in fp32: nothing to save."""

_CONTRIB = "com.microsoft"
_ENCODER = "/encoder/"
_TINY = np.float32(1e-12)


def quantize(source: Path, target: Path) -> None:
    """Writes the int8 form of the fp32 graph `source` to `target`."""
    model = onnx.load(source)
    writer = _Writer(model)
    for node in model.graph.node:
        writer.take(node)
    writer.finish()
    onnx.save(model, target)


class _Writer:
    """Collects the nodes and constants of the quantised graph in order."""

    def __init__(self, model: ModelProto) -> None:
        self._model = model
        self._weights = {tensor.name: tensor for tensor in model.graph.initializer}
        self._uses: dict[str, int] = {}
        for node in model.graph.node:
            for name in node.input:
                self._uses[name] = self._uses.get(name, 0) + 1
        self._nodes: list[NodeProto] = []
        self._constants: dict[str, TensorProto] = {}
        self._replaced: set[str] = set()
        self._rows: dict[str, str] = {}

    def take(self, node: NodeProto) -> None:
        name = self._matrix_of(node)
        if name is None:
            self._nodes.append(node)
            return
        self._replaced.add(name)
        values: NDArray[np.float32] = numpy_helper.to_array(self._weights[name])
        if node.op_type == "Gather":
            self._gather(node, name, values)
        elif _ENCODER in node.name and values.shape[0] <= values.shape[1]:
            self._by_row(node, name, values)
        else:
            self._by_block(node, name, values)

    def finish(self) -> None:
        graph = self._model.graph
        kept = [tensor for name, tensor in self._weights.items() if name not in self._replaced]
        del graph.node[:], graph.initializer[:]
        graph.node.extend(self._nodes)
        graph.initializer.extend([*kept, *self._constants.values()])
        if _CONTRIB not in {opset.domain for opset in self._model.opset_import}:
            self._model.opset_import.append(helper.make_opsetid(_CONTRIB, 1))

    def _matrix_of(self, node: NodeProto) -> str | None:
        """Returns the name of the weight matrix that a node multiplies by or looks up in, if it alone does that."""
        place = {"MatMul": 1, "Gather": 0}.get(node.op_type)
        tensor = None if place is None else self._weights.get(node.input[place])
        if tensor is None or len(tensor.dims) != 2 or tensor.data_type != TensorProto.FLOAT:
            return None
        large = int(np.prod(tensor.dims)) >= _SMALLEST
        return tensor.name if large and self._uses[tensor.name] == 1 else None

    def _constant(self, name: str, values: NDArray[np.generic]) -> str:
        self._constants.setdefault(name, numpy_helper.from_array(values, name))
        return name

    def _add(self, op: str, inputs: list[str], output: str, *, domain: str = "", **attributes: int | list[int]) -> str:
        node = helper.make_node(op, inputs, [output], name=f"{output}_{op}", domain=domain)
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self._nodes.append(node)
        return output

    def _gather(self, node: NodeProto, name: str, values: NDArray[np.float32]) -> None:
        scales = np.maximum(np.abs(values).max(axis=1, keepdims=True) / 127, _TINY).astype(np.float32)
        packed = np.rint(values / scales).clip(-127, 127).astype(np.int8)
        ids, out = node.input[1], node.output[0]
        words = self._add("Gather", [self._constant(f"{name}_q8", packed), ids], f"{out}_q8", axis=0)
        scale = self._add("Gather", [self._constant(f"{name}_scale", scales), ids], f"{out}_scale", axis=0)
        self._add("Mul", [self._add("Cast", [words], f"{out}_f32", to=TensorProto.FLOAT), scale], out)

    def _by_row(self, node: NodeProto, name: str, values: NDArray[np.float32]) -> None:
        scales = np.maximum(np.abs(values).max(axis=0) / 127, _TINY).astype(np.float32)
        packed = np.rint(values / scales).clip(-127, 127).astype(np.int8)
        rows = self._quantised_rows(node.input[0], len(values))
        middle, one = (
            self._constant("q8_middle", np.array(128, np.uint8)),
            self._constant("q8_one", np.array(1, np.float32)),
        )
        weights = self._constant(f"{name}_q8", packed)
        operands = [f"{rows}_q8", weights, one, self._constant(f"{name}_scale", scales), middle]
        product = self._add("MatMulIntegerToFloat", operands, f"{node.output[0]}_q8", domain=_CONTRIB)
        self._add("Mul", [product, f"{rows}_scale"], node.output[0])

    def _quantised_rows(self, x: str, width: int) -> str:
        """Quantises each row of `x` by its own largest value, once for all that read it; returns the stem of the names."""
        if x in self._rows:
            return self._rows[x]
        stem = self._rows[x] = f"{x}_rows"
        largest = self._add("ReduceMax", [self._add("Abs", [x], f"{stem}_abs")], f"{stem}_max", axes=[-1], keepdims=1)
        step = self._constant("q8_step", np.array(1 / 127, np.float32))
        tiny = self._constant("q8_tiny", np.array(_TINY))
        self._add("Max", [self._add("Mul", [largest, step], f"{stem}_step"), tiny], f"{stem}_scale")
        flat = self._constant("q8_flat", np.array([-1], np.int64))
        scale = self._add("Reshape", [f"{stem}_scale", flat], f"{stem}_scale_flat")
        middle = self._constant("q8_middle", np.array(128, np.uint8))
        middles = self._add("Expand", [middle, self._add("Shape", [scale], f"{stem}_count")], f"{stem}_middles")
        table = self._constant(f"q8_by_{width}", np.array([-1, width], np.int64))
        rows = self._add("Reshape", [x, table], f"{stem}_table")
        packed = self._add("QuantizeLinear", [rows, scale, middles], f"{stem}_table_q8", axis=0)
        self._add("Reshape", [packed, self._add("Shape", [x], f"{stem}_shape")], f"{stem}_q8")
        return stem

    def _by_block(self, node: NodeProto, name: str, values: NDArray[np.float32]) -> None:
        rows, columns = values.shape
        blocks = -(-rows // BLOCK)
        padded = np.zeros((columns, blocks * BLOCK), np.float32)
        padded[:, :rows] = values.T
        parts = padded.reshape(columns, blocks, BLOCK)
        scales = np.maximum(np.abs(parts).max(axis=-1) / 127, _TINY).astype(np.float32)
        packed = (np.rint(parts / scales[..., None]) + 128).clip(0, 255).astype(np.uint8)
        operands = [
            node.input[0],
            self._constant(f"{name}_q8", packed),
            self._constant(f"{name}_scale", scales.ravel()),
        ]
        shape = {"K": rows, "N": columns, "bits": 8, "block_size": BLOCK, "accuracy_level": 4}
        self._add("MatMulNBits", operands, node.output[0], domain=_CONTRIB, **shape)
