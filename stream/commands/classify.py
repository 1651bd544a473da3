"""`valuedrift classify`."""

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click
import msgspec

from stream.commands.options import FILE, common_options
from stream.errors import InputError, OutputError
from stream.formats.chat import LONGEST_EARLIER
from stream.naming import content_id

if TYPE_CHECKING:
    from models.classifier import Classifier

_STDIO = Path("-")


class _Line(msgspec.Struct, frozen=True):
    prompt: str
    response: str
    event_id: str | None = None
    earlier: str | None = None


class _Labelled(msgspec.Struct, frozen=True):
    event_id: str
    category: str
    probs: dict[str, float]
    confidence: float


@click.command()
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--out", type=FILE, default=_STDIO, help="Where to write; standard output by default.")
@click.option("--bundle", type=click.Path(path_type=Path, file_okay=False), help="Bundle to use; else the settings'.")
@common_options
def classify(files: tuple[Path, ...], out: Path, bundle: Path | None, config: Path | None) -> None:
    """Label the prompts and responses in FILES, JSON lines with `prompt`, `response` and, if known, `event_id` and `earlier`.

    `earlier` is what was said before the prompt; as much of its end is read as the prompt leaves room for, as in the worker.

    Writes one JSON line each, in the same order: `event_id`, `category`, `probs`, `confidence`. A line that cannot be
    read is named on standard error and left out; the command then ends with exit code 1, all other lines done.
    """
    from models.bundle import DEFAULT_BUNDLE
    from models.onnx_t5 import load
    from stream.config import load as load_settings

    settings = load_settings(config).classifier
    classifier = load(bundle or settings.bundle or DEFAULT_BUNDLE, device=settings.device, threads=settings.threads)
    bad = 0
    with _writing(out) as sink:
        batch: list[_Line] = []
        for name, number, raw in _lines(files):
            try:
                line = msgspec.json.decode(raw, type=_Line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                bad += 1
                click.echo(f"{name} line {number}: {error}", err=True)
                continue
            batch.append(line if line.event_id else msgspec.structs.replace(line, event_id=content_id(raw)))
            if len(batch) == settings.batch_size:
                _write(batch, classifier, sink)
                batch.clear()
        _write(batch, classifier, sink)
    if bad:
        click.echo(f"{bad} {'line' if bad == 1 else 'lines'} left out; the rest is labelled", err=True)
        sys.exit(1)


def _lines(files: Sequence[Path]) -> Iterator[tuple[str, int, bytes]]:
    for path in files:
        try:
            with click.open_file(str(path), "rb") as source:
                for number, raw in enumerate(source, start=1):
                    if raw.strip():
                        yield "standard input" if path == _STDIO else str(path), number, raw.strip()
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from error


def _write(batch: Sequence[_Line], classifier: "Classifier", sink: BinaryIO) -> None:
    from models.classifier import Pair

    if not batch:
        return
    said = classifier.classify(
        [Pair(line.prompt, line.response, (line.earlier or "")[-LONGEST_EARLIER:]) for line in batch]
    )
    for place, line in enumerate(batch):
        probs = [round(float(p), 4) for p in said.probs[place]]
        labelled = _Labelled(
            event_id=line.event_id or "",
            category=classifier.labels[int(said.category[place])],
            probs=dict(zip(classifier.labels, probs, strict=True)),
            confidence=round(float(said.confidence[place]), 4),
        )
        sink.write(msgspec.json.encode(labelled) + b"\n")
    sink.flush()


@contextmanager
def _writing(out: Path) -> Iterator[BinaryIO]:
    """Opens the output; a file appears complete or not at all."""
    if out == _STDIO:
        yield sys.stdout.buffer
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        handle, staged = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    except OSError as error:
        raise OutputError(f"cannot write {out}: {error.strerror}; choose another place with --out") from error
    try:
        with open(handle, "wb") as sink:  # noqa: PTH123 - a descriptor, not a path
            yield sink
        Path(staged).chmod(0o644)
        os.replace(staged, out)  # noqa: PTH105 - atomic
    finally:
        Path(staged).unlink(missing_ok=True)
