"""An evaluation follows its definitions, takes rows apart as it says, and lets no text out."""

import math
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from export import slices, tables
from export.entropies import compare, entropy
from export.evaluate import MISMATCHED, judge, mismatched, texts_of
from export.metrics import measure
from export.reliability import calibration
from export.report import UnseenSource
from export.rows import HUMAN, Row
from models.classifier import Classification, Pair
from models.labels import LABELS, REQUEST_KINDS
from stream.core.entropy import entropy as core_entropy
from stream.report.evaluation import Page, Reading, render

SECRET = "<b>the secret recipe</b>"


class Sure:
    """Says helpful_aligned to everything, with a confidence that the response spells."""

    name = "sure@000000000000"
    labels = LABELS
    request_kinds = REQUEST_KINDS

    def classify(self, pairs: Sequence[Pair]) -> Classification:
        said = np.array([float(pair.response.split()[-1]) for pair in pairs], np.float32)
        probs = np.column_stack([said, *((1 - said) / 4 for _ in range(4))])
        nothing = np.zeros(len(pairs), np.float32)
        return Classification(np.zeros(len(pairs), np.uint8), probs, said, nothing, nothing.astype(bool))

    def warmup(self) -> None:
        return None


def row(number: int, label: int, confidence: float, *, model: str | None = None, request: str = "") -> Row:
    prompt = request or f"{SECRET} number{number}"
    return Row(
        source="one" if number % 2 else "two",
        prompt=prompt,
        response=f"{SECRET} {confidence}",
        label=label,
        origin=HUMAN,
        place=f"rows.jsonl:{number}",
        model=model,
    )


def test_an_interval_resamples_prompts_and_not_their_rows() -> None:
    one_right_one_wrong = measure(
        np.zeros(100, int), np.repeat([0, 1], 50), np.full(100, 0.9), groups=["p"] * 50 + ["q"] * 50, labels=["a", "b"]
    )
    assert one_right_one_wrong.accuracy == 0.5
    assert (one_right_one_wrong.accuracy_low, one_right_one_wrong.accuracy_high) == (0.0, 1.0)
    apart = measure(
        np.zeros(100, int),
        np.repeat([0, 1], 50),
        np.full(100, 0.9),
        groups=[str(n) for n in range(100)],
        labels=["a", "b"],
    )
    low, high = (apart.accuracy_low, apart.accuracy_high)
    # binomial: 0.5 ± 1.96·√(0.25/100)
    assert [low, high] == pytest.approx([0.402, 0.598], abs=0.02)


def test_a_label_that_nothing_was_read_as_has_no_precision_and_a_label_that_is_not_there_no_recall() -> None:
    seen = measure(
        np.array([0, 0, 1]), np.array([0, 0, 0]), np.full(3, 0.9), groups=list("pqr"), labels=["a", "b", "c"]
    )
    a, b, c = seen.per_class
    assert a.precision == pytest.approx(2 / 3, abs=1e-4)
    assert (a.recall, a.f1) == (1.0, 0.8)
    assert (b.precision, b.precision_interval, b.recall, b.f1) == (None, None, 0.0, 0.0)
    assert (c.precision, c.recall, c.f1, c.f1_interval) == (None, None, None, None)
    assert seen.macro_f1 == 0.4
    assert a.recall_interval == (1.0, 1.0)


def test_honest_confidence_shows_no_excess_and_boasting_shows_what_it_boasts() -> None:
    rng = np.random.default_rng(1)
    alone = np.arange(400)
    drawn = [rng.uniform(0.5, 1.0, 400) for _ in range(30)]
    honest = [calibration(confidence, rng.random(400) < confidence, alone) for confidence in drawn]
    assert abs(np.mean([one.excess for one in honest])) < 0.01
    assert sum(one.excess_interval[0] < 0 < one.excess_interval[1] for one in honest) >= 26
    boasting = calibration(drawn[0], rng.random(400) < drawn[0] - 0.2, alone)
    assert boasting.excess == pytest.approx(0.2 - boasting.if_perfect, abs=0.05)
    assert boasting.excess_interval[0] > 0.05


def test_bins_have_equal_mass_and_tell_confidence_from_accuracy() -> None:
    confidence = np.repeat([0.6, 0.9], 50)
    hits = np.concatenate([np.arange(50) % 2 == 0, np.ones(50, bool)])
    seen = calibration(confidence, hits, np.arange(100))
    assert [one.rows for one in seen.bins] == [10] * 10
    assert (seen.bins[0].confidence, seen.bins[0].accuracy) == (0.6, 0.5)
    assert (seen.bins[9].confidence, seen.bins[9].accuracy) == (0.9, 1.0)
    assert seen.error == pytest.approx(0.1)
    few = calibration(np.array([0.7, 0.8]), np.array([True, True]), np.arange(2))
    assert [one.rows for one in few.bins] == [1, 1]


