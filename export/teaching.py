"""Trains the teacher on labelled rows, mixed pairs and prompts of known kind."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import BertModel

from export.batches import Batch, encode_samples, make_batches
from export.mixtures import Mixer
from export.teacher import Teacher, teacher_loss
from models.labels import LABELS
from models.pairs import Layout

_OFF_TOPIC, _REFUSED, _ASKED = 1500, 4000, 3500
_HEAVIEST = 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class TeachingOptions:
    """How long and how hard to train the teacher. Its word embeddings stay as they were."""

    passes: int = 2
    tokens_per_batch: int = 2600
    rate: float = 1e-4
    head_rate: float = 1e-3
    warm_up: float = 0.06
    smoothing: float = 0.03
    seed: int = 1


def teach(
    encoder: BertModel,
    mixer: Mixer,
    tokenizer: Tokenizer,
    layout: Layout,
    options: TeachingOptions,
    report: Callable[[int, int, float, float], None],
) -> Teacher:
    """Returns a trained teacher; `report` gets step, steps, seconds and mean loss every 50 steps."""
    torch.manual_seed(options.seed)
    rng = random.Random(options.seed)
    teacher = Teacher(encoder)
    teacher.train()
    encoder.embeddings.word_embeddings.weight.requires_grad_(False)  # noqa: FBT003 - torch's signature
    weight = class_weights(mixer)

    def one_pass() -> list[Batch]:
        samples = [
            *mixer.labelled(rng),
            *mixer.off_topic(rng, _OFF_TOPIC),
            *mixer.refused(rng, _REFUSED),
            *mixer.asked(rng, _ASKED),
        ]
        encoded = encode_samples(samples, tokenizer, layout)
        return make_batches(encoded, rng, tokens=options.tokens_per_batch, pad=layout.pad, largest=32)

    first = one_pass()
    steps = len(first) * options.passes
    body = [p for n, p in teacher.named_parameters() if n.startswith("encoder") and p.requires_grad]
    heads = [p for n, p in teacher.named_parameters() if not n.startswith("encoder")]
    groups = [{"params": body, "lr": options.rate}, {"params": heads, "lr": options.head_rate}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda done: min(1.0, (done + 1) / max(1.0, options.warm_up * steps)) * max(0.0, 1 - done / steps)
    )
    began, losses, step = time.monotonic(), list[float](), 0
    for number in range(options.passes):
        for batch in first if number == 0 else one_pass():
            with torch.autocast("cpu", torch.bfloat16):
                judged = teacher(batch)
            loss = teacher_loss(judged, batch, smoothing=options.smoothing, class_weight=weight)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_([*body, *heads], 1.0)
            optimizer.step()
            schedule.step()
            step += 1
            losses.append(loss.item())
            if step % 50 == 0:
                report(step, steps, time.monotonic() - began, float(np.mean(losses[-50:])))
    return teacher.eval()


def class_weights(mixer: Mixer) -> Tensor:
    """Returns one weight a label, in inverse proportion to the square root of its rows in a pass, 1 on average."""
    counts = np.bincount(
        [s.label for s in mixer.labelled(random.Random(0)) if s.label is not None], minlength=len(LABELS)
    )
    counts[-1] += _OFF_TOPIC
    weight = 1 / np.sqrt(np.maximum(counts, 1))
    weight *= counts.sum() / (weight * counts).sum()
    return torch.tensor(weight, dtype=torch.float32).clamp(max=_HEAVIEST)
