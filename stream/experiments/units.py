"""Long work in pieces that survive an interruption: a piece that was done under the same settings is not done again."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from stream.errors import OutputError
from stream.interrupts import interrupts_held

FOLDER = "pieces"

Piece = TypeVar("Piece", bound=msgspec.Struct)


class Units:
    """Pieces of one experiment in `out/pieces`, each under the hash of what it depends on; `done` counts for progress.

    Raises:
        OutputError: the folder cannot be written.
    """

    def __init__(self, out: Path, settings: str, *, told: Callable[[str], None] = lambda _name: None) -> None:
        self._folder = out / FOLDER
        self._settings = settings
        self._told = told
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot write into {out}: {error.strerror}; choose another folder with --out") from None

    def get(self, name: str, shape: type[Piece], compute: Callable[[], Piece]) -> Piece:
        """Returns the piece as it was kept, or computes and keeps it."""
        self._told(name)
        key = hashlib.sha256(f"{self._settings}\n{name}".encode()).hexdigest()[:12]
        file = self._folder / f"{name}-{key}.json"
        try:
            return msgspec.json.decode(file.read_bytes(), type=shape)
        except (FileNotFoundError, msgspec.MsgspecError):  # not there, or torn by a kill
            piece = compute()
        partial = file.with_suffix(".partial")
        with interrupts_held():
            partial.write_bytes(msgspec.json.encode(piece))
            partial.replace(file)
        return piece
