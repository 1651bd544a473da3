"""A T5 classifier in ONNX Runtime: texts to rows of token ids, rows to logits, logits to a judgement."""

import importlib.metadata
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from models.bundle import Bundle, verify
from models.classifier import Classification, Pair
from models.errors import BundleError, ProviderError
from models.pairs import encode_pairs
from models.runtime import ort

Device = Literal["cpu", "cuda"]

_BUCKET = 8
_BATCH_TOKENS = 4096
_LANE_TOKENS = 512
"""On the CPU, where larger batches run no faster: so little that the last one of all keeps the other threads waiting for a moment only."""
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

    def __init__(
        self,
        bundle: Bundle,
        session: ort.InferenceSession,
        tokenizer: Tokenizer,
        *,
        lanes: int = 1,
        tokens: int = _BATCH_TOKENS,
    ) -> None:
        """Runs `lanes` batches of at most `tokens` tokens side by side."""
        self._bundle = bundle
        self._session = session
        self._tokenizer = tokenizer
        self._lanes = ThreadPoolExecutor(lanes, thread_name_prefix="onnx")
        self._tokens = tokens

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
        encoded = encode_pairs(
            [(p.prompt, p.response, p.earlier) for p in pairs], self._tokenize, self._bundle.manifest.layout
        )
        truncated = np.fromiter((pair.truncated for pair in encoded), dtype=np.bool_, count=len(encoded))
        return _Rows([pair.ids for pair in encoded], truncated)

    def core(self, rows: _Rows) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Runs the model on the rows; returns logits and probabilities (n, k) in the order of the rows."""
        shape = (len(rows.ids), len(self.labels))
        logits, probs = np.empty(shape, np.float32), np.empty(shape, np.float32)
        # Widest first: what is left for the end is short, and the threads come to it together.
        parts = list(buckets([len(ids) for ids in rows.ids], tokens=self._tokens))[::-1]
        ran = self._lanes.map(self._run, ([rows.ids[member] for member in members] for _, members in parts))
        for (_, members), found in zip(parts, ran, strict=True):
            logits[members], probs[members] = found
        return logits, probs

    def _run(self, ids: list[list[int]]) -> Sequence[NDArray[np.float32]]:
        """Logits and probabilities of rows that are padded to one width."""
        input_ids = np.full((len(ids), _width(len(ids[0]))), self._bundle.manifest.layout.pad, np.int64)
        attention_mask = np.zeros_like(input_ids)
        for place, row in enumerate(ids):
            input_ids[place, : len(row)] = row
            attention_mask[place, : len(row)] = 1
        found: Sequence[NDArray[np.float32]] = self._session.run(
            _OUTPUTS, {"input_ids": input_ids, "attention_mask": attention_mask}
        )
        return found

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


def _width(length: int) -> int:
    return -(-length // _BUCKET) * _BUCKET


def buckets(lengths: Sequence[int], *, tokens: int = _BATCH_TOKENS) -> Iterator[tuple[int, list[int]]]:
    """Yields (width, members): rows whose length rounds up to the same multiple of 8, at most `tokens` tokens together.

    The width that a row is padded to follows from its own length, so its result owes nothing to its neighbours. Narrow ones come first.
    """
    widths = [_width(length) for length in lengths]
    order = sorted(range(len(widths)), key=widths.__getitem__)
    start = 0
    while start < len(order):
        width = widths[order[start]]
        stop = start
        while stop < len(order) and widths[order[stop]] == width and (stop - start + 1) * width <= max(tokens, width):
            stop += 1
        yield width, order[start:stop]
        start = stop


def load(bundle: Path, *, device: Device = "cpu", threads: int = 0) -> OnnxT5:
    """Returns the classifier of a bundle after verifying it; needs no network.

    `threads` 0 means one a core that this process may use. On the CPU each runs batches of its own: threads that share every
    operation wait for each other at its end, and all of them whenever one is interrupted. Raises BundleError when the
    bundle is not sound, and ProviderError when ONNX Runtime cannot run it on `device`: nothing falls back in silence.
    """
    provider = _PROVIDERS[device]
    _refuse_two_runtimes()
    if provider not in ort.get_available_providers():
        raise ProviderError(
            f'this ONNX Runtime offers no {provider}; install valuedrift[gpu] instead of valuedrift[cpu], or set device = "cpu"'
        )
    verified = verify(bundle)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
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
    tokenizer = read_tokenizer(verified.tokenizer_path)
    if device == "cuda":
        return OnnxT5(verified, session, tokenizer)
    lanes = threads or len(os.sched_getaffinity(0))
    return OnnxT5(verified, session, tokenizer, lanes=lanes, tokens=_LANE_TOKENS)


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
