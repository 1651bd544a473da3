"""What the turns before the last one do to the judgement: `python -m tests.bench.study_turns DATA`, a minute or two on two cores.

DATA holds `hh-harmless-test.jsonl.gz` (many-turn chats with an assistant's answers; nobody labelled them, but few of the answers are to
something else, and the answer of another chat nearly always is) and `openai-rbr-gold.jsonl.gz` (labelled by people; most of its rows were
trained on, with all their turns in the prompt).
"""

import gzip
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.bundle import DEFAULT_BUNDLE
from models.classifier import Pair
from models.labels import LABELS
from models.onnx_t5 import load
from stream.experiments.rows import held_out_hashes, request_hash
from stream.formats.chat import Turn, earlier_of

CHATS = 600
APART = 137
"""Chats between an answer and the chat that it is given to: neighbours are about other things."""
OFF_TOPIC = LABELS.index("off_topic")
HARMFUL = [LABELS.index("helpful_misaligned"), LABELS.index("refusal_appropriate")]


class Chat(NamedTuple):
    """Turns up to the last user turn, and the answer."""

    turns: list[Turn]
    answer: str

    def pair(self, answer: str, *, whole: bool) -> Pair:
        earlier = earlier_of(self.turns) if whole else None
        return Pair(self.turns[-1].text, answer, earlier or "")


def chats(file: Path) -> Iterator[Chat]:
    """Chats of two user turns or more."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            turns = split(json.loads(line)["chosen"])
            if len(turns) > 3 and turns[-1].role == "assistant" and turns[-2].role == "user":
                yield Chat(turns[:-1], turns[-1].text)


def labelled(file: Path) -> Iterator[tuple[Chat, int, bool]]:
    """Chats, their labels, and whether training left them out."""
    unseen = held_out_hashes(DEFAULT_BUNDLE) or frozenset()
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            turns = split(row["prompt"])
            if len(turns) > 1 and turns[-1].role == "user":
                yield Chat(turns, row["response"]), LABELS.index(row["label"]), request_hash(row["prompt"]) in unseen


def split(text: str) -> list[Turn]:
    """Returns the turns of a chat that was written down as one text."""
    found = re.split(r"(?:^|\n\n)(Human|User|Assistant):", text)[1:]
    turns = [
        Turn("assistant" if name == "Assistant" else "user", said.strip())
        for name, said in zip(found[::2], found[1::2], strict=True)
    ]
    return turns if all(turn.text for turn in turns) else []


def main(folder: Path) -> None:
    classifier = load(DEFAULT_BUNDLE, threads=2)

    def judge(pairs: Sequence[Pair]) -> npt.NDArray[np.uint8]:
        return np.concatenate([classifier.classify(pairs[at : at + 32]).category for at in range(0, len(pairs), 32)])

    real = list(chats(folder / "hh-harmless-test.jsonl.gz"))[:CHATS]
    rows = list(labelled(folder / "openai-rbr-gold.jsonl.gz"))
    truth = np.array([label for _, label, _ in rows])
    unseen = np.array([apart for _, _, apart in rows])
    print(f"{len(real)} chats without labels, {len(rows)} with labels ({unseen.sum()} that training left out)")
    for name, whole in (("last turn alone", False), ("with earlier turns", True)):
        own = judge([chat.pair(chat.answer, whole=whole) for chat in real])
        others = judge([chat.pair(real[at - APART].answer, whole=whole) for at, chat in enumerate(real)])
        said = judge([chat.pair(chat.answer, whole=whole) for chat, _, _ in rows])
        kind = np.isin(said, HARMFUL) == np.isin(truth, HARMFUL)
        print(
            f"{name}: own answer off topic {np.mean(own == OFF_TOPIC):.3f}, another chat's {np.mean(others == OFF_TOPIC):.3f}; "
            f"labelled rows: accuracy {np.mean(said == truth):.3f} (unseen {np.mean((said == truth)[unseen]):.3f}), "
            f"request kind {np.mean(kind):.3f}, off topic {np.mean(said == OFF_TOPIC):.3f}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
