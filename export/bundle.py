"""Turns a checkpoint into a bundle: ONNX graph, tokenizer, figures, model card, and a manifest that vouches for them."""

import hashlib
import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from export import tables
from export.batches import Batch, Encoded, collate, encode_samples
from export.calibrate import logits_of
from export.card import model_card
from export.checkpoint import TOKENIZER, Checkpoint, Note, load
from export.crossfit import CrossFitted, cross_fit
from export.errors import ExportError
from export.evaluate import EvaluateOptions, judge, labelled_rows
from export.half import halve
from export.mixtures import Sample
from export.parity import LOGIT_LIMIT, Artefact, Parity, Rows, check, reference
from export.quantize import quantize
from export.report import Report
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
    """What to export and where to; `data` gives the rows for the parity gate, the calibration and the figures.

    One artefact makes `out` a bundle, several make it a folder with a bundle of the artefact's name for each.
    """

    checkpoint: Path
    out: Path
    data: Path
    name: str = "valuedrift-t5-mini"
    artefacts: tuple[Artefact, ...] = ("int8",)
    split: SplitOptions = field(default_factory=SplitOptions)


Say = Callable[[str], None]


def export(options: ExportOptions, say: Say = lambda _text: None) -> dict[Artefact, Report]:
    """Writes a verified bundle for each artefact, replacing what an earlier export left at `out`, and returns their figures.

    All grow in a folder beside `out` that is renamed when every one is complete. Raises ParityError when a graph does not
    match the PyTorch model, DataError and CheckpointError when the inputs cannot be used.
    """
    _may_replace(options.out)
    checkpoint = load(options.checkpoint)
    chosen = EvaluateOptions(bundle=options.out, data=options.data, split=options.split)
    rows = labelled_rows(chosen)
    apart = labelled_rows(replace(chosen, part="apart"))
    everything = labelled_rows(replace(chosen, part="all"))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.out.parent, prefix=f".{options.out.name}.") as place:
        work, staged = Path(place), Path(place) / "bundle"
        gate = _gate_rows(checkpoint, rows, everything)
        if "int8" in options.artefacts:
            say("evening out channels for int8")
            smooth(checkpoint.model, _other_rows(checkpoint, rows, everything))
        say(f"fitting the temperature on {len(apart)} rows that training left out")
        checkpoint, fitted = _calibrated(checkpoint, apart)
        say("exporting the graph")
        plain = work / "model.fp32.onnx"
        to_onnx(checkpoint.model, plain)
        say(f"comparing it with the PyTorch model on {len(gate.ids)} rows")
        layout = checkpoint.note.layout
        wanted = reference(checkpoint.model, gate, pad=layout.pad, longest=layout.longest)
        first = check(wanted, plain, "fp32")
        reports: dict[Artefact, Report] = {}
        for artefact in options.artefacts:
            folder = staged if len(options.artefacts) == 1 else staged / artefact
            folder.mkdir(parents=True)
            parities = [first]
            if artefact != "fp32":
                say(f"making {artefact} of it, and comparing again")
                _convert(artefact, checkpoint, plain, folder / f"model.{artefact}.onnx")
                parities.append(check(wanted, folder / f"model.{artefact}.onnx", artefact))
            else:
                shutil.copyfile(plain, folder / f"model.{artefact}.onnx")
            staging = _Staging(folder, options.name, artefact, checkpoint.note, fitted, tuple(parities))
            checkpoint.tokenizer.save(str(folder / TOKENIZER))
            say(f"measuring it on {len(rows)} held-out rows")
            reports[artefact] = _finish(staging, rows)
        if options.out.exists():
            options.out.rename(work / "earlier")
        staged.rename(options.out)
    return reports


def _may_replace(out: Path) -> None:
    """Refuses a place where something lies that is neither a bundle nor a folder of bundles."""
    earlier = out.exists() and [out, *(path for path in out.iterdir() if out.is_dir() and path.is_dir())]
    if earlier and not any((path / MANIFEST).is_file() for path in earlier):
        raise ExportError(f"{out} exists and is not a bundle; choose another place with --out")


def _convert(artefact: Artefact, checkpoint: Checkpoint, plain: Path, target: Path) -> None:
    if artefact == "int8":
        quantize(plain, target)
    else:
        config = checkpoint.model.t5.config
        halve(plain, target, heads=config.num_heads, inner=config.num_heads * config.d_kv, blocks=config.num_layers)


