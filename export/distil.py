"""Teaches a T5 what a BERT teacher knows: its states, its judgement of many mixed pairs, and the labels themselves."""

import copy
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from export.batches import Batch, encode_samples, make_batches
from export.mixtures import Mixer
from export.student import AuxiliaryHead, T5Classifier
from export.teacher import Teacher, label_log_probs
from export.transplant import unit
from models.pairs import Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class DistilOptions:
    """How long and how hard to distil. `rate` is relative to the size of each weight, `head_rate` absolute.

    For the first `apart` of the run only the decoder learns, from the encoder as it is: a fresh decoder's gradients would
    undo the encoder's good start. With `minutes`, training ends after so long at the latest, and the rates fall to their
    end by then.
    """

    passes: int = 2
    minutes: float | None = None
    tokens_per_batch: int = 2600
    rate: float = 0.001
    apart: float = 0.15
    head_rate: float = 1e-3
    warm_up: float = 0.03
    softness: float = 1.5
    label_share: float = 0.5
    averaging: float = 0.99
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Where training stands; the losses are means since the last report."""

    step: int
    steps: int
    seconds: float
    loss: float
    cosine: float


@dataclass(frozen=True, slots=True)
class _Learner:
    """What is trained: the model, and what helps it learn and is thrown away."""

    model: T5Classifier
    head: AuxiliaryHead
    reading: nn.Parameter
    inner: Sequence[Tensor]


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a student learns from: the teacher, the samples' source, and how texts become tokens."""

    teacher: Teacher
    mixer: Mixer
    tokenizer: Tokenizer
    layout: Layout


def distil(
    model: T5Classifier,
    readings: Sequence[Tensor],
    lesson: Lesson,
    options: DistilOptions,
    report: Callable[[Step, T5Classifier], None],
) -> T5Classifier:
    """Trains `model` in place and returns the running mean of its weights, which is steadier than the last ones.

    `readings` (d, d), one a block, map the student's stream to the teacher's at the start. `report` is called every 50 steps with the
    averaged model.
    """
    torch.manual_seed(options.seed)
    rng = random.Random(options.seed)
    lesson.teacher.eval()
    model.train()
    head = AuxiliaryHead(model.t5.config.d_model, len(model.label_ids))
    learner = _Learner(model, head, nn.Parameter(readings[-1].clone()), readings[:-1])
    first = _one_pass(lesson, options, rng)
    steps = len(first) * options.passes
    optimizer = torch.optim.AdamW(_groups(learner, options), weight_decay=0.0, fused=True)
    peaks = [float(group["lr"]) for group in optimizer.param_groups]
    averaged = copy.deepcopy(model).eval()
    began, seen = time.monotonic(), _Means()
    for step, batch in enumerate(_batches(first, lesson, options, rng)):
        elapsed = time.monotonic() - began
        done = max(step / steps, elapsed / (60 * options.minutes) if options.minutes else 0.0)
        if done >= 1:
            break
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * min(1.0, (step + 1) / (options.warm_up * steps)) * max(0.02, 1 - done)
        loss, cosine = _loss(learner, lesson.teacher, batch, options, done=done)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], 1.0)
        optimizer.step()
        _average(averaged, model, min(options.averaging, (step + 2) / (step + 11)))
        seen.add(loss.item(), cosine)
        if (step + 1) % 50 == 0:
            mean_loss, mean_cosine = seen.take()
            report(Step(step=step + 1, steps=steps, seconds=elapsed, loss=mean_loss, cosine=mean_cosine), averaged)
    return averaged


def _batches(first: Sequence[Batch], lesson: Lesson, options: DistilOptions, rng: random.Random) -> Iterator[Batch]:
    yield from first
    for _ in range(options.passes - 1):
        yield from _one_pass(lesson, options, rng)


class _Means:
    def __init__(self) -> None:
        self._rows: list[tuple[float, float]] = []

    def add(self, loss: float, cosine: float) -> None:
        self._rows.append((loss, cosine))

    def take(self) -> tuple[float, float]:
        rows, self._rows = self._rows, []
        return sum(a for a, _ in rows) / len(rows), sum(b for _, b in rows) / len(rows)


