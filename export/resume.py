"""Keeps the whole state of a training run in one file, so that a stop loses few steps."""

import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import nn

from export.batches import Batch
from export.errors import ExportError


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a run stands: `step` of `steps` are done, and in pass `number` as many batches as `batch`."""

    step: int = 0
    steps: int = 0
    number: int = 0
    batch: int = 0
    seconds: float = 0.0


def remaining(
    place: Place, passes: int, one_pass: Callable[[int], Sequence[Batch]]
) -> Iterator[tuple[int, int, Batch]]:
    """Yields the batches after `place`, each with the number of its pass and its own in that pass.

    `one_pass` must return the same batches whenever it is asked for the same pass.
    """
    for number in range(place.number, passes):
        done = place.batch if number == place.number else 0
        for index, batch in enumerate(one_pass(number)[done:], start=done):
            yield number, index, batch


@dataclass(frozen=True, slots=True)
class StateFile:
    """One file with weights, optimiser, PyTorch's random state and place, replaced as a run goes on, whole or not at all.

    It is due every so many steps, and after so many seconds where steps are slow. `run` says what run it is (options, data,
    teacher): a file of another run is refused.
    """

    path: Path
    run: str
    every: int = 100
    seconds: float = 120.0
    _written: list[float] = field(default_factory=lambda: [time.monotonic()])

    def keep(self, learner: nn.Module, optimizer: torch.optim.Optimizer, place: Place) -> None:
        """Replaces the file when that is due."""
        if place.step % self.every == 0 or time.monotonic() - self._written[0] >= self.seconds:
            self.write(learner, optimizer, place)

    def write(self, learner: nn.Module, optimizer: torch.optim.Optimizer, place: Place) -> None:
        """Replaces the file."""
        staged = self.path.with_name(f".{self.path.name}.partial")
        staged.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.save(
                {
                    "run": self.run,
                    "place": asdict(place),
                    "learner": learner.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "random": torch.get_rng_state(),
                },
                staged,
            )
            staged.replace(self.path)
            self._written[0] = time.monotonic()
        finally:
            staged.unlink(missing_ok=True)

    def read(self, learner: nn.Module, optimizer: torch.optim.Optimizer) -> Place:
        """Puts the file's state into both and returns its place; raises ExportError when it holds none for this run."""
        if not self.path.is_file():
            raise ExportError(f"{self.path} does not exist: there is nothing to resume; train without --resume")
        try:
            state = torch.load(self.path, weights_only=True)
            same = state["run"] == self.run
        except (OSError, RuntimeError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as error:
            raise ExportError(f"{self.path} is damaged: {error}; train without --resume") from error
        if not same:
            raise ExportError(
                f"{self.path} belongs to a run with other data, teacher or options; give those of that run, or train"
                " without --resume"
            )
        learner.load_state_dict(state["learner"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])
        return Place(**state["place"])
