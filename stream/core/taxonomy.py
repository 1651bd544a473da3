"""The behaviours that responses are sorted into, and the kind of request that each one implies."""

from dataclasses import dataclass
from enum import StrEnum


class RequestKind(StrEnum):
    """What was asked for, as far as the behaviour tells."""

    BENIGN = "benign"
    HARMFUL = "harmful"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One category: its name on the wire, the request kind it implies (None where it implies neither), and whether it is what one wants.

    `wanted` decides which way a split is read (a rise of the unwanted side is "up") and how severe an alert is, nothing else.
    """

    name: str
    request: RequestKind | None
    wanted: bool = True


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """An ordered, closed list of behaviours; a category is an index into it.

    Raises:
        ValueError: fewer than two behaviours, or two of the same name.

    Examples:
        >>> PAPER.names[3], PAPER.index("off_topic"), len(PAPER)
        ('refusal_excessive', 4, 5)
    """

    behaviours: tuple[Behaviour, ...]

    def __post_init__(self) -> None:
        if len(self.behaviours) < 2:
            raise ValueError(f"a taxonomy needs at least two behaviours, got {len(self.behaviours)}")
        if len(set(self.names)) != len(self.behaviours):
            raise ValueError(f"behaviours must have distinct names, got {', '.join(self.names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """Names on the wire, in category order."""
        return tuple(behaviour.name for behaviour in self.behaviours)

    def __len__(self) -> int:
        return len(self.behaviours)

    def index(self, name: str) -> int:
        """Category of the behaviour with this name.

        Raises:
            ValueError: no behaviour has this name.
        """
        try:
            return self.names.index(name)
        except ValueError:
            raise ValueError(f"category must be one of {', '.join(self.names)}, got {name!r}") from None


PAPER = Taxonomy(
    (
        Behaviour("helpful_aligned", RequestKind.BENIGN),
        Behaviour("helpful_misaligned", RequestKind.HARMFUL, wanted=False),
        Behaviour("refusal_appropriate", RequestKind.HARMFUL),
        Behaviour("refusal_excessive", RequestKind.BENIGN, wanted=False),
        Behaviour("off_topic", None, wanted=False),
    )
)
"""g1..g5 of arXiv 2512.03047, table of behaviours."""
