"""A T5 classifier in ONNX Runtime: texts to rows of token ids, rows to logits, logits to a judgement."""

import importlib.metadata
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from tokenizers import Tokenizer

from models.bundle import Bundle, verify
from models.classifier import Classification, Pair
from models.errors import BundleError, ProviderError
from models.pairs import encode_pairs

Device = Literal["cpu", "cuda"]

_BUCKET = 8
_BATCH_TOKENS = 4096
_INPUTS = ["input_ids", "attention_mask"]
_OUTPUTS = ["logits", "probs"]
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


@dataclass(frozen=True, slots=True)
class _Rows:
    """A batch after tokenising: the ids of each pair, and whether a text was shortened."""

    ids: list[list[int]]
    truncated: NDArray[np.bool_]


class OnnxT5:
    """Sorts pairs by a verified bundle; safe to call from several threads."""

    def __init__(self, bundle: Bundle, session: ort.InferenceSession, tokenizer: Tokenizer) -> None:
        self._bundle = bundle
        self._session = session
        self._tokenizer = tokenizer

    @property
    def name(self) -> str:
        """Names the bundle and its exact content, as `bundle@sha12`."""
        return self._bundle.identity

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the columns of `probs`."""
        return self._bundle.manifest.labels

    @property
    def request_kinds(self) -> tuple[str | None, ...]:
        """The kind of request that each label implies."""
        return self._bundle.manifest.request_kinds

    def classify(self, pairs: Sequence[Pair]) -> Classification:
        """Judges a batch of any size in one call; what it says of a pair depends on that pair alone."""
        rows = self.pre(pairs)
        return self.post(*self.core(rows), rows.truncated)

    def warmup(self) -> None:
        """Runs the model once, so that the first real batch is as fast as the rest."""
        self.classify([Pair("What is the capital of France?", "Paris.")])

    def pre(self, pairs: Sequence[Pair]) -> _Rows:
        """Turns texts into rows of token ids (CPU)."""
        encoded = encode_pairs([(p.prompt, p.response) for p in pairs], self._tokenize, self._bundle.manifest.layout)
        truncated = np.fromiter((pair.truncated for pair in encoded), dtype=np.bool_, count=len(encoded))
        return _Rows([pair.ids for pair in encoded], truncated)

    def core(self, rows: _Rows) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Runs the model on the rows; returns logits and probabilities (n, k) in the order of the rows."""
        shape = (len(rows.ids), len(self.labels))
        logits, probs = np.empty(shape, np.float32), np.empty(shape, np.float32)
        for width, members in buckets([len(ids) for ids in rows.ids]):
            input_ids = np.full((len(members), width), self._bundle.manifest.layout.pad, np.int64)
            attention_mask = np.zeros((len(members), width), np.int64)
            for place, member in enumerate(members):
                ids = rows.ids[member]
                input_ids[place, : len(ids)] = ids
                attention_mask[place, : len(ids)] = 1
            feed = {"input_ids": input_ids, "attention_mask": attention_mask}
            logits[members], probs[members] = self._session.run(_OUTPUTS, feed)
        return logits, probs

    @staticmethod
    def post(logits: NDArray[np.float32], probs: NDArray[np.float32], truncated: NDArray[np.bool_]) -> Classification:
        """Turns logits and probabilities into a judgement."""
        highest = logits.max(axis=1, initial=-np.inf, keepdims=True)
        energy = -(highest[:, 0] + np.log(np.exp(logits - highest).sum(axis=1)))
        return Classification(
            category=probs.argmax(axis=1).astype(np.uint8),
            probs=probs,
            confidence=probs.max(axis=1, initial=0.0),
            energy=energy.astype(np.float32),
            truncated=truncated,
        )

    def _tokenize(self, texts: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)]


def buckets(lengths: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    """Yields (width, members): rows whose length rounds up to the same multiple of 8, at most 4,096 tokens together.

    The width that a row is padded to follows from its own length, so its result owes nothing to its neighbours.
    """
    widths = [-(-length // _BUCKET) * _BUCKET for length in lengths]
    order = sorted(range(len(widths)), key=widths.__getitem__)
    start = 0
    while start < len(order):
        width = widths[order[start]]
        stop = start
        while (
            stop < len(order)
            and widths[order[stop]] == width
            and (stop - start + 1) * width <= max(_BATCH_TOKENS, width)
        ):
            stop += 1
        yield width, order[start:stop]
        start = stop


def load(bundle: Path, *, device: Device = "cpu", threads: int = 0) -> OnnxT5:
    """Returns the classifier of a bundle after verifying it; needs no network.

    `threads` 0 means one a core that this process may use. Raises BundleError when the bundle is not sound, and
    ProviderError when ONNX Runtime cannot run it on `device`: nothing falls back in silence.
    """
    provider = _PROVIDERS[device]
    _refuse_two_runtimes()
    if provider not in ort.get_available_providers():
        raise ProviderError(
            f'this ONNX Runtime offers no {provider}; install valuedrift[gpu] instead of valuedrift[cpu], or set device = "cpu"'
        )
    verified = verify(bundle)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(str(verified.model_path), sess_options=options, providers=[provider])
    except (ort.capi.onnxruntime_pybind11_state.OnnxRuntimeException, RuntimeError) as error:
        raise BundleError(f"{bundle}: ONNX Runtime cannot load the model: {error}; export it again") from error
    if (got := session.get_providers()[0]) != provider:
        raise ProviderError(
            f'asked for {provider} and got {got}; check the driver and CUDA version, or set device = "cpu"'
        )
    _check_graph(session, verified)
    return OnnxT5(verified, session, read_tokenizer(verified.tokenizer_path))


def _refuse_two_runtimes() -> None:
    names = {str(found.metadata["Name"]).lower() for found in importlib.metadata.distributions()}
    if {"onnxruntime", "onnxruntime-gpu"} <= names:
        raise ProviderError(
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other; uninstall both, then install"
            " valuedrift[cpu] or valuedrift[gpu]"
        )


def _check_graph(session: ort.InferenceSession, bundle: Bundle) -> None:
    inputs = [node.name for node in session.get_inputs()]
    outputs = {node.name: node.shape for node in session.get_outputs()}
    if inputs != _INPUTS or list(outputs) != _OUTPUTS or outputs["logits"][-1] != len(bundle.manifest.labels):
        raise BundleError(
            f"{bundle.folder}: the graph maps {inputs} to {list(outputs)}; it must map {_INPUTS} to {_OUTPUTS} with one"
            " logit a label; export the model again"
        )


def read_tokenizer(path: Path) -> Tokenizer:
    """Loads a tokenizer that neither pads nor cuts, and takes texts as they are; raises BundleError when it is damaged."""
    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # tokenizers raises bare Exception for every malformed file
        raise BundleError(f"{path} is not a tokenizer: {error}; install or export the bundle again") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    # A text that spells a special token must not become one: "[SEP]" in a prompt would end the prompt.
    tokenizer.encode_special_tokens = True
    return tokenizer
