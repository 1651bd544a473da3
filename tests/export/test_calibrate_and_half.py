"""Confidence is fitted on some requests and judged on others; the fp16 graph halves what it says and nothing else."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration

from export.crossfit import cross_fit
from export.errors import ExportError
from export.half import halve
from export.rows import HUMAN, Row
from export.student import PairInput, T5Classifier
from export.to_onnx import to_onnx


def test_boasting_logits_get_a_temperature_that_makes_them_honest_on_requests_that_did_not_fit_it() -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 1.5, (1200, 3)).astype(np.float32)
    probs = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
    labels = (rng.random((1200, 1)) > probs.cumsum(axis=1)).sum(axis=1).clip(max=2)
    rows = [
        Row(source="s", prompt=f"request {n // 2}", response="x", label=int(label), origin=HUMAN)
        for n, label in enumerate(labels)
    ]
    fitted = cross_fit(2.5 * honest, rows)
    assert (fitted.rows, fitted.requests) == (1200, 600)
    assert fitted.temperature == pytest.approx(2.5, rel=0.12)
    assert len(fitted.fold_temperatures) == 5
    assert all(one == pytest.approx(2.5, rel=0.2) for one in fitted.fold_temperatures)
    assert abs(fitted.calibration.excess) < 0.03
    limits = fitted.out_of_taxonomy
    calibrated = 2.5 * honest.astype(np.float64) / fitted.temperature
    energy = -np.log(np.exp(calibrated).sum(axis=1))
    assert (energy > limits.energy_5).mean() == pytest.approx(0.05, abs=0.002)
    assert (energy > limits.energy_1).mean() == pytest.approx(0.01, abs=0.002)
    confidence = np.exp(calibrated).max(axis=1) / np.exp(calibrated).sum(axis=1)
    assert (confidence < limits.confidence_5).mean() == pytest.approx(0.05, abs=0.002)
    assert (confidence < limits.confidence_1).mean() == pytest.approx(0.01, abs=0.002)


@pytest.mark.parametrize(
    "changes",
    [{}, {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, "num_heads": 6}, {"front": True}],
    ids=["t5", "t5-v1.1, heads narrower than the model", "with places"],
)
def test_the_fp16_graph_fuses_each_attention_and_keeps_norms_adds_and_wo_in_fp32(
    changes: dict[str, object], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    plain: dict[str, object] = {
        "vocab_size": 64, "d_model": 64, "d_kv": 8, "num_heads": 8, "num_layers": 3, "num_decoder_layers": 2, "d_ff": 128,
        "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0, "dropout_rate": 0.0,
    }  # fmt: skip
    front = PairInput(64, 24, 2) if changes.get("front") else None
    config = T5Config(**(plain | {name: value for name, value in changes.items() if name != "front"}))
    classifier = T5Classifier(T5ForConditionalGeneration(config), [50, 51, 52], front=front)
    to_onnx(classifier, tmp_path / "plain.onnx")
    halve(tmp_path / "plain.onnx", tmp_path / "half.onnx", heads=config.num_heads, inner=8 * config.num_heads, blocks=3)

    graph = onnx.load(tmp_path / "half.onnx").graph
    made = Counter(node.op_type for node in graph.node)
    assert made["Attention"] == 3
    assert made["SkipSimplifiedLayerNormalization"] >= 5
    assert made["RelativePositionBias"] == 0
    halves = {tensor.name for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT16}
    readers = [node for node in graph.node if halves & set(node.input)]
    assert {node.op_type for node in readers} == {"Attention", "MatMul"}
    assert not [
        node.name
        for node in readers
        if "/wo/" in node.name or "/encoder/" not in node.name + "/encoder/" * (node.op_type == "Attention")
    ]
    assert not [node.name for node in graph.node if "/k/MatMul" in node.name and "/encoder/" in node.name]

    rng = np.random.default_rng(0)
    ids, mask = rng.integers(3, 50, (4, 24)), np.ones((4, 24), np.int64)
    for place, length in enumerate((24, 1, 7, 13)):
        mask[place, length:] = 0
    ids[mask == 0] = 0
    said = [
        ort.InferenceSession(str(tmp_path / f"{name}.onnx"), providers=["CPUExecutionProvider"]).run(
            ["logits"], {"input_ids": ids, "attention_mask": mask}
        )[0]
        for name in ("plain", "half")
    ]
    np.testing.assert_allclose(said[0], said[1], atol=0.01 * np.abs(said[0]).max())


def test_a_graph_whose_attention_is_not_recognised_is_refused(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = T5Config(vocab_size=64, d_model=32, d_kv=8, num_heads=4, num_layers=1, d_ff=64, decoder_start_token_id=0)
    to_onnx(T5Classifier(T5ForConditionalGeneration(config), [50, 51]), tmp_path / "plain.onnx")
    with pytest.raises(ExportError, match="fused the attention of 1 of 2 blocks"):
        halve(tmp_path / "plain.onnx", tmp_path / "half.onnx", heads=4, inner=32, blocks=2)
    assert not (tmp_path / "half.onnx").exists()
