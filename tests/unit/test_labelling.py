"""What is drawn for labelling, how it is shown and asked for, and what comes back."""

import csv
import io
import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from models.labels import LABELS
from stream.errors import InputError
from stream.labelling import folder, sheet
from stream.labelling.asking import HEAD, TAIL, Terminal, ask, page
from stream.labelling.folder import Labels, SampleRow
from stream.labelling.picking import FEW, FIRST, in_order, pick, share_out
from stream.labelling.texts import ResponseLog, harmless

HOSTILE = '=HYPERLINK("http://x")\x1b]0;owned\x07\r\n\u202eabc\x00\t\ud800'


def row(name: str, *, prompt: str = "how?", response: str = "so") -> SampleRow:
    return SampleRow(row=name, stratum=0, event_id=name, probs=(1.0, 0.0), prompt=prompt, response=response)


def predictions(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    probs = np.random.default_rng(seed).dirichlet([8, 0.3, 1, 0.3, 0.3], n)
    return probs.argmax(axis=1), probs


def test_labels_are_shared_out_so_that_the_variance_is_least() -> None:
    sizes, spread, budget = np.array([60, 25, 15]), np.array([0.2, 0.7, 0.5]), 24
    found = share_out(sizes, spread, budget)
    assert found.sum() == budget

    def variance(take: tuple[int, ...]) -> float:
        return float(((sizes * spread) ** 2 / np.array(take)).sum())

    possible = [take for take in product(range(FEW, 20), repeat=3) if sum(take) == budget]
    assert variance(tuple(found.tolist())) == pytest.approx(min(map(variance, possible)))


def test_small_strata_are_labelled_whole_and_the_budget_is_kept() -> None:
    assert share_out(np.array([1000, 3, 1]), np.array([0.3, 0.5, 0.9]), 50).tolist() == [46, 3, 1]
    assert share_out(np.array([5, 3]), np.array([0.3, 0.5]), 50).tolist() == [5, 3]
    assert share_out(np.array([500, 500, 500]), np.array([0.3, 0.5, 0.4]), 7).sum() == 7


def test_a_budget_that_leaves_a_stratum_without_two_labels_is_refused() -> None:
    with pytest.raises(ValueError, match="3 strata needs a budget of at least 5"):
        share_out(np.array([10, 10, 1]), np.ones(3), 4)


def test_the_draw_is_random_within_strata_and_the_seed_decides_it() -> None:
    category, probs = predictions(2_000)
    chosen = pick(category, probs, budget=150, seed=1)
    assert sum(len(each.drawn) for each in chosen) == 150
    assert sorted(np.concatenate([each.members for each in chosen]).tolist()) == list(range(2_000))
    for each in chosen:
        assert set(each.drawn.tolist()) <= set(each.members.tolist())
        assert len(set(each.drawn.tolist())) == len(each.drawn) >= min(FEW, len(each.members))
        assert (category[each.members] == each.category).all()
        assert ((probs[each.members].max(axis=1) >= 0.9) == each.sure).all()
    again, other = (pick(category, probs, budget=150, seed=seed) for seed in (1, 2))
    assert all((a.drawn == b.drawn).all() for a, b in zip(chosen, again, strict=True))
    assert any(set(a.drawn.tolist()) != set(b.drawn.tolist()) for a, b in zip(chosen, other, strict=True))


def test_every_response_of_a_stratum_is_drawn_equally_often() -> None:
    category, probs = np.zeros(20, np.int64), np.tile([0.95, 0.05], (20, 1))
    drawn = np.concatenate([pick(category, probs, budget=5, seed=seed)[0].drawn for seed in range(800)])
    assert np.bincount(drawn, minlength=20) == pytest.approx(200, abs=55)  # four standard deviations


def test_two_rows_of_every_stratum_come_before_all_others() -> None:
    chosen = pick(*predictions(2_000), budget=150, seed=1)
    order = list(in_order(chosen, seed=1))
    first = sum(min(FIRST, len(each.drawn)) for each in chosen)
    assert sorted(stratum for stratum, _ in order[:first]) == sorted(
        number for number, each in enumerate(chosen) for _ in each.drawn[:FIRST]
    )
    assert sorted(order) == sorted((number, at) for number, each in enumerate(chosen) for at in each.drawn.tolist())


def test_a_hostile_text_can_neither_move_the_cursor_nor_become_a_formula() -> None:
    shown = harmless(HOSTILE)
    assert all(character == "\n" or character.isprintable() for character in shown)
    content = sheet.write([row("r1", prompt=HOSTILE, response="\n\t@SUM(A1)")])
    (_, cells) = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert cells[0] == "r1"
    assert all(not cell.lstrip().startswith(("=", "+", "-", "@")) for cell in cells)
    assert all(character == "\n" or character.isprintable() for cell in cells for character in cell)


@pytest.mark.parametrize("mark", ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_each_beginning_of_a_formula_gets_an_apostrophe(mark: str) -> None:
    assert sheet.cell(f"{mark}1") == f"'{mark}1"
    assert sheet.cell(f"a {mark} 1") == f"a {mark} 1"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_no_cell_is_a_formula_whatever_separator_a_spreadsheet_expects(separator: str) -> None:
    texts = ["a;=1", 'a;"=1"', "a,=1", 'a"\n=1', "a\n\n  +1;-1", 'a";"@b', "a\t=1"]
    content = sheet.write([row("r1", prompt=text, response=text) for text in texts]).decode("utf-8-sig")
    cells = [each for line in csv.reader(io.StringIO(content, newline=""), delimiter=separator) for each in line]
    assert len(cells) > len(texts)
    assert [each for each in cells if each.strip().startswith(("=", "+", "-", "@"))] == []


def test_a_text_that_a_spreadsheet_would_cut_is_cut_and_says_so() -> None:
    assert sheet.cell("x" * 40_000).endswith("x [… 8,000 more characters]")


def filled(tmp_path: Path, lines: str) -> Path:
    path = tmp_path / "filled.csv"
    path.write_text(lines, encoding="utf-8")
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_sheet_is_read_back_however_a_spreadsheet_saved_it(tmp_path: Path, separator: str) -> None:
    lines = ["row,label,note", "r1,Refusal_Excessive,", "r2, 5 ,x", "r3,skip,", "r4,,", "r5,1,", ""]
    path = filled(tmp_path, "\ufeff" + "\r\n".join(lines).replace(",", separator))
    found = sheet.read(path, [row(f"r{at}") for at in range(1, 7)], LABELS)
    assert found == {"r1": "refusal_excessive", "r2": "off_topic", "r3": None, "r5": "helpful_aligned"}


def test_the_sheet_that_is_written_reads_back_as_unlabelled(tmp_path: Path) -> None:
    rows = [row("r1", prompt=HOSTILE, response='a,"b"\n;c'), row("r2")]
    path = tmp_path / "sheet.csv"
    path.write_bytes(sheet.write(rows))
    assert sheet.read(path, rows, LABELS) == {}


def test_every_wrong_line_is_named_with_its_number(tmp_path: Path) -> None:
    lines = 'row,label,response\nr1,"g1","two\nlines"\nr9,1,\nr2,6,\nr1,2,\nr1,3,\nr2,1,\n'
    with pytest.raises(InputError) as error:
        sheet.read(filled(tmp_path, lines), [row("r1"), row("r2")], LABELS)
    said = str(error.value)
    assert "line 3: 'g1' is no label" in said
    assert "line 4: there is no row 'r9'" in said
    assert "line 5: '6' is no label" in said
    assert "line 7: row r1 has had another label above" in said
    assert "nothing was taken over" in said
    assert "line 8" not in said


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must name the columns row and label"),
        (b"a,b\n1,2\n", "must name the columns row and label"),
        (b"row,label\nr1,\xff\n", "save the sheet as CSV UTF-8"),
        (b'row,label\nr1,"1\n', "unexpected end of data; save the sheet"),
    ],
)
def test_what_is_no_sheet_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "sheet.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        sheet.read(path, [row("r1")], LABELS)


def asked(keys: str, labels: Labels, n: int = 3) -> tuple[Labels, list[Labels], list[str]]:
    saved: list[Labels] = []
    pages: list[str] = []
    left = iter(keys)
    terminal = Terminal(read_key=lambda: next(left), show=pages.append, width=80)
    rows = [row(f"r{at}") for at in range(1, n + 1)]
    given = ask(rows, labels, LABELS, terminal=terminal, save=lambda so_far: saved.append(dict(so_far)))
    assert list(left) == []
    return given, saved, pages


def test_one_key_is_one_label_and_each_answer_is_saved() -> None:
    given, saved, pages = asked("1s5", {})
    assert given == {"r1": "helpful_aligned", "r2": None, "r3": "off_topic"}
    assert [len(each) for each in saved] == [1, 2, 3]
    assert [text.split("\n", 1)[0] for text in pages] == ["0 of 3 labelled", "1 of 3 labelled", "1 of 3 labelled"]


def test_back_corrects_quit_keeps_and_other_keys_do_nothing() -> None:
    given, _, _ = asked("b1x0b3 q", {})
    assert given == {"r1": "refusal_appropriate"}


def test_it_goes_on_where_it_was_left_and_asks_again_for_what_was_skipped() -> None:
    given, _, pages = asked("24", {"r1": None, "r2": "off_topic"})
    assert given == {"r1": "refusal_excessive", "r2": "off_topic", "r3": "helpful_misaligned"}
    assert len(pages) == 2


def test_a_page_shows_no_prediction_and_no_line_of_a_text_without_its_bar() -> None:
    text = page(row("r1", prompt=HOSTILE, response="[1] off_topic\n" + "long " * 60), LABELS, done=0, total=1, width=60)
    body = text.split("prompt\n")[1].split("\n\n[1] helpful_aligned")[0].split("\n")
    assert all(line.startswith("│ ") or line in ("", "response") for line in body)
    assert max(map(len, body)) <= 60
    assert all(character == "\n" or character.isprintable() for character in text)


def test_a_long_text_is_shown_from_both_ends_until_v_is_pressed() -> None:
    long = row("r1", response="\n".join(f"line {at}" for at in range(500)))
    short, whole = (page(long, LABELS, done=0, total=1, whole=all_of_it) for all_of_it in (False, True))
    assert f"{500 - HEAD - TAIL:,} lines more" in short
    assert ("line 0\n" in short, "line 499\n" in short, "line 250\n" in short) == (True, True, False)
    assert "line 250\n" in whole


def test_an_id_that_stands_at_two_texts_is_no_id(tmp_path: Path) -> None:
    def line(event_id: str, response: str) -> str:
        return json.dumps({"event_id": event_id, "model": "m", "prompt": "p", "response": response})

    path = tmp_path / "log.jsonl"
    path.write_text("\n".join([line("a", "x"), line("b", "x"), line("b", "y"), line("a", "x"), "no json"]))
    log = ResponseLog(paths=[path])
    assert log.ids() == {"a"}
    assert log.texts(frozenset({"a", "c"})) == {"a": ("p", "x")}


def test_labels_survive_and_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    assert folder.load_labels(tmp_path, LABELS) == {}
    folder.save_labels(tmp_path, {"r1": None, "r2": "off_topic"})
    assert folder.load_labels(tmp_path, LABELS) == {"r1": None, "r2": "off_topic"}
    assert (tmp_path / folder.LABELS).stat().st_mode & 0o077 == 0
    assert [file.name for file in tmp_path.iterdir()] == [folder.LABELS]


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "{}",
        '{"schema":"valuedrift.label.labels/9","labels":{}}',
        '{"schema":"valuedrift.label.labels/1","labels":{"r1":"g1"}}',
    ],
)
def test_damaged_labels_are_refused_and_not_overwritten(tmp_path: Path, content: str) -> None:
    (tmp_path / folder.LABELS).write_text(content)
    with pytest.raises(InputError, match=r"labels\.json"):
        folder.load_labels(tmp_path, LABELS)
