"""Turns the fp32 graph into mixed fp16 for CUDA: fused attention and the encoder's large products in fp16, the rest in fp32.

T5 overflows in plain fp16: its residual stream and the inputs of the feed-forward's way back grow past 65,504. So norms,
residual adds, activations, `wo` and the single decoder step, which costs nothing, stay in fp32. ONNX Runtime's T5 fusion
makes one Attention node of each block and one node of each residual add with the norm behind it.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.onnx_model import OnnxModel
from onnxruntime.transformers.optimizer import optimize_model

from export.errors import ExportError
from models.runtime import ort

_ENCODER: Final = "/encoder/"
_BIAS_TABLE: Final = "relative_attention_bias.weight"
_WAY_BACK: Final = "/wo/"
_LENGTH: Final = "sequence_length"
_BLOCKED: Final = -30000.0
"""What is added to the score of padding: its weight becomes 0, and the sum still has an fp16 form."""


def halve(source: Path, target: Path, *, heads: int, inner: int, blocks: int) -> None:
    """Writes the mixed fp16 form of the fp32 graph `source` of an encoder with `blocks` blocks to `target`.

    `inner` is the width of all heads together, which in T5 v1.1 need not be that of the model.
    Raises ExportError when ONNX Runtime does not recognise the attention of each block: the fp16 graph would be slow.
    """
    with TemporaryDirectory(dir=target.parent) as place:
        plain = Path(place) / "basic.onnx"
        _simplify(source, plain)
        fused = optimize_model(
            str(plain),
            model_type="t5",
            num_heads=heads,
            hidden_size=inner,
            optimization_options=FusionOptions("t5"),
            opt_level=0,
            use_gpu=True,
        )
        _restore_bias(fused, onnx.load(plain))
    found = sum(node.op_type == "Attention" for node in fused.model.graph.node)
    if found != blocks:
        raise ExportError(
            f"ONNX Runtime fused the attention of {found} of {blocks} blocks; export with the versions in constraints-export.txt"
        )
    _mix(fused.model.graph)
    onnx.save(fused.model, target)


def _mix(graph: GraphProto) -> None:
    """Lets Attention and the encoder's products, but for `wo`, compute in fp16; what they pass among each other stays so."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    halves: dict[str, str] = {}
    nodes: list[NodeProto] = []

    def half(name: str) -> str:
        if name not in halves:
            halves[name] = f"{name}_fp16"
            if name in constants:
                values = numpy_helper.to_array(constants[name]).astype(np.float16)
                graph.initializer.append(numpy_helper.from_array(values, halves[name]))
            else:
                nodes.append(_cast(name, halves[name], TensorProto.FLOAT16))
        return halves[name]

    for node in list(graph.node):
        floats = _FLOAT_INPUTS.get(node.op_type, ()) if _halved(node) else ()
        for place in floats:
            if place < len(node.input) and node.input[place]:
                node.input[place] = half(node.input[place])
        if floats:
            for attribute in node.attribute:
                if attribute.name == "mask_filter_value":
                    attribute.f = _BLOCKED
            result = node.output[0]
            node.output[0] = halves[result] = f"{result}_fp16"
            nodes += [node, _cast(node.output[0], result, TensorProto.FLOAT)]
        else:
            nodes.append(node)
    read = {name for node in nodes for name in node.input} | {output.name for output in graph.output}
    kept = [node for node in nodes if any(name in read for name in node.output)]
    del graph.node[:]
    graph.node.extend(kept)
    used = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(used)
    del graph.value_info[:]


_FLOAT_INPUTS: Final[dict[str, Sequence[int]]] = {"MatMul": (0, 1), "Attention": (0, 1, 2, 5)}
"""Which inputs are numbers that take part: Attention's are tokens, weights, their bias, and the position bias."""


def _cast(name: str, output: str, kind: int) -> NodeProto:
    return helper.make_node("Cast", [name], [output], name=f"{output}_Cast", to=kind)


def _halved(node: NodeProto) -> bool:
    """Says whether a node computes in fp16."""
    return node.op_type == "Attention" or (
        node.op_type == "MatMul" and _ENCODER in node.name and _WAY_BACK not in node.name
    )


def _simplify(source: Path, target: Path) -> None:
    """Folds constants and drops casts to the same type, which hide T5's attention from the fusion."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    options.log_severity_level = 3
    ort.InferenceSession(str(source), sess_options=options, providers=["CPUExecutionProvider"])


def _restore_bias(fused: OnnxModel, plain: ModelProto) -> None:
    """Puts the nodes that make the position bias back in the place of RelativePositionBias.

    Only CUDA has that operator. The bias is made once a batch, so its nodes cost little, and with them the parity gate can
    run the very graph that ships on any machine.
    """
    graph = fused.model.graph
    maker = {name: node for node in plain.graph.node for name in node.output}
    readers: dict[str, list[NodeProto]] = defaultdict(list)
    for node in plain.graph.node:
        for name in node.input:
            readers[name].append(node)
    tables = [tensor.name for tensor in plain.graph.initializer if tensor.name.endswith(_BIAS_TABLE)]
    biases = {_bias_of(readers, table) for table in tables if readers[table]}
    made = [node for node in graph.node if node.op_type == "RelativePositionBias"]
    if len(biases) != 1 or len(made) != 1:
        raise ExportError(f"expected one position bias, found {len(biases)}, fused {len(made)}: this is no T5 encoder")
    (bias,) = biases
    fused.replace_input_of_all_nodes(made[0].output[0], bias)
    fused.remove_node(made[0])
    fused.prune_graph()
    present = {name for node in graph.node for name in node.output}
    wanted = [bias]
    while wanted:
        name = wanted.pop()
        if name in present or name not in maker:
            continue
        present.add(name)
        if maker[name].op_type == "Gather" and maker[name].input[0] not in tables:
            # A length, taken from a shape. All are that of the row, and asking the mask for it lets the keys go unmade.
            graph.node.append(helper.make_node("Identity", [_LENGTH], [name]))
        else:
            graph.node.append(maker[name])
            wanted.extend(maker[name].input)
    _add_length(graph)
    constants = {tensor.name for tensor in graph.initializer}
    graph.initializer.extend(tensor for tensor in plain.graph.initializer if tensor.name not in constants)
    fused.prune_graph()
    fused.topological_sort()


def _add_length(graph: GraphProto) -> None:
    graph.initializer.append(numpy_helper.from_array(np.array(1, np.int64), f"{_LENGTH}_axis"))
    graph.node.append(helper.make_node("Shape", ["attention_mask"], [f"{_LENGTH}_shape"]))
    graph.node.append(helper.make_node("Gather", [f"{_LENGTH}_shape", f"{_LENGTH}_axis"], [_LENGTH]))


def _bias_of(readers: dict[str, list[NodeProto]], table: str) -> str:
    """Returns the tensor that the table's rows have become where they are first added to something."""
    name = table
    while (node := readers[name][0]).op_type != "Add":
        name = node.output[0]
    return name
