"""What a model learns from a teacher by: the teacher, where samples come from, and how they become batches."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from export.batches import Batch, encode_samples, make_batches
from export.mixtures import Mixer, Sample
from export.teacher import Teacher
from models.pairs import Layout

_LARGEST = 32


@dataclass(frozen=True, slots=True)
class Lesson:
    """The teacher, the samples' source, and how texts become tokens."""

    teacher: Teacher
    mixer: Mixer
    tokenizer: Tokenizer
    layout: Layout

    def batches(self, samples: Sequence[Sample], rng: random.Random, *, tokens: int) -> list[Batch]:
        """Returns the samples as batches of at most `tokens` padded tokens, in random order."""
        encoded = encode_samples(samples, self.tokenizer, self.layout)
        return make_batches(encoded, rng, tokens=tokens, pad=self.layout.pad, largest=_LARGEST)
