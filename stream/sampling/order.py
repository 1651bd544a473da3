"""The order in which answers leave: prompts mixed, one answer each before any has two, however they were asked for.

Answers come in clumps: ten of one prompt in a request, kind after kind. A detector that reads them in that order takes ten refusals of one
prompt for a change of the model. So they wait until every prompt has its first answer; those leave in an order drawn anew; then the second
ones, and so on. A monitor then sees the set as a whole, more evenly than chance would have it.
"""

import hashlib
from collections.abc import Iterable, Sequence

from stream.core.records import ResponseEvent


class Interleaver:
    """Holds the answers of one round until it is their turn.

    Examples:
        >>> order = Interleaver("r", ("a", "b"))
        >>> order.skip("a", [0])
        >>> order.ready()
        []
    """

    def __init__(self, round_name: str, prompts: Sequence[str]) -> None:
        self._round = round_name
        self._waiting: dict[tuple[int, str], ResponseEvent] = {}
        self._done: dict[str, set[int]] = {prompt: set() for prompt in prompts}
        self._complete = dict.fromkeys(prompts, 0)
        self._closed: set[str] = set()

    def add(self, prompt: str, index: int, event: ResponseEvent) -> None:
        """Takes an answer."""
        self._waiting[index, prompt] = event
        self._done[prompt].add(index)

    def skip(self, prompt: str, indexes: Iterable[int]) -> None:
        """Takes note of answers that left before, or that will never come."""
        self._done[prompt].update(indexes)

    def close(self, prompt: str) -> None:
        """Waits no longer for this prompt: it is asked no further."""
        self._closed.add(prompt)

    def ready(self) -> list[ResponseEvent]:
        """Returns the answers whose turn it is, in order; they are held no longer."""
        for prompt, done in self._done.items():
            while self._complete[prompt] in done:
                self._complete[prompt] += 1
        turn = min((have for prompt, have in self._complete.items() if prompt not in self._closed), default=None)
        return self._take([key for key in self._waiting if turn is None or key[0] < turn])

    def rest(self) -> list[ResponseEvent]:
        """Returns all that is still held, in order: the round is over."""
        return self._take(list(self._waiting))

    def _take(self, keys: list[tuple[int, str]]) -> list[ResponseEvent]:
        return [self._waiting.pop(key) for key in sorted(keys, key=lambda key: (key[0], self._rank(*key)))]

    def _rank(self, index: int, prompt: str) -> bytes:
        return hashlib.sha256(f"{self._round}\n{index}\n{prompt}".encode()).digest()
