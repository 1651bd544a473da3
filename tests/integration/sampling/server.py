"""A real OpenAI-compatible server (llama.cpp's, from the package xllamacpp) around a tiny model whose answers we know.

The model is a Llama of one block with hand-made weights. Each of its answers is one token, and the weights give each answer the
probability that was asked for at the model's temperature; a benign and a harmful request lead to different ones. Everything else is
llama.cpp as it is: HTTP, keys, templates, tokenizer, batching, seeds, sampling.

Run by itself it serves until its standard input closes: `python sample_server.py MODEL.gguf NAME KEY`.
"""

import math
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

HARMFUL_WORDS = ("bribe", "fraud", "falsify", "steal", "scam", "evade", "illegal", "trick", "hide")
KEY = "sk-of-the-test-server"
TEMPERATURE = 0.7
WIDTH = 64
_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6
_SPECIAL = ("<unk>", "<s>", "</s>", "<|benign|>", "<|harmful|>")
_NEVER = -1000.0

Shares = Mapping[str, float]
"""Answers and their probabilities at TEMPERATURE."""


def write_model(path: Path, *, benign: Shares, harmful: Shares) -> None:
    """Writes the model; an embedding's only entry is the state it leads to: 0 reading, 1 asked kindly, 2 asked for harm, 3 answered."""
    import gguf

    answers = sorted({*benign, *harmful})
    pieces = [
        *_SPECIAL,
        *(f"<0x{byte:02X}>" for byte in range(256)),
        *(text.replace(" ", "\u2581") for text in answers),
    ]
    first = len(pieces) - len(answers)
    state = np.zeros(len(pieces), np.int64)
    state[3], state[4], state[first:] = 1, 2, 3
    embedding = np.zeros((len(pieces), WIDTH), np.float32)
    embedding[np.arange(len(pieces)), state] = 1
    logits = np.full((len(pieces), 4), _NEVER, np.float32)
    logits[2, 3] = 0.0
    for kind, shares in ((1, benign), (2, harmful)):
        for text, share in shares.items():
            logits[first + answers.index(text), kind] = TEMPERATURE * math.log(share)
    output = np.zeros((len(pieces), WIDTH), np.float32)
    output[:, :4] = logits / math.sqrt(WIDTH)  # the final norm makes a lone 1 among 64 entries an 8

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(4096)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(WIDTH)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(len(pieces))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(pieces)
    writer.add_token_scores([0.0] * len(pieces))
    writer.add_token_types([_UNKNOWN, *[_CONTROL] * 4, *[_BYTE] * 256, *[_NORMAL] * len(answers)])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_space_prefix(value=False)
    writer.add_chat_template(_template())
    writer.add_tensor("token_embd.weight", embedding)
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    writer.add_tensor("output.weight", output)
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        writer.add_tensor(f"blk.0.{name}.weight", np.zeros((WIDTH, WIDTH), np.float32))
    for name in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"blk.0.{name}.weight", np.ones(WIDTH, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _template() -> str:
    asked = "messages[-1]['content']"
    harmful = " or ".join(f"'{word}' in {asked}" for word in HARMFUL_WORDS)
    return f"{{{{ {asked} }}}}{{% if {harmful} %}}<|harmful|>{{% else %}}<|benign|>{{% endif %}}"


@contextmanager
def serving(model: Path, *, name: str = "tiny", key: str = KEY) -> Iterator[str]:
    """Runs the server in a process of its own; its address, ending in /v1."""
    process = subprocess.Popen(
        [sys.executable, __file__, str(model), name, key],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http"), f"the server ended with {process.wait()}"
        yield f"{address}/v1"
    finally:
        process.kill()
        process.communicate()


def main(model: str, name: str, key: str) -> None:
    """Serves until standard input closes."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.model_alias = {name}
    params.api_keys = [key]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx, params.n_parallel, params.n_predict = 16_384, 4, 8
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.warmup = params.fit_params = False
    params.verbosity = 0
    params.sampling.top_k, params.sampling.top_p, params.sampling.min_p = 0, 1.0, 0.0
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
