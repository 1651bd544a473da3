"""docs/paper.md says what the experiments gave, and nothing else."""

import pytest

from tests.figures import replaced, shown
from tests.paper_figures import PAGE, begin, blocks, sentences, stored

TABLES = stored()


@pytest.mark.parametrize("name", list(blocks(TABLES)))
def test_a_table_of_the_page_is_the_one_that_the_stored_figures_give(name: str) -> None:
    assert shown(PAGE.read_text(encoding="utf-8"), begin=begin(name)) == blocks(TABLES)[name], "run: make experiments"


@pytest.mark.parametrize("phrase", sentences(TABLES))
def test_a_sentence_of_the_page_says_what_the_stored_figures_give(phrase: str) -> None:
    assert phrase in " ".join(PAGE.read_text(encoding="utf-8").split())


def test_other_figures_would_be_seen_in_tables_and_sentences() -> None:
    other = {name: [dict(row) for row in rows] for name, rows in TABLES.items()}
    for rows in other.values():
        for row in rows:
            for name, value in row.items():
                row[name] = value * 1.3 if isinstance(value, float) and name not in ("window", "stride") else value
    before, after = blocks(TABLES), blocks(other)
    assert all(before[name] != after[name] for name in before)
    assert len(set(sentences(TABLES)) & set(sentences(other))) == 0


def test_a_table_is_written_below_its_own_marker() -> None:
    page = "".join(f"{begin(name)}\nold\n<!-- end of figures -->\n" for name in ("levels", "delays"))
    page = replaced(page, "| new |", begin=begin("delays"))
    assert (shown(page, begin=begin("levels")), shown(page, begin=begin("delays"))) == ("old", "| new |")
