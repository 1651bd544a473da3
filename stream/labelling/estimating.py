"""Estimates of the shares and of S for the responses that a sample was drawn from: as counted, and corrected in each way that can be."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np

from stream.core.correction import Estimate, as_counted, by_confusion, soft_labels
from stream.core.prediction_powered import Stratum, prediction_powered
from stream.labelling.evidence import Evidence
from stream.labelling.folder import Design, Labels, SampleRow

SCHEMA = "valuedrift.label.estimate/1"

PREDICTED, SOFT, CONFUSION, LABELLED = "predicted", "soft", "confusion", "labelled"
"""As the classifier says; mean of its probabilities; its confusion inverted; with people's labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """Estimates by method, why others are missing, and what they rest on: labels given, rows skipped, weight of the probabilities."""

    found: Mapping[str, Estimate]
    left_out: Mapping[str, str]
    labels: int
    skipped: int
    tuning: float | None
    evidence: Evidence | None


def estimate(design: Design, rows: list[SampleRow], labels: Labels, evidence: Evidence | str) -> Estimates:
    """Returns every estimate that can be made of the labels so far; `evidence` may be the reason why there is none."""
    counts = np.array(design.counts, np.int64)
    found = {
        PREDICTED: as_counted(counts),
        SOFT: soft_labels(np.array(design.mean), np.array(design.covariance), design.responses),
    }
    left_out: dict[str, str] = {}
    if isinstance(evidence, str):
        left_out[CONFUSION] = evidence
    else:
        try:
            found[CONFUSION] = by_confusion(counts, evidence.confusion)
        except ValueError as error:
            left_out[CONFUSION] = str(error)
    given = {row.row: label for row in rows if (label := labels.get(row.row)) is not None}
    missing = _missing(design, rows, given)
    tuning = None
    if missing:
        left_out[LABELLED] = missing
    else:
        found[LABELLED], tuning = prediction_powered(_strata(design, rows, given))
    return Estimates(
        found=found,
        left_out=left_out,
        labels=len(given),
        skipped=sum(row.row in labels and row.row not in given for row in rows),
        tuning=tuning,
        evidence=evidence if isinstance(evidence, Evidence) else None,
    )


def as_json(design: Design, made: Estimates) -> bytes:
    """Returns the estimates as one JSON object, `valuedrift.label.estimate/1`, with a line feed."""
    content = {
        "schema": SCHEMA,
        "monitor": design.monitor,
        "classifier": design.classifier,
        "responses": design.responses,
        "without_text": design.without_text,
        "labels": made.labels,
        "skipped": made.skipped,
        "level": 0.95,
        "tuning": _rounded(made.tuning),
        "held_out": made.evidence
        and {"rows": made.evidence.rows, "design_effect": _rounded(made.evidence.design_effect)},
        "estimates": {
            method: {
                "entropy": _interval(each.entropy),
                "shares": dict(zip(design.categories, map(_interval, each.shares), strict=True)),
            }
            for method, each in made.found.items()
        },
        "left_out": made.left_out,
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n"


def _interval(of: tuple[float, float, float]) -> dict[str, float | None]:
    value, low, high = map(_rounded, of)
    return {"value": value, "low": low, "high": high}


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


def _missing(design: Design, rows: list[SampleRow], given: Mapping[str, str]) -> str | None:
    """What has to be labelled before there is an estimate: at least one response of each stratum."""
    labelled = {row.stratum for row in rows if row.row in given}
    without = [
        f"{entry.category} ({'sure' if entry.sure else 'unsure'})"
        for number, entry in enumerate(design.strata)
        if number not in labelled
    ]
    return f"no label yet among the responses that were predicted as {', '.join(without)}" if without else None


def _strata(design: Design, rows: list[SampleRow], given: Mapping[str, str]) -> list[Stratum]:
    places = {name: place for place, name in enumerate(design.categories)}
    made = []
    for number, entry in enumerate(design.strata):
        mine = [row for row in rows if row.stratum == number and row.row in given]
        made.append(
            Stratum(
                size=entry.size,
                mean=np.array(entry.mean),
                probs=np.array([row.probs for row in mine]),
                labels=np.array([places[given[row.row]] for row in mine]),
            )
        )
    return made