def _one_pass(lesson: Lesson, options: DistilOptions, rng: random.Random) -> list[Batch]:
    mixer = lesson.mixer
    samples = [
        *mixer.labelled(rng),
        *mixer.unlabelled(rng, 1500),
        *mixer.off_topic(rng, 2000),
        *mixer.refused(rng, 3500),
        *mixer.asked(rng, 2000),
    ]
    encoded = encode_samples(samples, lesson.tokenizer, lesson.layout)
    return make_batches(encoded, rng, tokens=options.tokens_per_batch, pad=lesson.layout.pad, largest=32)


def _loss(
    learner: _Learner, teacher: Teacher, batch: Batch, options: DistilOptions, *, done: float
) -> tuple[Tensor, float]:
    model = learner.model
    alone = done < options.apart
    with torch.autocast("cpu", torch.bfloat16):
        with torch.no_grad():
            judged = teacher(batch)
        with torch.set_grad_enabled(not alone):
            states, streams = model.streams(batch.ids, batch.mask)
        logits = model.decode(states, batch.mask)
        pooled = learner.head(states, batch)
    soft = (label_log_probs(judged.kind, judged.behaviour) / options.softness).log_softmax(-1)
    loss = torch.zeros(())
    for share, out in ((1.0, logits), (0.5, pooled)):
        distance = (soft.exp() * (soft - (out / options.softness).log_softmax(-1))).sum(-1) * options.softness**2
        loss = loss + share * (1 - options.label_share) * 2 * (distance * batch.weight).sum() / batch.weight.sum()
        known = (batch.label >= 0).float() * batch.weight
        hit = nn.functional.cross_entropy(out, batch.label.clamp(min=0), reduction="none", label_smoothing=0.03)
        loss = loss + share * options.label_share * 2 * (hit * known).sum() / batch.weight.sum()
    keep = batch.mask.bool()
    cosine, apart = _compare(states.float()[keep] @ learner.reading, judged.hidden[-1].float()[keep])
    if not alone:
        for stream, inner, wanted in zip(streams, learner.inner, judged.hidden[1:-1], strict=True):
            apart = apart + 0.4 * _compare(unit(stream.float()[keep]) @ inner, wanted.float()[keep])[1]
        loss = loss + 3 * max(0.1, 1.0 - 1.2 * done) * apart
    return loss, float(cosine.detach())


def _compare(got: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the mean cosine of two sets of states, and how far apart they are in direction and in size."""
    cosine = nn.functional.cosine_similarity(got, wanted, dim=-1).mean()
    error = (got - wanted).square().sum(-1) / wanted.square().sum(-1).mean()
    return cosine, 1 - cosine + 0.3 * error.mean()


def _groups(learner: _Learner, options: DistilOptions) -> list[dict[str, object]]:
    """Gives each weight of the encoder a rate in proportion to its size, and the fresh parts an absolute one."""
    model, head, reading = learner.model, learner.head, learner.reading
    table = model.t5.shared.weight
    fresh = torch.zeros(len(table), 1)
    fresh[[*model.label_ids, model.t5.config.decoder_start_token_id]] = 1.0
    table.register_hook(lambda gradient: gradient * fresh)
    groups: list[dict[str, object]] = [
        {"params": [table, *head.parameters()], "lr": options.head_rate},
        {"params": [reading], "lr": options.rate * float(reading.detach().square().mean().sqrt())},
    ]
    for name, weight in model.named_parameters():
        if weight is table:
            continue
        size = float(weight.detach().square().mean().sqrt())
        if "relative_attention_bias" in name:
            rate = 0.01
        elif name.startswith("t5.decoder"):
            rate = options.head_rate if weight.ndim > 1 else 0.003
        else:
            rate = options.rate * size
        groups.append({"params": [weight], "lr": rate})
    return groups


def _average(averaged: nn.Module, model: nn.Module, keep: float) -> None:
    with torch.no_grad():
        for mean, now in zip(averaged.parameters(), model.parameters(), strict=True):
            if now.requires_grad:
                mean.lerp_(now, 1 - keep)


def sample_batches(lesson: Lesson, rng: random.Random, rows: int) -> Sequence[Batch]:
    """Returns batches of about `rows` mixed samples, for fitting weights in closed form."""
    mixer = lesson.mixer
    samples = [
        *rng.sample(mixer.labelled(rng), rows // 2),
        *mixer.refused(rng, rows // 4),
        *mixer.off_topic(rng, rows // 4),
    ]
    encoded = encode_samples(samples, lesson.tokenizer, lesson.layout)
    return make_batches(encoded, rng, tokens=2600, pad=lesson.layout.pad, largest=32)
