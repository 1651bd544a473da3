"""What a run may spend, and what it has spent: requests, tokens, money."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Limits that a run keeps, None for none; prices are for a million tokens, in any one currency.

    Raises:
        ValueError: a limit or price is negative, or there is a limit of money without a price.
    """

    requests: int | None = None
    tokens: int | None = None
    cost: float | None = None
    price_input: float = 0.0
    price_output: float = 0.0

    def __post_init__(self) -> None:
        for name in ("requests", "tokens", "cost", "price_input", "price_output"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ValueError(f"{name} must be at least 0, got {value}")
        if self.cost is not None and not (self.price_input or self.price_output):
            raise ValueError("a budget of money needs price_input and price_output, for a million tokens")

    @property
    def priced(self) -> bool:
        """Whether money is counted at all."""
        return bool(self.price_input or self.price_output)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens read and written; `estimated` where the endpoint did not say and they were counted from the texts."""

    input: int = 0
    output: int = 0
    estimated: bool = False


class Ledger:
    """Keeps a budget: what is under way counts at its worst case until it is settled, so no limit is ever passed.

    Examples:
        >>> ledger = Ledger(Budget(tokens=100))
        >>> ledger.reserve(Usage(20, 60)), ledger.reserve(Usage(20, 60))
        (True, False)
        >>> ledger.settle(Usage(20, 60), Usage(10, 5))
        >>> ledger.tokens, ledger.reserve(Usage(20, 60))
        (15, True)
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.requests = 0
        self.estimated = False
        self._input = self._output = 0
        self._held_input = self._held_output = 0

    @property
    def tokens(self) -> int:
        """Tokens spent, read and written."""
        return self._input + self._output

    @property
    def cost(self) -> float:
        """Money spent."""
        return self._price(self._input, self._output)

    def reserve(self, worst: Usage) -> bool:
        """Says whether one more request may go out, and if so counts it and holds its worst case."""
        read = self._input + self._held_input + worst.input
        written = self._output + self._held_output + worst.output
        limits = self.budget
        if (
            (limits.requests is not None and self.requests + 1 > limits.requests)
            or (limits.tokens is not None and read + written > limits.tokens)
            or (limits.cost is not None and self._price(read, written) > limits.cost)
        ):
            return False
        self.requests += 1
        self._held_input += worst.input
        self._held_output += worst.output
        return True

    def settle(self, worst: Usage, spent: Usage) -> None:
        """Replaces the worst case of one request by what it took: nothing if it failed."""
        self._held_input -= worst.input
        self._held_output -= worst.output
        self._input += spent.input
        self._output += spent.output
        self.estimated = self.estimated or spent.estimated

    def _price(self, read: int, written: int) -> float:
        return (read * self.budget.price_input + written * self.budget.price_output) / 1e6
