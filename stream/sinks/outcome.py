"""What came of one attempt to tell a receiver."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has it."""


@dataclass(frozen=True, slots=True)
class Later:
    """The receiver cannot take it now; `wait` is how many seconds it asks for, if it does."""

    why: str
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The receiver will never take it as it is."""

    why: str


Outcome = Delivered | Later | Refused
