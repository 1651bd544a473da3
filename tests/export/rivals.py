"""The same T5 run as others run it: PyTorch by transformers, and optimum's encoder and decoder in ONNX Runtime."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from optimum.onnxruntime import ORTModelForSeq2SeqLM
from transformers import AutoConfig, T5ForConditionalGeneration

from export.student import StudentShape, new_t5

Ids = NDArray[np.int64]
Run = Callable[[Ids, Ids], NDArray[np.float32]]
"""Takes input_ids and attention_mask (n, t) and returns the logits of the first decoder step (n, vocabulary)."""


def write_random(folder: Path, *, vocabulary: int, pad: int, end: int) -> Path:
    """Writes a T5 with random weights in the shape of the shipped one: speed does not depend on weights."""
    new_t5(StudentShape(), vocabulary=vocabulary, pad=pad, end=end).save_pretrained(folder)
    return folder


def shape_of(checkpoint: Path) -> str:
    """Returns the size of a checkpoint in words."""
    config = AutoConfig.from_pretrained(checkpoint, local_files_only=True)
    layers = f"{config.num_layers} + {config.num_decoder_layers} layers"
    return f"d_model {config.d_model}, {layers}, d_ff {config.d_ff}, {config.vocab_size:,} words"


def in_pytorch(checkpoint: Path, threads: int) -> Run:
    """Returns the model's forward as transformers computes it, in fp32."""
    torch.set_num_threads(threads)
    model = T5ForConditionalGeneration.from_pretrained(checkpoint, local_files_only=True, dtype=torch.float32).eval()
    return _first_step(model)


def in_two_graphs(checkpoint: Path, threads: int) -> Run:
    """Returns the model as optimum exports it by itself, encoder and decoder without cache, in fp32."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    model = ORTModelForSeq2SeqLM.from_pretrained(
        checkpoint, export=True, use_cache=False, session_options=options, provider="CPUExecutionProvider"
    )
    return _first_step(model)


def _first_step(model: T5ForConditionalGeneration | ORTModelForSeq2SeqLM) -> Run:
    start = model.config.decoder_start_token_id

    def run(input_ids: Ids, attention_mask: Ids) -> NDArray[np.float32]:
        with torch.inference_mode():
            logits: NDArray[np.float32] = (
                model(
                    input_ids=torch.from_numpy(input_ids),
                    attention_mask=torch.from_numpy(attention_mask),
                    decoder_input_ids=torch.full((len(input_ids), 1), start),
                )
                .logits[:, 0]
                .numpy()
            )
        return logits

    return run
