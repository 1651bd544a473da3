"""Texts to rows, rows to a judgement: everything around the graph, with a session that computes by hand."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from models.bundle import Bundle, Manifest
from models.classifier import Pair
from models.errors import BundleError, ProviderError
from models.onnx_t5 import OnnxT5, buckets, load, read_tokenizer
from models.pairs import Layout

WORDS = {"[PAD]": 0, "[A]": 1, "[B]": 2, "[C]": 3, "[GAP]": 4, "yes": 5, "no": 6, "maybe": 7}


class CountingSession:
    """Its logits are how often `yes`, `no` and `maybe` occur under the mask; it remembers what it was fed."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, int]] = []

    def run(self, outputs: list[str], feed: dict[str, NDArray[np.int64]]) -> list[NDArray[np.float32]]:
        assert outputs == ["logits", "probs"]
        ids, mask = feed["input_ids"], feed["attention_mask"]
        assert ids.dtype == mask.dtype == np.int64
        self.shapes.append((ids.shape[0], ids.shape[1]))
        logits = np.stack([((ids == word) & (mask == 1)).sum(1) for word in (5, 6, 7)], axis=1).astype(np.float32)
        exp = np.exp(logits)
        return [logits, exp / exp.sum(1, keepdims=True)]


@pytest.fixture
def session() -> CountingSession:
    return CountingSession()


@pytest.fixture
def classifier(session: CountingSession) -> OnnxT5:
    layout = Layout(
        prompt_tokens=6, prompt_tail=2, response_tokens=20, response_tail=8,
        prefix=(1,), between=(2,), suffix=(3,), gap=(4,), pad=0,
    )  # fmt: skip
    manifest = Manifest(
        schema="valuedrift.bundle/1",
        name="counting",
        labels=("yes", "no", "maybe"),
        request_kinds=("benign", "harmful", None),
        layout=layout,
        model="model.onnx",
        tokenizer="tokenizer.json",
        artefact="fp32",
        opset=17,
        temperature=1.0,
        logit_bound=0.0,
        files={},
    )
    tokenizer = Tokenizer(WordLevel(WORDS, unk_token="[PAD]"))
    tokenizer.pre_tokenizer = Whitespace()
    return OnnxT5(Bundle(Path("nowhere"), manifest, "ab" * 32), session, tokenizer, lanes=2, tokens=64)


def test_each_pair_gets_its_own_judgement_in_the_order_given(classifier: OnnxT5) -> None:
    texts = ["yes", "no no maybe", "maybe maybe maybe", "yes no yes"]
    said = classifier.classify([Pair("maybe", text) for text in texts])
    # The prompt adds one "maybe": by hand, the largest counts are yes 1 = maybe 1 (the first wins), no 2, maybe 4, yes 2.
    assert said.category.tolist() == [0, 1, 2, 0]
    assert said.category.dtype == np.uint8
    assert said.confidence == pytest.approx(said.probs.max(axis=1))
    assert said.probs.shape == (4, 3)


def test_energy_is_minus_the_log_of_the_summed_exponentials(classifier: OnnxT5) -> None:
    said = classifier.classify([Pair("yes", "yes no")])
    assert said.energy[0] == pytest.approx(-np.log(np.exp(2) + np.exp(1) + 1), abs=1e-6)


def test_no_pairs_give_an_empty_judgement(classifier: OnnxT5, session: CountingSession) -> None:
    said = classifier.classify([])
    assert said.probs.shape == (0, 3)
    assert len(said.category) == len(said.confidence) == len(said.energy) == len(said.truncated) == 0
    assert session.shapes == []


def test_rows_are_padded_to_the_multiple_of_eight_above_their_own_length_whoever_is_beside_them(
    classifier: OnnxT5, session: CountingSession
) -> None:
    classifier.classify([Pair("yes", "yes " * count) for count in (1, 15, 2, 16, 3)])
    # marks and prompt are 4 tokens: lengths 5, 19, 6, 20, 7
    assert sorted(session.shapes) == [(2, 24), (3, 8)]


def test_truncated_says_which_pairs_were_shortened(classifier: OnnxT5) -> None:
    said = classifier.classify([Pair("yes", "no"), Pair("yes", "no " * 50), Pair("yes " * 50, "no")])
    assert said.truncated.tolist() == [False, True, True]


def test_the_name_carries_the_content_and_the_kinds_follow_the_labels(classifier: OnnxT5) -> None:
    assert classifier.name == "counting@abababababab"
    assert dict(zip(classifier.labels, classifier.request_kinds, strict=True)) == {
        "yes": "benign",
        "no": "harmful",
        "maybe": None,
    }


def test_rows_of_one_width_are_cut_into_batches_that_run_side_by_side(
    session: CountingSession, classifier: OnnxT5
) -> None:
    said = classifier.classify([Pair("maybe", "no " * (count % 4)) for count in range(40)])
    # With 4 tokens around it each row is 8 wide, so that 64 tokens are 8 rows; "maybe" wins only where there is no "no".
    assert session.shapes == [(8, 8)] * 5
    assert said.category.tolist() == [2, 1, 1, 1] * 10


def test_what_goes_wrong_beside_the_caller_reaches_the_caller(
    classifier: OnnxT5, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: CountingSession, outputs: list[str], feed: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(CountingSession, "run", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        classifier.classify([Pair("yes", "no")] * 100)


@pytest.mark.parametrize("tokens", [512, 4096])
def test_buckets_hold_every_row_once_and_never_more_than_so_many_tokens(tokens: int) -> None:
    lengths = [1 + (place * 37) % 232 for place in range(1000)]
    seen: list[int] = []
    for width, members in buckets(lengths, tokens=tokens):
        assert width % 8 == 0
        assert all(width - 8 < lengths[member] <= width for member in members)
        assert width * len(members) <= tokens
        seen.extend(members)
    assert sorted(seen) == list(range(1000))


def test_a_row_longer_than_a_whole_batch_still_gets_one() -> None:
    assert list(buckets([5000])) == [(5000, [0])]


def test_cuda_without_its_provider_stops_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ProviderError, match=r"valuedrift\[gpu\]"):
        load(tmp_path, device="cuda")


def test_two_runtimes_side_by_side_stop_the_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Installed:
        def __init__(self, name: str) -> None:
            self.metadata = {"Name": name}

    both = [Installed("onnxruntime"), Installed("onnxruntime-gpu")]
    monkeypatch.setattr("importlib.metadata.distributions", lambda: both)
    with pytest.raises(ProviderError, match="uninstall both"):
        load(tmp_path)


def test_a_folder_that_is_no_bundle_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=str(tmp_path)):
        load(tmp_path)


def test_a_text_that_spells_a_special_token_does_not_become_one(tmp_path: Path) -> None:
    tokenizer = Tokenizer(WordLevel(WORDS | {"[": 8, "B": 9, "]": 10}, unk_token="[PAD]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.add_special_tokens(["[PAD]", "[A]", "[B]", "[C]"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert read_tokenizer(tmp_path / "tokenizer.json").encode("[B] yes").ids == [8, 9, 10, 5]
