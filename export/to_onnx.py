"""Exports a T5 classifier to one ONNX graph: input_ids, attention_mask to logits, probs."""

from pathlib import Path
from typing import Final

import onnx
import torch
from optimum.exporters.onnx import OnnxConfig, export
from optimum.utils import DummyTextInputGenerator, NormalizedTextConfig
from torch import Tensor
from transformers import T5PreTrainedModel

from export.student import T5Classifier

OPSET: Final = 17


class _Exportable(T5PreTrainedModel):
    """What optimum exports: the classifier as a pre-trained model that also returns probabilities."""

    def __init__(self, classifier: T5Classifier) -> None:
        super().__init__(classifier.t5.config)
        self.classifier = classifier

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        logits = self.classifier(input_ids, attention_mask)
        return {"logits": logits, "probs": logits.softmax(-1)}


class ClassifierOnnxConfig(OnnxConfig):  # type: ignore[misc]  # optimum ships no types
    """Says how optimum feeds and names the single graph."""

    NORMALIZED_CONFIG_CLASS = NormalizedTextConfig.with_args(hidden_size="d_model", num_attention_heads="num_heads")
    DUMMY_INPUT_GENERATOR_CLASSES = (DummyTextInputGenerator,)
    DEFAULT_ONNX_OPSET = OPSET

    @property
    def inputs(self) -> dict[str, dict[int, str]]:
        """Both inputs are (n, t), free in both."""
        axes = {0: "batch_size", 1: "sequence_length"}
        return {"input_ids": axes, "attention_mask": dict(axes)}

    @property
    def outputs(self) -> dict[str, dict[int, str]]:
        """Both outputs are (n, k), free in n."""
        return {"logits": {0: "batch_size"}, "probs": {0: "batch_size"}}


def to_onnx(classifier: T5Classifier, path: Path) -> None:
    """Writes the fp32 graph of `classifier` to `path`, without dropout whatever state the model was left in.

    The shared embedding table is kept once: the graph holds it for the inputs, and only the rows of the labels for the
    outputs.
    """
    wrapper = _Exportable(classifier)
    # The exporter restores the mode that it finds on the wrapper: dropout would stay on inside the graph.
    wrapper.train(mode=False)
    with torch.no_grad():
        export(wrapper, ClassifierOnnxConfig(classifier.t5.config, task="text-classification"), path, opset=OPSET)
    graph = onnx.load(path)
    onnx.checker.check_model(graph)
