"""From labelled rows and a checkpoint to a bundle that the runtime loads and that says what PyTorch says."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from export.batches import encode_samples
from export.bundle import ExportOptions, export
from export.checkpoint import load as load_checkpoint
from export.errors import CheckpointError, DataError, ParityError
from export.evaluate import EvaluateOptions, evaluate
from export.finetune import FinetuneOptions
from export.mixtures import Sample
from export.train import TrainOptions, train
from models.bundle import load_manifest, verify
from models.classifier import Pair
from models.onnx_t5 import load as load_bundle
from tests.export.tiny import write_checkpoint, write_rows

V1_1 = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("rows") / "data", 700)


def test_a_trained_classifier_learns_is_exported_and_says_the_same_in_the_runtime(data: Path, tmp_path: Path) -> None:
    start = write_checkpoint(tmp_path / "start")
    finetuning = FinetuneOptions(epochs=6, rate=5e-3, mixed=200)
    trained = train(TrainOptions(data=data, out=tmp_path / "trained", checkpoint=start, finetuning=finetuning))
    assert trained.note.record is not None
    assert list(trained.note.record.data) == ["rows.jsonl"]
    report = export(ExportOptions(checkpoint=tmp_path / "trained", out=tmp_path / "bundle", data=data, name="tiny"))[
        "int8"
    ]
    everything = report.headline["all rows"]
    assert everything.accuracy > report.always_helpful["all rows"] + 0.3

    texts = [Pair("bomb bomb request", "sorry cannot bomb"), Pair("cake", "sure here cake " * 90), Pair("", "")]
    said = load_bundle(tmp_path / "bundle").classify(texts)
    samples = [Sample(prompt=p.prompt, response=p.response, label=None, kind=None) for p in texts]
    again = load_checkpoint(tmp_path / "trained")
    again.model.eval()
    again.model.temperature.fill_(load_manifest(tmp_path / "bundle").temperature)  # export fits its own, on more rows
    with torch.no_grad():
        for place, row in enumerate(encode_samples(samples, again.tokenizer, again.note.layout)):
            wanted = again.model(torch.tensor([row.ids]), torch.ones(1, len(row.ids), dtype=torch.long)).softmax(-1)
            np.testing.assert_allclose(said.probs[place], wanted[0].numpy(), atol=0.05)
    assert said.truncated.tolist() == [False, True, False]
    assert evaluate(EvaluateOptions(bundle=tmp_path / "bundle", data=data)).headline == report.headline


@pytest.mark.parametrize("shape", [{}, V1_1], ids=["t5", "t5-v1.1"])
def test_random_weights_of_either_shape_pass_the_gate_in_each_artefact(
    shape: dict[str, object], data: Path, tmp_path: Path
) -> None:
    start = write_checkpoint(tmp_path / "start", **shape)
    reports = export(
        ExportOptions(checkpoint=start, out=tmp_path / "bundles", data=data, artefacts=("fp32", "int8", "fp16"))
    )
    assert list(reports) == ["fp32", "int8", "fp16"]
    said = []
    for artefact in reports:
        folder = tmp_path / "bundles" / artefact
        bundle = verify(folder)
        assert bundle.manifest.artefact == artefact
        opsets = {entry.domain: entry.version for entry in onnx.load(bundle.model_path).opset_import}
        assert opsets[""] == 17
        said.append(load_bundle(folder).classify([Pair("cake", "sure"), Pair("bomb", "sorry cannot")]).probs)
    np.testing.assert_allclose(said[0], said[1], atol=0.1)
    np.testing.assert_allclose(said[0], said[2], atol=0.01)


def test_a_graph_that_disagrees_writes_no_bundle_and_leaves_the_earlier_one(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = write_checkpoint(tmp_path / "start")
    options = ExportOptions(checkpoint=start, out=tmp_path / "bundle", data=data)
    export(options)
    before = load_bundle(tmp_path / "bundle").name

    def spoil(source: Path, target: Path) -> None:
        graph = onnx.load(source)
        for tensor in graph.graph.initializer:
            if len(tensor.dims) == 2:
                values = onnx.numpy_helper.to_array(tensor)
                tensor.CopyFrom(onnx.numpy_helper.from_array(-values[::-1].copy(), tensor.name))
        onnx.save(graph, target)

    monkeypatch.setattr("export.bundle.quantize", spoil)
    with pytest.raises(ParityError, match="no bundle was written"):
        export(options)
    assert load_bundle(tmp_path / "bundle").name == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "start"]


def test_too_few_rows_for_the_gate_stop_the_export(tmp_path: Path) -> None:
    few = write_rows(tmp_path / "few", 100)
    start = write_checkpoint(tmp_path / "start")
    with pytest.raises(ParityError, match="needs 500 rows"):
        export(ExportOptions(checkpoint=start, out=tmp_path / "bundle", data=few))
    assert not (tmp_path / "bundle").exists()


def test_a_checkpoint_without_label_tokens_is_refused(data: Path, tmp_path: Path) -> None:
    start = write_checkpoint(tmp_path / "start", sentinels=3)
    with pytest.raises(CheckpointError, match="has 3 of the 5 single tokens"):
        export(ExportOptions(checkpoint=start, out=tmp_path / "bundle", data=data))


def test_pickled_weights_are_refused(data: Path, tmp_path: Path) -> None:
    start = write_checkpoint(tmp_path / "start")
    (start / "model.safetensors").rename(start / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="pickled"):
        export(ExportOptions(checkpoint=start, out=tmp_path / "bundle", data=data))


def test_a_label_outside_the_taxonomy_is_named_with_its_line(tmp_path: Path) -> None:
    folder = write_rows(tmp_path / "data", 3)
    with (folder / "rows.jsonl").open("a") as file:
        file.write('{"prompt": "a", "response": "b", "label": "evil"}\n')
    with pytest.raises(DataError, match=r"rows\.jsonl line 4: label 'evil'"):
        train(TrainOptions(data=folder, out=tmp_path / "out", checkpoint=write_checkpoint(tmp_path / "start")))
