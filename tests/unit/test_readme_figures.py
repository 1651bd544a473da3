"""README says of the shipped classifier what was measured of it, and nothing else."""

from tests.figures import BEGIN, END, README, STORED, belongs, read, replaced, shown, table


def test_the_stored_evaluation_is_of_the_bundle_in_the_package_on_held_out_rows() -> None:
    report = read(STORED)
    assert belongs(report), "the bundle has changed since it was measured: make evaluation DATA=DIR"
    assert report.part == "test"
    assert report.not_held_out == 0


def test_the_table_in_readme_is_the_one_that_the_stored_evaluation_gives() -> None:
    assert shown(README.read_text(encoding="utf-8")) == table(read(STORED)), "run: make evaluation DATA=DIR"


def test_writing_the_table_changes_nothing_outside_its_markers() -> None:
    readme = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert replaced(readme, "new") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    assert shown(replaced(readme, "| a |")) == "| a |"