def _calibrated(checkpoint: Checkpoint, apart: Sequence[Row]) -> tuple[Checkpoint, CrossFitted]:
    """Gives the model the temperature that rows which training left out ask for."""
    layout = checkpoint.note.layout
    checkpoint.model.temperature.fill_(1.0)
    fitted = cross_fit(logits_of(checkpoint.model, _encoded(checkpoint, apart), layout.pad), apart)
    checkpoint.model.temperature.fill_(fitted.temperature)
    note = msgspec.structs.replace(checkpoint.note, temperature=fitted.temperature)
    return Checkpoint(checkpoint.model, checkpoint.tokenizer, note), fitted


def _encoded(checkpoint: Checkpoint, rows: Sequence[Row]) -> list[Encoded]:
    samples = [Sample(prompt=r.prompt, response=r.response or "", label=r.label, kind=None) for r in rows]
    return encode_samples(samples, checkpoint.tokenizer, checkpoint.note.layout)


def _gate_rows(checkpoint: Checkpoint, rows: Sequence[Row], everything: Sequence[Row]) -> Rows:
    """Returns held-out rows, and others until there are enough, as token ids."""
    rng = random.Random(0)
    chosen = list(rows) if len(rows) <= _PARITY_ROWS else rng.sample(rows, _PARITY_ROWS)
    missing = min(_PARITY_ROWS - len(chosen), len(everything))
    chosen += rng.sample(everything, missing)
    encoded = _encoded(checkpoint, chosen)
    return Rows(ids=[row.ids for row in encoded], label=[row.label for row in encoded])


def _other_rows(checkpoint: Checkpoint, held: Sequence[Row], everything: Sequence[Row]) -> list[Batch]:
    """Returns some rows that are not held out, as batches: what channels look like is learned from these."""
    apart = set(held)
    others = [row for row in everything if row not in apart] or list(held)
    chosen = random.Random(1).sample(others, min(_SMOOTHING_ROWS, len(others)))
    encoded = _encoded(checkpoint, chosen)
    pad = checkpoint.note.layout.pad
    return [collate(encoded[at : at + 16], pad) for at in range(0, len(encoded), 16)]


@dataclass(frozen=True, slots=True)
class _Staging:
    """A bundle that is being put together in `folder`."""

    folder: Path
    name: str
    artefact: Artefact
    note: Note
    fitted: CrossFitted
    parities: tuple[Parity, ...]


def _finish(staging: _Staging, rows: Sequence[Row]) -> Report:
    """Measures the staged bundle, adds figures, training record and card, and seals it with its manifest."""
    folder = staging.folder
    _seal(staging)
    report = msgspec.structs.replace(judge(load_bundle(folder), rows, part="test"), bundle=staging.name)
    _write(folder / "figures.json", report)
    _write(folder / "parity.json", list(staging.parities))
    _write(folder / "calibration.json", staging.fitted)
    if staging.note.record is not None:
        _write(folder / "training.json", staging.note.record)
    card = model_card(staging.name, staging.note, staging.parities, staging.fitted, tables.card(report))
    (folder / "README.md").write_text(card, encoding="utf-8")
    _seal(staging)
    load_bundle(folder).warmup()
    return report


def _seal(staging: _Staging) -> None:
    files = {
        path.name: FileEntry(sha256=hashlib.sha256(path.read_bytes()).hexdigest(), bytes=path.stat().st_size)
        for path in sorted(staging.folder.iterdir())
        if path.name != MANIFEST
    }
    bound = max(staging.parities[-1].largest_logit_difference, 1e-6)
    manifest = Manifest(
        schema=SCHEMA,
        name=staging.name,
        labels=staging.note.labels,
        request_kinds=staging.note.request_kinds,
        layout=staging.note.layout,
        model=f"model.{staging.artefact}.onnx",
        tokenizer=TOKENIZER,
        artefact=staging.artefact,
        opset=OPSET,
        temperature=staging.note.temperature,
        logit_bound=min(bound, LOGIT_LIMIT[staging.artefact]),
        files=files,
        out_of_taxonomy=staging.fitted.out_of_taxonomy,
    )
    _write(staging.folder / MANIFEST, manifest)


def _write(path: Path, value: object) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")
