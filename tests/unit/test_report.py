"""The page and the picture: what they show, whatever the records hold."""

import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from stream.core.events import State, Status
from stream.core.records import RejectReason
from stream.core.settings import EngineSettings
from stream.core.taxonomy import PAPER
from stream.report.page import by_interest, count_rows, render
from stream.report.plot import draw
from stream.report.summary import Summary, Tally
from stream.report.trajectory import Trajectory, TrajectoryBuilder
from tests.unit import histories

SETTINGS = EngineSettings(learn_from=500, window=200, stride=50)
HOSTILE = "<script>alert('x')</script>\"&{{ 7*7 }}"


class Page(HTMLParser):
    """The page as a browser sees it: its text, and every tag with its attributes; complains of tags that do not match."""

    VOID = frozenset({"meta", "br", "col", "link"})
    DRAWN = frozenset({"path", "line", "rect", "circle"})

    def __init__(self, source: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(source)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.text += data

    def count(self, tag: str, css: str = "") -> int:
        return sum(name == tag and (not css or css in (attrs.get("class") or "").split()) for name, attrs in self.tags)


def history(monitor: str, tally: Tally, *, changed: bool = False, points: int = 20) -> Trajectory:
    builder = TrajectoryBuilder(monitor, categories=5)
    tally.scored(histories.scored(monitor, [0, 2, 3] * 100))
    for index in range(points):
        seq = 50 * index + 49
        after = changed and seq > 600
        state = State.LEARNING if seq < 500 else State.FIRING if after else State.OK
        event = histories.drift(monitor, seq=seq, counts=histories.AFTER if after else histories.BEFORE, state=state)
        builder.drift(event)
        tally.drift(event)
    if changed:
        tally.alert(histories.alert(monitor))
        builder.alert(histories.alert(monitor))
    return builder.build()


def page_of(
    *changed: tuple[str, bool], dead: Sequence[RejectReason] = (), notes: Sequence[str] = ()
) -> tuple[Page, Summary, list[Trajectory]]:
    tally = Tally(SETTINGS)
    trajectories = [history(monitor, tally, changed=is_changed) for monitor, is_changed in changed]
    tally.dead(dead)
    summary = tally.summary(sources=["chat.jsonl"], notes=notes)
    return Page(render(summary, trajectories)), summary, trajectories


def test_the_page_says_what_changed_since_when_and_towards_what() -> None:
    page, _, _ = page_of(("support-bot", True), ("search-bot", False))
    assert "1 of 2 monitors raised an alarm" in page.text
    assert (
        "Behaviour changed about 2026-01-01 00:10:01 UTC (between 00:09:31 and 00:10:11): "
        "refusal_excessive 10 % → 35 %, helpful_aligned 45 % → 20 %; decided at response 620, 20 after the onset."
        in page.text
    )
    assert "No change was found in 300 responses." in page.text
    assert page.count("svg") == 2 + 2 + 4  # a chart each, their legends: two pieces each, and two more for the alarm


def test_the_table_compares_counts_before_and_after() -> None:
    rows = count_rows(histories.alert("m"), PAPER.names)
    assert [(row.category, row.before, row.after, row.direction) for row in rows] == [
        ("helpful_aligned", 45, 20, "down"),
        ("helpful_misaligned", 3, 3, "same"),
        ("refusal_appropriate", 40, 40, "same"),
        ("refusal_excessive", 10, 35, "up"),
        ("off_topic", 2, 2, "same"),
    ]
    assert rows[3].after_share == 0.35
    assert rows[3].contribution == 0.7
    assert rows[4].contribution is None


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    page, summary, trajectories = page_of((HOSTILE, True), dead=[RejectReason.INVALID_JSON], notes=[HOSTILE])
    assert page.count("script") == 0
    assert page.text.count(HOSTILE) == 3  # the list, the heading, the note
    assert "49" not in re.findall(r"\{\{.*?\}\}", page.text)
    draw(tmp_path / "plot.png", trajectories, categories=summary.categories, window="200 responses")
    with Image.open(tmp_path / "plot.png") as image:
        assert image.width > 1000


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    page, _, _ = page_of(("m", True))
    assert not [tag for tag, attrs in page.tags if tag in ("script", "link", "img", "iframe")]
    assert not [attrs for _, attrs in page.tags if "src" in attrs or any(name.startswith("on") for name in attrs)]
    assert {attrs["href"] for tag, attrs in page.tags if tag == "a"} == {"#monitor-1"}


def test_zero_responses_make_a_page_that_says_so(tmp_path: Path) -> None:
    page, summary, trajectories = page_of(dead=[RejectReason.NO_TEXT, RejectReason.NO_TEXT])
    assert "No response was read" in page.text
    assert "no_text" in page.text
    assert "2 dead letters" in page.text
    draw(tmp_path / "plot.png", trajectories, categories=summary.categories, window="200 responses")
    assert (tmp_path / "plot.png").exists()


def test_one_response_is_still_learning() -> None:
    tally = Tally(SETTINGS)
    tally.scored(histories.scored("m", [0]))
    page = Page(render(tally.summary(sources=["-"]), [TrajectoryBuilder("m", categories=5).build()]))
    assert "Still learning what is normal, from 1 response so far" in page.text
    assert "learning (1 of 500)" in page.text


def test_one_drift_event_is_drawn_as_a_point() -> None:
    tally = Tally(SETTINGS)
    page = Page(render_one(tally, history("m", tally, points=1)))
    assert page.count("circle", "entropy-point") == 1


def render_one(tally: Tally, trajectory: Trajectory) -> str:
    return render(tally.summary(sources=["-"]), [trajectory])


def test_of_many_monitors_those_with_alerts_come_first_and_the_page_says_what_it_left_out() -> None:
    tally = Tally(SETTINGS)
    histories_of = {f"m{index}": history(f"m{index}", tally, changed=index == 150) for index in range(250)}
    summary = tally.summary(sources=["-"])
    order = [monitor.monitor for monitor in by_interest(summary.monitors)]
    assert order[0] == "m150"
    page = Page(render(summary, [histories_of[name] for name in order[:20]]))
    assert "20 of 250 monitors are drawn" in page.text
    assert "50 more monitors" in page.text


def test_an_alert_of_a_returned_monitor_says_since_when() -> None:
    tally = Tally(SETTINGS)
    builder = TrajectoryBuilder("m", categories=5)
    tally.scored(histories.scored("m", [0] * 900))
    for event in (histories.alert("m"), histories.alert("m", seq=850, status=Status.RESOLVED)):
        builder.alert(event)
        tally.alert(event)
    builder.drift(histories.drift("m", seq=899))
    tally.drift(histories.drift("m", seq=899))
    page = Page(render(tally.summary(sources=["-"]), [builder.build()]))
    assert "Since 2026-01-01 00:14:10 UTC behaviour is back at the reference" in page.text
    assert "unchanged" in page.text


def test_a_thinned_trajectory_keeps_its_ends_and_stays_small() -> None:
    builder = TrajectoryBuilder("m", categories=5)
    for index in range(50_001):
        builder.drift(histories.drift("m", seq=index))
    trajectory = builder.build()
    seconds = (trajectory.ts - histories.START) // histories.SECOND
    assert (seconds[0], seconds[-1]) == (0, 50_000)
    assert 1000 <= len(seconds) <= 2001
    assert set((seconds[1:-1] - seconds[:-2]).tolist()) == {32}


@pytest.mark.parametrize(("points", "monitors"), [(0, 1), (1, 1), (2, 2), (300, 5)])
def test_the_picture_is_written_for_any_number_of_points_and_monitors(
    tmp_path: Path, points: int, monitors: int
) -> None:
    tally = Tally(SETTINGS)
    trajectories = [history(f"m{index}", tally, points=points, changed=points > 2) for index in range(monitors)]
    draw(tmp_path / "plot.png", trajectories, categories=PAPER.names, window="200 responses")
    with Image.open(tmp_path / "plot.png") as image:
        image.load()
        assert len(image.convert("L").getcolors(1 << 16) or []) > 10  # something is drawn


def test_it_says_what_the_entropy_is_of() -> None:
    def text(age: int | None) -> str:
        return Tally(replace(SETTINGS, window_age=age)).summary(sources=()).settings.window_text

    assert [text(age) for age in (None, 3_600_000_000, 90_000_000)] == ["200 responses", "1 h", "90 s"]
