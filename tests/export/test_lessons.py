"""What a student is told by each kind of pair."""

import torch
from torch import Tensor

from export.batches import Batch
from export.learner import DistilOptions, told
from export.mixtures import G1, G2, G3, G4, G5


def batch(*, label: int, kind: int) -> Batch:
    one = torch.ones(1, 3, dtype=torch.long)
    return Batch(
        ids=one, mask=one, segment=one, label=torch.tensor([label]), kind=torch.tensor([kind]), weight=torch.ones(1)
    )


def sure_of(label: int) -> Tensor:
    return torch.full((1, 5), 0.02).index_fill(1, torch.tensor([label]), 0.92).log()


SAID = torch.tensor([[0.3, 1.0, -0.2, 0.1, 0.5]])


def test_a_teacher_that_takes_a_made_off_topic_pair_for_help_is_not_listened_to() -> None:
    made = batch(label=G5, kind=1)
    contrary = {float(told(SAID, sure_of(label), made, DistilOptions())) for label in (G1, G2, G3, G4)}
    assert len(contrary) == 1
    assert float(told(SAID, sure_of(G5), made, DistilOptions())) not in contrary
    labelled = batch(label=G2, kind=1)  # people err: there the teacher has its say
    assert told(SAID, sure_of(G2), labelled, DistilOptions()) != told(SAID, sure_of(G3), labelled, DistilOptions())


def test_a_prompt_of_known_kind_without_a_label_still_says_which_labels_are_possible() -> None:
    undecided = torch.zeros(1, 5).log_softmax(-1)

    def loss(label: int, kind: int) -> float:
        return float(told(sure_of(label), undecided, batch(label=-1, kind=kind), DistilOptions()))

    assert loss(G3, 1) < loss(G4, 1)
    assert loss(G2, 1) < loss(G1, 1)
    assert loss(G4, 0) < loss(G3, 0)
    assert loss(G3, -1) == loss(G4, -1)
