"""Turns a checkpoint into a bundle: ONNX graph, tokenizer, figures, model card, and a manifest that vouches for them."""

import hashlib
import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from export import tables
from export.batches import Batch, collate, encode_samples
from export.card import model_card
from export.checkpoint import TOKENIZER, Checkpoint, load
from export.errors import ExportError
from export.evaluate import EvaluateOptions, Report, judge, labelled_rows
from export.mixtures import Sample
from export.parity import LOGIT_LIMIT, Artefact, Parity, Rows, check
from export.quantize import quantize
from export.rows import Row
from export.smooth import smooth
from export.split import SplitOptions
from export.to_onnx import OPSET, to_onnx
from models.bundle import MANIFEST, SCHEMA, FileEntry, Manifest
from models.onnx_t5 import load as load_bundle

_PARITY_ROWS = 600
_SMOOTHING_ROWS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What to export and where to; `data` gives the rows for the parity gate and the figures."""

    checkpoint: Path
    out: Path
    data: Path
    name: str = "valuedrift-t5-mini"
    artefact: Artefact = "int8"
    split: SplitOptions = field(default_factory=SplitOptions)


def export(options: ExportOptions, say: Callable[[str], None] = lambda _text: None) -> Report:
    """Writes a verified bundle to `out`, replacing an earlier one there, and returns its figures on held-out rows.

    The bundle grows in a folder beside `out` and is renamed when it is complete. Raises ParityError when the graph does
    not match the PyTorch model, DataError and CheckpointError when the inputs cannot be used.
    """
    if options.out.exists() and not (options.out / MANIFEST).is_file():
        raise ExportError(f"{options.out} exists and is not a bundle; choose another place with --out")
    checkpoint = load(options.checkpoint)
    rows = labelled_rows(EvaluateOptions(bundle=options.out, data=options.data, split=options.split))
    everything = labelled_rows(EvaluateOptions(bundle=options.out, data=options.data, part="all"))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.out.parent, prefix=f".{options.out.name}.") as place:
        work, staged = Path(place), Path(place) / "bundle"
        staged.mkdir()
        gate = _gate_rows(checkpoint, rows, everything)
        if options.artefact == "int8":
            say("evening out channels for int8")
            smooth(checkpoint.model, _other_rows(checkpoint, rows, everything))
        say("exporting the graph")
        plain = work / "model.fp32.onnx"
        to_onnx(checkpoint.model, plain)
        say(f"comparing it with the PyTorch model on {len(gate.ids)} rows")
        parities = [_check(checkpoint, plain, gate, "fp32")]
        model = staged / f"model.{options.artefact}.onnx"
        if options.artefact == "int8":
            say("quantising to int8, and comparing again")
            quantize(plain, model)
            parities.append(_check(checkpoint, model, gate, "int8"))
        else:
            plain.rename(model)
        checkpoint.tokenizer.save(str(staged / TOKENIZER))
        report = _finish(options, checkpoint, staged, parities, rows, say)
        if options.out.exists():
            options.out.rename(work / "earlier")
        staged.rename(options.out)
    return report


def _check(checkpoint: Checkpoint, path: Path, gate: Rows, artefact: Artefact) -> Parity:
    layout = checkpoint.note.layout
    return check(checkpoint.model, path, gate, artefact=artefact, pad=layout.pad, longest=layout.longest)


def _gate_rows(checkpoint: Checkpoint, rows: Sequence[Row], everything: Sequence[Row]) -> Rows:
    """Returns held-out rows, and others until there are enough, as token ids."""
    rng = random.Random(0)
    chosen = list(rows) if len(rows) <= _PARITY_ROWS else rng.sample(rows, _PARITY_ROWS)
    missing = min(_PARITY_ROWS - len(chosen), len(everything))
    chosen += rng.sample(everything, missing)
    samples = [Sample(prompt=r.prompt, response=r.response or "", label=r.label, kind=None) for r in chosen]
    encoded = encode_samples(samples, checkpoint.tokenizer, checkpoint.note.layout)
    return Rows(ids=[row.ids for row in encoded], label=[row.label for row in encoded])


def _other_rows(checkpoint: Checkpoint, held: Sequence[Row], everything: Sequence[Row]) -> list[Batch]:
    """Returns some rows that are not held out, as batches: what channels look like is learned from these."""
    apart = set(held)
    others = [row for row in everything if row not in apart] or list(held)
    chosen = random.Random(1).sample(others, min(_SMOOTHING_ROWS, len(others)))
    samples = [Sample(prompt=r.prompt, response=r.response or "", label=r.label, kind=None) for r in chosen]
    encoded = encode_samples(samples, checkpoint.tokenizer, checkpoint.note.layout)
    pad = checkpoint.note.layout.pad
    return [collate(encoded[at : at + 16], pad) for at in range(0, len(encoded), 16)]


def _finish(
    options: ExportOptions,
    checkpoint: Checkpoint,
    staged: Path,
    parities: Sequence[Parity],
    rows: Sequence[Row],
    say: Callable[[str], None],
) -> Report:
    """Measures the staged bundle, adds figures, training record and card, and seals it with its manifest."""
    bound = max(parities[-1].largest_logit_difference, 1e-6)
    _seal(options, checkpoint, staged, bound)
    say(f"measuring it on {len(rows)} held-out rows")
    report = msgspec.structs.replace(judge(load_bundle(staged), rows, part="test"), bundle=options.name)
    _write(staged / "figures.json", report)
    _write(staged / "parity.json", list(parities))
    if checkpoint.note.record is not None:
        _write(staged / "training.json", checkpoint.note.record)
    card = model_card(options.name, checkpoint.note, parities, tables.card(report))
    (staged / "README.md").write_text(card, encoding="utf-8")
    _seal(options, checkpoint, staged, bound)
    load_bundle(staged).warmup()
    return report


def _seal(options: ExportOptions, checkpoint: Checkpoint, staged: Path, bound: float) -> None:
    files = {
        path.name: FileEntry(sha256=hashlib.sha256(path.read_bytes()).hexdigest(), bytes=path.stat().st_size)
        for path in sorted(staged.iterdir())
        if path.name != MANIFEST
    }
    manifest = Manifest(
        schema=SCHEMA,
        name=options.name,
        labels=checkpoint.note.labels,
        request_kinds=checkpoint.note.request_kinds,
        layout=checkpoint.note.layout,
        model=f"model.{options.artefact}.onnx",
        tokenizer=TOKENIZER,
        artefact=options.artefact,
        opset=OPSET,
        temperature=checkpoint.note.temperature,
        logit_bound=min(bound, LOGIT_LIMIT[options.artefact]),
        files=files,
    )
    _write(staged / MANIFEST, manifest)


def _write(path: Path, value: object) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")
