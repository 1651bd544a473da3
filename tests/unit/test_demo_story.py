"""What the demo sends, and what it says at the end."""

import io
import json
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from stream.config import Settings
from stream.core.settings import EngineSettings
from stream.core.taxonomy import PAPER
from stream.demo.play import Demo, Outcome
from stream.demo.screen import Screen
from stream.demo.story import AFTER, BEFORE, CHANGED, CONTROL, EVERY, FEWEST, START, UNCHANGED, tell
from stream.demo.words import conclude, introduce
from stream.report.summary import Tally
from stream.times import parse
from tests.unit import histories


def events(n: int, seed: int = 1) -> list[dict[str, str]]:
    return [json.loads(line) for line in tell(n, seed=seed).lines]


def served_by(event: dict[str, str]) -> str:
    attributes: dict[str, str] = dict(event["attributes"])  # type: ignore[arg-type]  # JSON
    return attributes["served_by"]


def test_the_model_is_swapped_half_way_behind_one_name_only() -> None:
    told = events(2000)
    story = tell(2000, seed=1)
    changed = [served_by(event) for event in told if event["model"] == CHANGED]
    assert changed == [BEFORE] * story.swap_seq + [AFTER] * (len(changed) - story.swap_seq)
    assert abs(story.swap_seq - len(changed) / 2) <= 1
    assert {served_by(event) for event in told if event["model"] == CONTROL} == {UNCHANGED}
    assert story.responses == Counter(event["model"] for event in told)


def test_the_swap_has_the_time_of_the_first_response_after_it() -> None:
    told = [event for event in events(1601) if event["model"] == CHANGED]
    story = tell(1601, seed=1)
    assert parse(told[story.swap_seq]["ts"]) == story.swap_ts


def test_times_are_evenly_spaced_and_ids_are_unique() -> None:
    told = events(FEWEST)
    assert [parse(event["ts"]) for event in told] == [START + index * EVERY for index in range(FEWEST)]
    assert len({event["event_id"] for event in told}) == FEWEST


def test_the_same_seed_tells_the_same_story_and_another_another() -> None:
    assert tell(FEWEST, seed=7) == tell(FEWEST, seed=7)
    assert tell(FEWEST, seed=7) != tell(FEWEST, seed=8)


def test_the_changed_monitor_learns_and_is_judged_before_the_swap() -> None:
    assert tell(FEWEST, seed=1).swap_seq >= 530
    with pytest.raises(ValueError, match="at least 1,600 events"):
        tell(FEWEST - 1, seed=1)


def said(*, found: bool) -> str:
    file = io.StringIO()
    screen = Screen(Console(file=file, width=120))
    demo = Demo(out=Path("out"), events=2000, seed=1, local=True, settings=Settings(), taxonomy=PAPER)
    alert = histories.alert(CHANGED, seq=690, onset=670)
    outcome = Outcome(
        found=alert if found else None,
        alerts=(alert,) if found else (),
        story=tell(2000, seed=1),
        summary=Tally(EngineSettings()).summary(sources=[]),
    )
    introduce(screen, demo)
    conclude(screen, demo, outcome, seconds=31.4)
    return file.getvalue()


def test_the_end_compares_what_was_found_with_the_truth() -> None:
    text = said(found=True)
    assert "ALERT: the behaviour of support-bot has changed" in text
    assert "refusal_excessive: 10 % → 35 %" in text
    assert "24 responses after the swap, its onset dated 3 responses late" in text
    assert "swapped at 2026-01-05 10:46:40 UTC, before response 667" in text
    assert "no alert in 666 responses" in text
    assert "out/report.html" in text
    assert "Done in 31 s" in text
    assert "\x1b" not in text


def test_an_end_without_the_alert_says_so_and_what_to_try() -> None:
    text = said(found=False)
    assert "The change of support-bot was not found." in text
    assert "--events 4000" in text
    assert "ALERT" not in text


def test_the_introduction_says_what_is_real_and_what_is_not() -> None:
    text = said(found=True)
    assert "drawn with repetition" in text
    assert "classifier that ships with ValueDrift labels" in text
    assert "times are synthetic, 10 s apart" in text
