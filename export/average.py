"""Averages the weights of two checkpoints of one training: `python -m export.average FURTHER EARLIER --share 0.6 --out DIR`.

A student that was taught further has gained on what it was taught and lost on what it was not; weights in between can be
better than either on validation rows (Wortsman et al., arXiv:2109.01903). `valuedrift export` fits the temperature anew.
"""

import argparse
import sys
from pathlib import Path

import msgspec
import torch

from export.checkpoint import Checkpoint, Record, load, save
from export.errors import CheckpointError
from models.errors import ModelError


def average(first: Checkpoint, second: Checkpoint, share: float) -> Checkpoint:
    """Returns `share` of the weights of `first` plus the rest of those of `second`, with a record that says so.

    `first` is changed in place. Raises CheckpointError when the two are not of one shape, tokenizer, layout and labels, or
    did not leave the same requests out of training, ValueError when `share` is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must be between 0 and 1, got {share}")
    # Parameters, not the state: the state names a shared weight several times, and each would move it again.
    mine, other = dict(first.model.named_parameters()), dict(second.model.named_parameters())
    same = {name: weight.shape for name, weight in mine.items()} == {name: w.shape for name, w in other.items()}
    plain = [msgspec.structs.replace(one.note, temperature=1.0, record=None) for one in (first, second)]
    if not same or plain[0] != plain[1] or first.tokenizer.to_str() != second.tokenizer.to_str():
        raise CheckpointError("the checkpoints differ in more than weights; average two of one training")
    records = first.note.record, second.note.record
    if records[0] is None or records[1] is None:
        raise CheckpointError("a checkpoint does not say how it was trained; average two that `valuedrift train` wrote")
    if (records[0].data, records[0].held_out) != (records[1].data, records[1].held_out):
        raise CheckpointError("the checkpoints were trained on other rows; what one left out, the other may have seen")
    with torch.no_grad():
        for name, weight in mine.items():
            weight.lerp_(other[name], 1 - share)
        first.model.temperature.fill_(1.0)
    note = msgspec.structs.replace(plain[0], record=_record(records[0], records[1], share))
    return Checkpoint(first.model, first.tokenizer, note)


def _record(first: Record, second: Record, share: float) -> Record:
    made = f"FURTHER was made by `{first.command}`, EARLIER by `{second.command}`."
    return msgspec.structs.replace(
        first,
        command=f"python -m export.average FURTHER EARLIER --share {share:g} --out DIR",
        validation={},
        remarks=f"{made} {first.remarks}".rstrip(),
    )


def main() -> None:
    """Averages the checkpoints that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m export.average", description=__doc__)
    parser.add_argument("first", type=Path, metavar="FURTHER", help="checkpoint; its record of training is kept")
    parser.add_argument("second", type=Path, metavar="EARLIER", help="checkpoint of the same shape and rows")
    parser.add_argument("--share", type=float, default=0.5, help="weight of FURTHER, 0 to 1 (0.5)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new checkpoint")
    chosen = parser.parse_args()
    try:
        save(average(load(chosen.first), load(chosen.second), chosen.share), chosen.out)
    except (ModelError, ValueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
