"""A tiny T5 checkpoint and a folder of rows for it, made on the spot."""

import json
import random
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import BertConfig, BertModel, T5Config, T5ForConditionalGeneration

from models.labels import LABELS

_WORDS = ("please", "cake", "bomb", "poem", "virus", "garden", "sorry", "cannot", "sure", "here", "weather", "banana")
_PROMPTS = {"benign": ("cake", "poem", "garden"), "harmful": ("bomb", "virus")}


def write_rows(folder: Path, count: int) -> Path:
    """Writes rows whose label follows from three words: what is asked, and whether the answer starts sorry or sure."""
    folder.mkdir()
    rng = random.Random(0)
    lines = []
    for number in range(count):
        kind = rng.choice(("benign", "harmful"))
        subject = rng.choice(_PROMPTS[kind])
        refuses = rng.random() < 0.5
        filler = " ".join(rng.choice(_WORDS) for _ in range(rng.randrange(1, 20)))
        label = LABELS[
            {("benign", False): 0, ("harmful", False): 1, ("harmful", True): 2, ("benign", True): 3}[kind, refuses]
        ]
        lines.append(
            {
                "prompt": f"{subject} {subject} request number{number}",
                "response": f"{'sorry cannot' if refuses else 'sure here'} {subject} {filler}",
                "label": label,
            }
        )
    (folder / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def write_checkpoint(folder: Path, *, sentinels: int = 5, **changes: object) -> Path:
    """Writes a T5 with random weights as transformers does, with a tokenizer of whole words beside it."""
    specials = ["<pad>", "</s>", "<unk>", *(f"<extra_id_{number}>" for number in range(sentinels))]
    vocabulary = {
        word: place for place, word in enumerate([*specials, "request", "response", ":", "...", "number", *_WORDS])
    }
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.add_special_tokens(specials)
    plain: dict[str, object] = {
        "vocab_size": len(vocabulary), "d_model": 32, "d_kv": 8, "num_heads": 4, "num_layers": 2, "num_decoder_layers": 2,
        "d_ff": 64, "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0, "dropout_rate": 0.1,
    }  # fmt: skip
    torch.manual_seed(0)
    T5ForConditionalGeneration(T5Config(**(plain | changes))).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def write_minilm(folder: Path) -> Path:
    """Writes a BERT with random weights and its tokenizer, as the package that carries MiniLM has them."""
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    vocabulary = {word: place for place, word in enumerate([*specials, "…", "request", "number", *_WORDS])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.add_special_tokens(specials)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=240,
    )  # fmt: skip
    bert = BertModel(config)
    with torch.no_grad():
        bert.embeddings.word_embeddings.weight.normal_(std=0.5)  # the padding's too: a decoder starts from it
    bert.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder
