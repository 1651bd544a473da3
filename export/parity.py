"""The gate: an exported graph must say what the PyTorch model says, or there is no bundle."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from export.errors import ParityError
from export.student import T5Classifier
from models.onnx_t5 import buckets
from models.runtime import ort

Artefact = Literal["fp32", "int8", "fp16"]
LEAST_ROWS: Final = 500
LOGIT_LIMIT: Final[dict[Artefact, float]] = {"fp32": 1e-3, "int8": 0.75, "fp16": 0.1}
"""The stated bound: no logit may differ by more; a label must be equal wherever the margin is over twice this."""

_AGREEMENT: Final[dict[Artefact, float]] = {"fp32": 1.0, "int8": 0.99, "fp16": 0.99}
_ACCURACY_LOSS = 0.005
_ROUNDING = 1e-5
"""The figures have five decimals: three rows of 600 are exactly half a point, and allowed."""

_MIXED = 32

Forward = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Real rows of token ids; `label` is -1 where it is not known."""

    ids: Sequence[Sequence[int]]
    label: Sequence[int]


class Parity(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate measured: differences from PyTorch in logits, labels and accuracy, and whether batches matter."""

    artefact: str
    rows: int
    largest_logit_difference: float
    label_agreement: float
    accuracy_torch: float | None
    accuracy_onnx: float | None
    labels_moved_by_batching: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What the PyTorch model says of real rows, of the hostile ones behind them, and of one token among padding."""

    ids: Sequence[Sequence[int]]
    label: Sequence[int]
    logits: NDArray[np.float32]
    lone: tuple[NDArray[np.int64], NDArray[np.int64]]
    lone_logits: NDArray[np.float32]
    pad: int


def reference(model: T5Classifier, rows: Rows, *, pad: int, longest: int) -> Reference:
    """Returns what `model` says, once for all artefacts; raises ParityError when the rows are too few to judge by."""
    if len(rows.ids) < LEAST_ROWS:
        raise ParityError(f"the parity gate needs {LEAST_ROWS} rows, got {len(rows.ids)}; give more rows with --data")
    model.eval()

    def pytorch(input_ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        with torch.no_grad():
            logits: NDArray[np.float32] = model(torch.from_numpy(input_ids), torch.from_numpy(mask)).numpy()
        return logits

    ids = [*rows.ids, *_hostile(rows.ids, pad, longest)]
    # A row that is padding but for one token, beside a full one.
    lone = _padded([[ids[0][0]], [ids[0][0]] * longest], pad)
    return Reference(
        ids=ids, label=rows.label, logits=_run(ids, pad, pytorch), lone=lone, lone_logits=pytorch(*lone), pad=pad
    )


def check(wanted_of: Reference, path: Path, artefact: Artefact) -> Parity:
    """Compares the graph at `path`, run by ONNX Runtime on the CPU, with the PyTorch model and returns the figures.

    The CPU computes fp16 nodes in fp32 between roundings to fp16: what CUDA's own sums do is not seen here. Raises
    ParityError, naming the figures that are out of bounds.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(str(path), sess_options=options, providers=["CPUExecutionProvider"])

    def onnx(input_ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        feed = {"input_ids": input_ids, "attention_mask": mask}
        logits: NDArray[np.float32] = session.run(["logits"], feed)[0]
        return logits

    ids, pad, wanted = wanted_of.ids, wanted_of.pad, wanted_of.logits
    if not np.abs(onnx(*wanted_of.lone) - wanted_of.lone_logits).max() <= LOGIT_LIMIT[artefact]:
        raise ParityError("the graph differs from PyTorch on a row of one token among padding; no bundle was written")
    got = _run(ids, pad, onnx)
    alone = np.concatenate([onnx(*_padded([row], pad)) for row in ids])
    mixed = np.concatenate([onnx(*_padded(ids[at : at + _MIXED], pad)) for at in range(0, len(ids), _MIXED)])
    moved = (alone.argmax(1) != got.argmax(1)) | (alone.argmax(1) != mixed.argmax(1))
    label = np.asarray(wanted_of.label)
    known = label >= 0
    real = len(label)
    same = wanted.argmax(1) == got.argmax(1)
    two = np.sort(wanted, axis=1)[:, -2:]
    parity = Parity(
        artefact=artefact,
        rows=real,
        largest_logit_difference=round(float(np.abs(wanted - got).max()), 6),
        label_agreement=round(float(same.mean()), 5),
        accuracy_torch=round(float((wanted[:real].argmax(1) == label)[known].mean()), 5) if known.any() else None,
        accuracy_onnx=round(float((got[:real].argmax(1) == label)[known].mean()), 5) if known.any() else None,
        labels_moved_by_batching=int(moved.sum()),
    )
    _judge(
        parity, artefact, moved_despite_margin=int((~same & (two[:, 1] - two[:, 0] > 2 * LOGIT_LIMIT[artefact])).sum())
    )
    return parity


def _judge(parity: Parity, artefact: Artefact, *, moved_despite_margin: int) -> None:
    problems = []
    if not np.isfinite(parity.largest_logit_difference) or parity.largest_logit_difference > LOGIT_LIMIT[artefact]:
        problems.append(f"a logit differs by {parity.largest_logit_difference}, over {LOGIT_LIMIT[artefact]}")
    if moved_despite_margin:
        problems.append(f"{moved_despite_margin} labels differ although the margin is over twice the bound")
    if parity.label_agreement < _AGREEMENT[artefact]:
        problems.append(f"labels agree on {parity.label_agreement:.2%}, under {_AGREEMENT[artefact]:.0%}")
    if parity.accuracy_torch is not None and parity.accuracy_onnx is not None:
        change = abs(parity.accuracy_torch - parity.accuracy_onnx)
        if change > _ACCURACY_LOSS + _ROUNDING:
            problems.append(f"accuracy moves by {change:.2%}, over {_ACCURACY_LOSS:.1%}")
    if parity.labels_moved_by_batching:
        problems.append(f"{parity.labels_moved_by_batching} labels depend on what shares the batch")
    if problems:
        raise ParityError(
            f"the {artefact} graph does not match the PyTorch model: {'; '.join(problems)}; no bundle was written"
        )


def _hostile(ids: Sequence[Sequence[int]], pad: int, longest: int) -> list[list[int]]:
    """Returns rows of one token, of the greatest length, and of every length class between, made of real tokens."""
    stock = [token for row in ids for token in row if token != pad]
    return [stock[:1], stock[:longest], *(stock[length : 2 * length] for length in range(2, longest, 17))]


def _padded(rows: Sequence[Sequence[int]], pad: int, width: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    width = width or max(map(len, rows))
    ids = np.full((len(rows), width), pad, np.int64)
    mask = np.zeros((len(rows), width), np.int64)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = row
        mask[place, : len(row)] = 1
    return ids, mask


def _run(ids: Sequence[Sequence[int]], pad: int, forward: Forward) -> NDArray[np.float32]:
    """Runs rows in the batches of the runtime; returns logits (n, k)."""
    out: dict[int, NDArray[np.float32]] = {}
    for width, members in buckets([len(row) for row in ids]):
        logits = forward(*_padded([ids[member] for member in members], pad, width))
        out.update(zip(members, logits, strict=True))
    return np.stack([out[index] for index in range(len(ids))])
