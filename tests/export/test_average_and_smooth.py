"""Weights between two checkpoints are what they are said to be, and channels are evened out without changing what is computed."""

from pathlib import Path

import msgspec
import numpy as np
import onnxruntime as ort
import pytest
import torch

from export.average import average
from export.batches import Encoded, collate
from export.checkpoint import Checkpoint, Record, load
from export.errors import CheckpointError
from export.quantize import quantize
from export.smooth import smooth
from export.student import StudentShape, T5Classifier, new_t5
from export.to_onnx import to_onnx
from tests.export.tiny import write_checkpoint


def trained(folder: Path, *, shift: float, held_out: tuple[str, ...] = ("a",)) -> Checkpoint:
    found = load(write_checkpoint(folder))
    with torch.no_grad():
        for weight in found.model.parameters():
            weight.add_(shift)
    record = Record(
        command="valuedrift train", seed=1, versions={}, data={"rows.jsonl": "0"}, split={}, calibration_rows=9, curves=(),
        held_out=held_out, remarks="Slowly.",
    )  # fmt: skip
    return Checkpoint(found.model, found.tokenizer, msgspec.structs.replace(found.note, record=record, temperature=1.5))


def test_each_weight_moves_by_its_share_once_also_where_the_model_uses_it_twice(tmp_path: Path) -> None:
    start = load(write_checkpoint(tmp_path / "start"))
    between = average(trained(tmp_path / "a", shift=1.0), trained(tmp_path / "b", shift=0.0), 0.75)
    for name, weight in between.model.state_dict().items():
        if name != "temperature":
            torch.testing.assert_close(weight, start.model.state_dict()[name] + 0.75, msg=name)
    assert between.model.temperature == between.note.temperature == 1.0


def test_the_record_says_how_both_were_made(tmp_path: Path) -> None:
    record = average(trained(tmp_path / "a", shift=1.0), trained(tmp_path / "b", shift=0.0), 0.6).note.record
    assert record is not None
    assert record.command == "python -m export.average FURTHER EARLIER --share 0.6 --out DIR"
    assert "FURTHER was made by `valuedrift train`, EARLIER by `valuedrift train`. Slowly." in record.remarks


def test_checkpoints_that_left_out_other_requests_are_not_averaged(tmp_path: Path) -> None:
    first = trained(tmp_path / "a", shift=0.0, held_out=("a",))
    with pytest.raises(CheckpointError, match="other rows"):
        average(first, trained(tmp_path / "b", shift=0.0, held_out=("b",)), 0.5)


def test_checkpoints_of_two_shapes_are_not_averaged(tmp_path: Path) -> None:
    wider = load(write_checkpoint(tmp_path / "b", d_ff=128))
    with pytest.raises(CheckpointError, match="more than weights"):
        average(trained(tmp_path / "a", shift=0.0), wider, 0.5)


def test_a_checkpoint_without_a_record_is_not_averaged(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="how it was trained"):
        average(trained(tmp_path / "a", shift=0.0), load(write_checkpoint(tmp_path / "b")), 0.5)


def test_evened_channels_compute_the_same_and_lose_less_in_eight_bits(tmp_path: Path) -> None:
    torch.manual_seed(0)
    shape = StudentShape(width=96, layers=2, decoder_layers=1, heads=4, feed_forward=192)
    model = T5Classifier(new_t5(shape, vocabulary=64, pad=0, end=1), [60, 61, 62]).eval()
    with torch.no_grad():
        for block in model.t5.encoder.block:
            # One channel far larger than the rest, and one with weights far larger: what T5 encoders really have.
            for layer in block.layer:
                layer.layer_norm.weight[3] *= 40.0
            block.layer[1].DenseReluDense.wi.weight[:, 7] *= 200.0
    rows = [
        Encoded(ids=torch.randint(2, 60, (12,)).tolist(), split=6, label=-1, kind=-1, weight=1.0) for _ in range(64)
    ]
    batches = [collate(rows[at : at + 16], 0) for at in range(0, 48, 16)]
    fresh = collate(rows[48:], 0)

    def lost() -> float:
        to_onnx(model, tmp_path / "plain.onnx")
        quantize(tmp_path / "plain.onnx", tmp_path / "int8.onnx")
        session = ort.InferenceSession(str(tmp_path / "int8.onnx"), providers=["CPUExecutionProvider"])
        (got,) = session.run(["logits"], {"input_ids": fresh.ids.numpy(), "attention_mask": fresh.mask.numpy()})
        return float(np.sqrt(np.square(got - wanted).mean()))

    with torch.no_grad():
        wanted = model(fresh.ids, fresh.mask).numpy()
        before = lost()
        smooth(model, batches)
        np.testing.assert_allclose(model(fresh.ids, fresh.mask).numpy(), wanted, atol=1e-4, rtol=1e-4)
    assert lost() < before / 4
