"""`valuedrift classify`: what it hands to the classifier."""

import json
from collections.abc import Sequence

import numpy as np
import pytest
from click.testing import CliRunner

import models.onnx_t5
from models.classifier import Classification, Pair
from stream.commands.classify import classify
from stream.core.taxonomy import PAPER


class Noting:
    """Notes the pairs that it is given."""

    name = "noting@000000000000"
    labels = PAPER.names
    request_kinds = tuple(behaviour.request for behaviour in PAPER.behaviours)

    def __init__(self) -> None:
        self.pairs: list[Pair] = []

    def classify(self, pairs: Sequence[Pair]) -> Classification:
        self.pairs += pairs
        n, ones = len(pairs), np.ones(len(pairs), np.float32)
        return Classification(
            np.zeros(n, np.uint8), np.eye(5, dtype=np.float32)[[0] * n], ones, -ones, np.zeros(n, np.bool_)
        )

    def warmup(self) -> None:
        pass


def test_what_was_said_before_the_prompt_is_read_as_in_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = Noting()
    monkeypatch.setattr(models.onnx_t5, "load", lambda *_, **__: classifier)
    lines = [
        {"prompt": "And then?", "response": "Bake it.", "earlier": "User: How do I make bread?"},
        {"prompt": "Hello", "response": "Hi"},
        {"prompt": "Hello", "response": "Hi", "earlier": None},
        {"prompt": "More", "response": "No", "earlier": "x" * 5_000 + "end"},
    ]
    done = CliRunner().invoke(classify, ["-"], input="\n".join(map(json.dumps, lines)))
    assert done.exit_code == 0, done.output
    assert classifier.pairs[0] == Pair("And then?", "Bake it.", "User: How do I make bread?")
    assert classifier.pairs[1] == classifier.pairs[2] == Pair("Hello", "Hi")
    assert len(classifier.pairs[3].earlier) == 2_000  # as many as the worker keeps
    assert classifier.pairs[3].earlier.endswith("xend")