def test_entropy_is_the_core_s_and_a_perfect_classifier_errs_in_nothing() -> None:
    for counts in ([1, 1, 0, 0, 0], [5, 3, 2, 1, 9], [7, 0, 0, 0, 0]):
        assert float(entropy(np.array(counts))) == pytest.approx(core_entropy(counts))
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 5, 300)
    prompts, models = [str(n // 3) for n in range(300)], ["x", "y", "z"] * 100
    perfect = compare(truth, truth, groups=prompts, models=models, labels=5)
    assert (perfect.error, perfect.pearson, perfect.spearman) == (0.0, 1.0, 1.0)
    assert perfect.difference_interval == (0.0, 0.0)
    blind = compare(truth, np.zeros(300, int), groups=prompts, models=models, labels=5)
    assert (blind.predicted, blind.pearson, blind.spearman) == (0.0, None, None)
    assert blind.error == pytest.approx(math.log(5), abs=0.02)
    guessing = compare(truth, rng.integers(0, 5, 300), groups=prompts, models=models, labels=5)
    assert guessing.pearson is not None
    assert abs(guessing.pearson) < 0.4


def test_rows_are_told_apart_by_length_script_and_model() -> None:
    def of(text: str) -> Row:
        return Row(source="s", prompt="", response=text)

    assert slices.length(of("x" * 200)) == "to 200 characters"
    assert slices.length(of("x" * 201)) == "201 to 1,000 characters"
    assert slices.length(of("x" * 4001)) == "over 4,000 characters"
    scripts = {"Hello!": "Latin without accents", "Voilà, c'est ça.": "Latin with accents", "Привет": "Cyrillic"}
    assert {text: slices.language(of(text)) for text in scripts} == scripts
    assert slices.language(of("你好世界 OK")) == "CJK"
    assert slices.language(of("👍 42")) == "no letters"
    assert slices.model(Row(source="s", prompt="", response="", model=" gpt ")) == "gpt"
    assert slices.model(Row(source="s", prompt="", response="")) == "not recorded"
    assert slices.common(["a"] * 20 + ["b"] * 19) == ["a"] * 20 + ["others, under 20 rows each"] * 19


def test_a_mismatched_row_names_both_places_and_the_model_that_answered() -> None:
    rows = [row(n, 0, 0.9, model=f"m{n}", request=f"subject{n} a b{n}") for n in range(8)]
    made = mismatched(rows, seed="s")
    assert len(made) == 2
    for one in made:
        assert one.source == MISMATCHED
        asked, answered = one.place.split(" with the answer of ")
        assert asked != answered
        assert one.model == next(r.model for r in rows if r.place == answered)


def test_the_rows_to_read_are_the_surest_mistakes_one_a_request_and_carry_no_text() -> None:
    rows = [row(n, 0, 0.9) for n in range(40)]
    rows += [row(100 + n, 1, 0.5 + n / 100) for n in range(30)]
    rows += [row(200 + n, 2, 0.95, request="the same request") for n in range(5)]
    report = judge(Sure(), rows, part="all")
    assert len(report.worst) == 20
    assert [one.confidence for one in report.worst[:3]] == [0.95, 0.79, 0.78]
    assert report.worst[0].place == "rows.jsonl:200"
    assert (report.worst[0].true, report.worst[0].predicted) == ("refusal_appropriate", "helpful_aligned")
    assert report.always_helpful["all rows"] == report.headline["all rows"].accuracy == pytest.approx(40 / 75, abs=1e-4)
    assert set(report.breakdowns) == {"source", "model", "length", "language", "truncated"}
    assert sum(f.rows for f in report.breakdowns["source"].values()) == len(rows)
    assert b"secret" not in msgspec.json.encode(report)
    assert "secret" not in tables.markdown(tables.every(report))
    assert texts_of(report.worst, rows)["rows.jsonl:200"] == ("the same request", f"{SECRET} 0.95")


def test_the_page_shows_every_table_and_the_diagram_and_escapes_texts() -> None:
    report = judge(Sure(), [row(n, n % 2, 0.9) for n in range(40)], part="all")
    report = msgspec.structs.replace(
        report,
        not_held_out=7,
        unseen_sources=(UnseenSource(source="one", rows=20, with_it=0.9, without_it=0.6),),
    )
    shown = tables.every(report)
    reading = Reading(place="rows.jsonl:1", true="a", predicted="b", prompt=SECRET, response="fine")
    page = render(
        Page(
            bundle=report.bundle,
            lead="40 rows",
            notes=tables.notes(report),
            tables=shown,
            bins=report.headline["all rows"].calibration.bins,
            readings=[reading],
        )
    )
    assert all(f"<h2>{table.heading}</h2>" in page or "&#39;" in page for table in shown)
    assert page.count('class="bin"') == 10
    assert "&lt;b&gt;the secret recipe" in page
    assert "<b>" not in page
    assert "-0.300" in page
    assert "7 of 40 rows" in page
