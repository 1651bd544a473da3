"""The parts that experiments are made of: injections, rules, pieces, reports, and figures of a classifier."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from models.classifier import Classification, Pair
from models.labels import LABELS
from stream.core.entropy import entropy
from stream.core.events import Rule
from stream.core.settings import EngineSettings
from stream.errors import InputError
from stream.experiments import agreement, classifier, dynamics, rows, threshold, walks
from stream.experiments.findings import Basis, Finding, Report, Table
from stream.experiments.injection import INJECTIONS, Injection, more_harmful, moved, production_mix, swapped, unchanged
from stream.experiments.judging import EpsilonRule, Judge, entropy_steps, epsilon_alarms, first_after
from stream.experiments.units import Units
from stream.experiments.writing import write

MIX = np.array([0.70, 0.03, 0.09, 0.15, 0.03])


class Piece(msgspec.Struct):
    value: int


@pytest.mark.parametrize("injection", INJECTIONS, ids=lambda injection: injection.name)
def test_an_injection_keeps_shares_shares(injection: Injection) -> None:
    after = injection.change(MIX)
    assert after.sum() == pytest.approx(1)
    assert (after >= 0).all()
    assert not np.allclose(after, MIX)


def test_a_swap_leaves_the_entropy_as_it_is() -> None:
    after = swapped(1, 2)(MIX)
    assert entropy((after * 1e6).astype(int)) == entropy((MIX * 1e6).astype(int))


def test_more_harmful_requests_leave_the_behaviour_given_the_request_as_it_is() -> None:
    after = more_harmful(2.0)(MIX)
    assert after[1] + after[2] == pytest.approx(2 * (MIX[1] + MIX[2]))
    assert after[1] / after[2] == pytest.approx(MIX[1] / MIX[2])
    assert after[3] / after[0] == pytest.approx(MIX[3] / MIX[0])
    assert after[4] == MIX[4]


def test_a_ramp_rises_evenly_from_the_moment_of_the_change() -> None:
    injection = Injection(name="x", change=moved(0, 4, 1.0), ramp=20_000)
    drawn = injection.draw(np.array([1.0, 0.0, 0.0, 0.0, 0.0]), 50_000, 20_000, np.random.default_rng(1)) == 4
    assert drawn[:20_000].sum() == 0
    assert drawn[25_000:35_000].mean() == pytest.approx(0.5, abs=0.02)
    assert drawn[40_000:].all()


def test_steps_of_the_entropy_are_differences_of_the_windows_entropies() -> None:
    categories = np.random.default_rng(2).choice(5, size=237, p=MIX).astype(np.uint8)
    steps = entropy_steps(categories, 5, window=40, stride=10)
    windows = [entropy(np.bincount(categories[end - 40 : end], minlength=5)) for end in range(40, 231, 10)]
    assert steps == pytest.approx(np.diff(windows), abs=1e-12)


def test_the_fast_form_of_the_papers_rule_agrees_with_the_engine() -> None:
    categories = np.random.default_rng(3).choice(5, size=4_000, p=MIX).astype(np.uint8)
    rule = EpsilonRule(window=100, stride=20, epsilon=0.05)
    settings = EngineSettings(window=100, stride=20, learn_from=1000, epsilon=0.05, traffic_mix=False)
    fires = epsilon_alarms(categories, 5, rule)
    assert len(fires) > 10
    # The engine opens an alert at the first step of each run of steps that fire.
    opened = [alarm for alarm in fires.tolist() if alarm - rule.stride not in set(fires.tolist())]
    assert Judge(settings, len(categories)).alarms(categories, Rule.ENTROPY_RATE) == opened


def test_the_first_alarm_after_the_change_is_found() -> None:
    alarms = np.array([10, 20, 30])
    assert (first_after(alarms, 20), first_after(alarms, 30)) == (30, None)


def test_a_large_change_is_seen_by_the_rule_that_ships_and_quickly() -> None:
    judge = Judge(EngineSettings(window=500, stride=500, learn_from=1000), 6_000)
    drawn = Injection(name="", change=moved(0, 3, 0.5)).draw(MIX, 6_000, 3_000, np.random.default_rng(4))
    alarms = judge.alarms(drawn, Rule.DRIFT, enough_after=3_000)
    assert 3_000 < alarms[-1] < 3_100


def test_a_piece_is_computed_once_under_the_same_settings(tmp_path: Path) -> None:
    calls = []

    def compute() -> Piece:
        calls.append(1)
        return Piece(len(calls))

    assert Units(tmp_path, "a").get("p", Piece, compute).value == 1
    assert Units(tmp_path, "a").get("p", Piece, compute).value == 1
    assert Units(tmp_path, "b").get("p", Piece, compute).value == 2


def test_a_piece_that_a_kill_tore_is_computed_again(tmp_path: Path) -> None:
    Units(tmp_path, "a").get("p", Piece, lambda: Piece(1))
    (file,) = (tmp_path / "pieces").iterdir()
    file.write_bytes(file.read_bytes()[:5])
    assert Units(tmp_path, "a").get("p", Piece, lambda: Piece(2)).value == 2


def test_a_report_says_the_same_in_each_of_its_files(tmp_path: Path) -> None:
    table = Table(name="t", caption="c", header=("model", "S"), rows=(("<b>", 0.123456789), ("y", None)))
    finding = Finding(heading="<script>", basis=Basis.SIMULATED, words=("words",), tables=(table,))
    write(tmp_path, Report(name="n", title="t", question="q", findings=(finding,), settings=(("seed", "1"),)))
    page = (tmp_path / "report.html").read_text()
    assert "<script>" not in page
    assert "&lt;b&gt;" in page
    assert "simulated: no model answered anything" in page
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["tables"]["t"] == {
        "caption": "c",
        "basis": "simulated",
        "rows": [{"model": "<b>", "S": 0.123457}, {"model": "y", "S": None}],
    }
    assert (tmp_path / "t.csv").read_text() == "model,S\n<b>,0.123457\ny,\n"


def test_a_table_refuses_two_columns_of_one_name_of_which_a_program_would_read_one() -> None:
    with pytest.raises(ValueError, match="same heading"):
        Table(name="t", caption="", header=("a", "a"), rows=((1, 2),))


def test_a_table_refuses_rows_that_do_not_fit_its_header() -> None:
    with pytest.raises(ValueError, match="2 cells under 1"):
        Table(name="t", caption="", header=("a",), rows=((1, 2),))


def test_the_mix_of_traffic_keeps_each_kind_of_request_as_people_labelled_it() -> None:
    labelled = rows.load()
    counts = labelled.counts("mistralguard")
    mix = production_mix(labelled, "mistralguard")
    assert mix.sum() == pytest.approx(1)
    assert mix[[1, 2]].sum() == pytest.approx(0.10)
    assert mix[1] / mix[2] == pytest.approx(counts[1] / counts[2])
    assert mix[3] / mix[0] == pytest.approx(counts[3] / counts[0])


@pytest.mark.parametrize("content", ["{}", '{"model":"a","prompt":"p","response":"r","label":"nice"}', "x"])
def test_rows_that_are_no_labelled_responses_are_refused_by_line(content: str, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(content)
    with pytest.raises(InputError, match="line 1"):
        rows.load(file)


def test_rows_that_the_model_never_saw_are_found_by_the_bundles_record(tmp_path: Path) -> None:
    labelled = rows.load().rows
    wanted = labelled[0].prompt
    (tmp_path / "training.json").write_text(json.dumps({"held_out": [rows.request_hash(wanted)], "seed": 1}))
    found = rows.held_out(labelled, tmp_path)
    assert found is not None
    assert {row.prompt for row in found} == {wanted}
    assert rows.held_out(labelled, tmp_path / "none") is None


class Parrot:
    """Says what it is told, wrong in every tenth row."""

    name, labels, request_kinds = "parrot", LABELS, (None,) * 5

    def __init__(self, known: dict[tuple[str, str], int]) -> None:
        self.known = known
        self.batches = 0

    def classify(self, pairs: Sequence[Pair]) -> Classification:
        self.batches += 1
        said = np.array([self.known[pair.prompt, pair.response] for pair in pairs], np.uint8)
        said[::10] = (said[::10] + 1) % 5
        confidence = np.where(np.arange(len(pairs)) % 10 == 0, 0.5, 0.95).astype(np.float32)
        probs = np.zeros((len(pairs), 5), np.float32)
        return Classification(said, probs, confidence, -confidence, np.zeros(len(pairs), np.bool_))

    def warmup(self) -> None:
        """Nothing to warm."""


def test_a_classifier_is_measured_by_what_it_was_made_to_get_wrong(tmp_path: Path) -> None:
    labelled = rows.load()
    everything = (*labelled.rows, *agreement.mismatched(labelled.rows, 1))
    parrot = Parrot({(row.prompt, row.response): LABELS.index(row.label) for row in everything})
    report = classifier.run(labelled, labelled.rows, Units(tmp_path, "s"), load=lambda: parrot, seed=1)
    tables = {table.name: table for finding in report.findings for table in finding.tables}
    people = dict(zip(tables["accuracy"].header, tables["accuracy"].rows[0], strict=True))
    wrong = sum(-(-min(32, len(everything) - start) // 10) for start in range(0, len(everything), 32))
    right = [row[1 + at] for at, row in enumerate(tables["confusion"].rows)]
    assert len(everything) - sum(cell for cell in right if isinstance(cell, int)) == wrong
    assert people["accuracy"] == pytest.approx(1 - 4 / 32, abs=0.003)
    assert people["n"] == 1155
    outside = dict(zip(tables["outside"].header, tables["outside"].rows[0], strict=True))
    assert outside["wrong among these"] == 1.0
    assert outside["wrong among the others"] == 0.0
    first = parrot.batches
    classifier.run(labelled, labelled.rows, Units(tmp_path, "s"), load=lambda: parrot, seed=1)
    assert parrot.batches == first, "what was judged is not judged again"


def test_mismatched_rows_have_the_answer_to_an_unrelated_prompt() -> None:
    labelled = rows.load().rows
    own = {(row.prompt, row.response) for row in labelled}
    made = agreement.mismatched(labelled, 1)
    assert len(made) > 200
    assert not own & {(row.prompt, row.response) for row in made}


def test_f1_is_the_harmonic_mean_of_precision_and_recall() -> None:
    truth, predicted = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 0, 2])
    scores = agreement.f1_by_label(agreement.confusion(truth, predicted))
    precision, recall = 2 / 3, 2 / 3
    assert scores[0] == pytest.approx(2 * precision * recall / (precision + recall))
    assert (scores[2], scores[3]) == (1.0, None)


def test_equal_entropies_correlate_fully_and_constant_ones_not_at_all() -> None:
    rng = np.random.default_rng(1)
    values = rng.random(50)
    assert agreement.correlation(values, values, rng)[0] == pytest.approx(1)
    assert math.isnan(agreement.correlation(values, np.ones(50), rng)[0])


def test_the_work_rate_is_the_difference_of_two_rates_with_the_errors_of_both() -> None:
    def walk(rate: float, error: float) -> walks.Walk:
        return walks.Walk([], [], [], [], [], rate, rate - error, rate + error, None)

    value, low, high = walks.gamma(walk(0.010, 0.003), walk(0.002, 0.004))
    assert (value, low, high) == pytest.approx((0.008, 0.003, 0.013))


def test_the_true_rate_of_a_drift_is_the_slope_of_its_entropy() -> None:
    drift = walks.DRIFTS[0]
    fine = walks.Drift("", drift.begin, drift.end, (drift.scale or 0) * 1000).shares(2)
    slope = -(fine[1] * np.log(fine[1])).sum() + (fine[0] * np.log(fine[0])).sum()
    assert drift.rate == pytest.approx(1000 * slope, rel=1e-3)


def test_short_forms_of_both_simulations_give_whole_reports(tmp_path: Path) -> None:
    labelled = rows.load()
    for report in (
        dynamics.run(labelled, Units(tmp_path, "d"), seed=1, trials=2),
        threshold.run(labelled, Units(tmp_path, "t"), seed=1, runs=2),
    ):
        write(tmp_path, report)
        assert all(table.rows for finding in report.findings for table in finding.tables)
    assert unchanged(MIX) is MIX
