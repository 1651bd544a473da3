"""A trained classifier on disk: a Hugging Face T5 folder, its tokenizer, and a note of how it sorts pairs."""

import shutil
from pathlib import Path
from typing import Final, Literal

import msgspec
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoTokenizer, T5ForConditionalGeneration

from export.curves import PLOT, TABLE, Curve, plot_curves, write_curves
from export.errors import CheckpointError
from export.student import PairInput, T5Classifier
from models.labels import LABELS, REQUEST_KINDS
from models.onnx_t5 import read_tokenizer
from models.pairs import Layout

NOTE: Final = "valuedrift.json"
TOKENIZER: Final = "tokenizer.json"
FRONT: Final = "front.safetensors"
PROMPT_TOKENS, PROMPT_TAIL, RESPONSE_TOKENS, RESPONSE_TAIL = 96, 40, 128, 40


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """How a checkpoint was made, so that anyone can make it again.

    `held_out` has the first 16 hex digits of the SHA-256 of each request of the test part, normalised, so that anyone can
    tell which rows the model never saw. `validation` has what the trained weights reach on the validation rows. `remarks` says
    in words what the command alone does not.
    """

    command: str
    seed: int
    versions: dict[str, str]
    data: dict[str, str]
    split: dict[str, int]
    calibration_rows: int
    curves: tuple[Curve, ...]
    held_out: tuple[str, ...] = ()
    validation: dict[str, float] = {}
    remarks: str = ""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What a T5 folder does not say itself: the labels, their tokens, the layout of pairs, and the temperature."""

    schema: str
    labels: tuple[str, ...]
    request_kinds: tuple[Literal["benign", "harmful"] | None, ...]
    label_ids: tuple[int, ...]
    layout: Layout
    temperature: float
    record: Record | None = None


class Checkpoint(msgspec.Struct, frozen=True):
    """A classifier with its tokenizer and note, ready to train on or to export."""

    model: T5Classifier
    tokenizer: Tokenizer
    note: Note


def save(checkpoint: Checkpoint, folder: Path) -> None:
    """Writes the checkpoint into `folder`, complete or not at all, its curves beside it; an earlier one is replaced."""
    staged = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    checkpoint.model.t5.save_pretrained(staged)
    if checkpoint.model.front is not None:
        save_file(checkpoint.model.front.state_dict(), staged / FRONT)
    checkpoint.tokenizer.save(str(staged / TOKENIZER))
    if checkpoint.note.record is not None and checkpoint.note.record.curves:
        write_curves(checkpoint.note.record.curves, staged / TABLE)
        plot_curves(checkpoint.note.record.curves, staged / PLOT)
    (staged / NOTE).write_bytes(msgspec.json.format(msgspec.json.encode(checkpoint.note), indent=1))
    if folder.exists():
        shutil.rmtree(folder)
    staged.rename(folder)


def load(folder: Path) -> Checkpoint:
    """Reads a checkpoint that `save` wrote, or any Hugging Face T5 folder, whose sentinel tokens then name the labels.

    Raises CheckpointError when the folder is not a T5, or lacks single tokens for the labels.
    """
    t5 = _t5(folder)
    tokenizer = _tokenizer(folder)
    if (folder / NOTE).is_file():
        try:
            note = msgspec.json.decode((folder / NOTE).read_bytes(), type=Note)
        except msgspec.DecodeError as error:
            raise CheckpointError(f"{folder / NOTE} is damaged: {error}; train again") from error
    else:
        note = _note_for(t5, tokenizer, folder)
    if max(note.label_ids) >= t5.config.vocab_size:
        raise CheckpointError(f"{folder} has {t5.config.vocab_size} token embeddings, too few for its label tokens")
    return Checkpoint(T5Classifier(t5, note.label_ids, note.temperature, _front(folder, note)), tokenizer, note)


def _front(folder: Path, note: Note) -> PairInput | None:
    if not (folder / FRONT).is_file():
        return None
    weights = load_file(folder / FRONT)
    front = PairInput(weights["places"].shape[1], note.layout.longest, note.layout.between[0])
    front.load_state_dict(weights)
    return front


def _t5(folder: Path) -> T5ForConditionalGeneration:
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder} is not a Hugging Face checkpoint: {error}") from error
    if config.model_type not in {"t5", "mt5"}:
        raise CheckpointError(f"{folder} holds a {config.model_type} model; name the folder of a T5 checkpoint")
    if not (folder / "model.safetensors").is_file() and not list(folder.glob("model-*.safetensors")):
        raise CheckpointError(
            f"{folder} has no model.safetensors; pickled weights are not read: save it again with safe_serialization=True"
        )
    model: T5ForConditionalGeneration = T5ForConditionalGeneration.from_pretrained(
        folder, local_files_only=True, dtype=torch.float32, use_safetensors=True
    )
    return model


def _tokenizer(folder: Path) -> Tokenizer:
    if (folder / TOKENIZER).is_file():
        return read_tokenizer(folder / TOKENIZER)
    try:
        fast = AutoTokenizer.from_pretrained(folder, local_files_only=True, use_fast=True)
    except (OSError, ValueError, ImportError) as error:
        raise CheckpointError(f"{folder} holds no tokenizer that can be read: {error}") from error
    tokenizer: Tokenizer = fast.backend_tokenizer
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.encode_special_tokens = True
    return tokenizer


def _note_for(t5: T5ForConditionalGeneration, tokenizer: Tokenizer, folder: Path) -> Note:
    """Returns the note of a checkpoint from elsewhere: T5's own sentinels stand for the labels."""
    found = [tokenizer.token_to_id(f"<extra_id_{number}>") for number in range(len(LABELS))]
    label_ids = [token for token in found if token is not None]
    if len(label_ids) < len(LABELS):
        raise CheckpointError(
            f"{folder}: its tokenizer has {len(label_ids)} of the {len(LABELS)} single tokens <extra_id_0>… that stand for"
            " the labels; add them to the tokenizer and resize the embeddings"
        )

    end, pad = t5.config.eos_token_id, t5.config.pad_token_id
    if end is None or pad is None:
        raise CheckpointError(f"{folder}: config.json names no eos_token_id or no pad_token_id; add them")

    def tokens(text: str) -> tuple[int, ...]:
        return tuple(tokenizer.encode(text, add_special_tokens=False).ids)

    layout = Layout(
        prompt_tokens=PROMPT_TOKENS,
        prompt_tail=PROMPT_TAIL,
        response_tokens=RESPONSE_TOKENS,
        response_tail=RESPONSE_TAIL,
        prefix=tokens("request:"),
        between=tokens("response:"),
        suffix=(int(end),),
        gap=tokens("..."),
        pad=int(pad),
    )
    return Note(
        schema="valuedrift.checkpoint/1",
        labels=LABELS,
        request_kinds=REQUEST_KINDS,
        label_ids=tuple(label_ids),
        layout=layout,
        temperature=1.0,
    )
