"""The worker with a classifier that reads the label from the response: `python -m tests.integration.rule_worker ROLE [DELAY]`.

The model is what these tests are not about; everything else is the program's own. A response that says "crash" makes the
classifier raise, one that says "abort" ends the process at once.
"""

import os
import sys
import time
from collections.abc import Sequence
from typing import cast

import click
import numpy as np

from models.classifier import Classification, Pair
from stream import logs
from stream.commands.worker import Role
from stream.config import load
from stream.core.taxonomy import PAPER
from stream.errors import ValueDriftError
from stream.worker.run import Job, run_worker


class RuleClassifier:
    """Takes the first word of a response for its label."""

    name = "rule@000000000000"
    labels = PAPER.names
    request_kinds = tuple(None if each.request is None else each.request.value for each in PAPER.behaviours)

    def __init__(self, *, delay: float) -> None:
        self.delay = delay

    def classify(self, pairs: Sequence[Pair]) -> Classification:
        time.sleep(self.delay)
        words = [pair.response.split()[0] for pair in pairs]
        if "abort" in words:
            os.abort()
        if "crash" in words:
            raise RuntimeError("the model is gone")
        category = np.array([self.labels.index(word) for word in words], np.uint8)
        probs = np.full((len(words), len(self.labels)), 0.02, np.float32)
        probs[np.arange(len(words)), category] = 0.92
        n = len(words)
        return Classification(
            category=category,
            probs=probs,
            confidence=np.full(n, 0.92, np.float32),
            energy=np.full(n, -3.0, np.float32),
            truncated=np.zeros(n, np.bool_),
        )

    def warmup(self) -> None:
        """Nothing to do."""


def main(role: Role, delay: float) -> None:
    logs.set_up(debug=False)
    classifier = None if role == "detect" else RuleClassifier(delay=delay)
    job = Job(settings=load(), taxonomy=PAPER, classifier=classifier, detects=role != "classify")
    try:
        run_worker(job, say=click.echo)
    except ValueDriftError as error:
        click.echo(f"valuedrift: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main(cast("Role", sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 0.0)
