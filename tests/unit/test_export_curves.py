"""A learning curve is kept as it grows, and goes on where a run was stopped."""

from pathlib import Path

from export.curves import PLOT, TABLE, Curve, Curves, plot_curves, read_curves


def quiet(stage: str, step: int, steps: int, words: str) -> None:
    pass


def test_every_point_is_in_the_table_at_once_and_the_words_name_the_first_values(tmp_path: Path) -> None:
    said: list[str] = []
    curves = Curves(tmp_path / "work", lambda stage, step, steps, words: said.append(f"{stage} {step}/{steps} {words}"))
    curves.note("student", 50, 100, 2.04, loss=1.25, validation_accuracy=0.5)
    assert read_curves(tmp_path / "work" / TABLE) == [
        Curve(name="student loss", step=50, seconds=2.0, value=1.25),
        Curve(name="student validation_accuracy", step=50, seconds=2.0, value=0.5),
    ]
    assert said == ["student 50/100 loss 1.250, validation_accuracy 0.500"]


def test_a_resumed_run_replaces_the_steps_that_it_takes_again_and_keeps_the_rest(tmp_path: Path) -> None:
    stopped = Curves(tmp_path, quiet)
    for step, loss in ((50, 3.0), (100, 2.0), (150, 1.0)):
        stopped.note("student", step, 200, float(step), loss=loss)
    stopped.note("teacher", 9, 9, 1.0, loss=0.5)
    resumed = Curves(tmp_path, quiet, resume=True)
    resumed.note("student", 100, 200, 130.0, loss=2.5)
    kept = [(point.name, point.step, point.value) for point in read_curves(tmp_path / TABLE)]
    assert sorted(kept) == [("student loss", 50, 3.0), ("student loss", 100, 2.5), ("teacher loss", 9, 0.5)]


def test_a_new_run_does_not_go_on_with_the_curve_of_an_earlier_one(tmp_path: Path) -> None:
    Curves(tmp_path, quiet).note("student", 50, 100, 1.0, loss=3.0)
    Curves(tmp_path, quiet).note("student", 50, 100, 1.0, loss=2.0)
    assert [point.value for point in read_curves(tmp_path / TABLE)] == [2.0]


def test_the_plot_is_a_picture_even_of_a_run_without_validation(tmp_path: Path) -> None:
    plot_curves([Curve(name="teacher loss", step=1, seconds=1.0, value=1.0)], tmp_path / PLOT)
    assert (tmp_path / PLOT).read_bytes().startswith(b"\x89PNG")
