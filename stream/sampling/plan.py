"""What is asked: a plan is everything that decides which requests one round of probing sends, and in which order."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stream.sampling.prompt_set import Prompt, PromptSet


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: `indexes` of the prompt's answers that it is to bring, and the seed that goes with it."""

    prompt: Prompt
    indexes: tuple[int, ...]
    seed: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A round of probing: `responses` answers to each prompt at one temperature; `max_tokens` is the longest answer.

    `per_request` is how many answers one request asks for (`n` of the API). `seed` makes each request's own seed.

    Raises:
        ValueError: a number is out of range; the message names it.
    """

    endpoint: str
    model: str
    prompts: PromptSet
    responses: int = 100
    temperature: float = 0.7
    top_p: float | None = None
    max_tokens: int = 256
    per_request: int = 10
    seed: int | None = None

    def __post_init__(self) -> None:
        for name in ("responses", "max_tokens", "per_request"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.temperature <= 2:
            raise ValueError(f"temperature must lie between 0 and 2, got {self.temperature}")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, got {self.top_p}")

    @property
    def answers(self) -> int:
        """How many answers a whole round brings."""
        return len(self.prompts.prompts) * self.responses

    @property
    def fingerprint(self) -> str:
        """12 hex digits that are equal for rounds whose answers may be pooled: same prompts, model, place and way of asking.

        `per_request` is left out: how many answers travel together changes none of them.
        """
        parts = (
            self.endpoint,
            self.model,
            self.prompts.digest,
            self.responses,
            self.temperature,
            self.top_p,
            self.max_tokens,
            self.seed,
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]

    def asks(
        self, round_name: str, done: Mapping[str, frozenset[int]], *, first: int = 0, last: int | None = None
    ) -> Iterator[Ask]:
        """Yields the requests for what is not `done` (indexes by prompt id) among answers `first` to `last` (excluded).

        All prompts take turns: the first answers of each, then the next of each, so that whatever happens during the round
        happens to all of them alike, and a round that is cut short is still balanced.
        """
        end = self.responses if last is None else min(last, self.responses)
        for start in range(first, end, self.per_request):
            for prompt in self.prompts.prompts:
                have = done.get(prompt.id, frozenset())
                wanted = tuple(index for index in range(start, min(start + self.per_request, end)) if index not in have)
                if wanted:
                    yield Ask(prompt, wanted, self.seed_of(round_name, prompt, wanted[0]))

    def seed_of(self, round_name: str, prompt: Prompt, index: int) -> int | None:
        """Returns the seed of the request whose first answer is `index`: another for each prompt, answer and round.

        With one seed for all rounds, an unchanged model would repeat its answers, and an hour's probes would add nothing.
        """
        if self.seed is None:
            return None
        spelt = f"{self.seed}\n{round_name}\n{prompt.id}\n{index}".encode()
        return int.from_bytes(hashlib.sha256(spelt).digest()[:4]) >> 1
