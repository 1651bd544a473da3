"""Feeds give what they say: shares, blocks of a log, changes of known size that come in as told."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest

from stream.backtest.feeds import Change, Moved, Recorded, Shape, Simulated, taken
from stream.backtest.injections import confusion, injected
from stream.backtest.models import BUSY, SWAPPED, Random, bursty, nested
from stream.core.taxonomy import PAPER, Behaviour, Taxonomy
from stream.detectors.detector import Categories

FEED = Simulated(nested(BUSY))


def random() -> Random:
    return np.random.default_rng(7)


def found(feed: Simulated | Recorded | Moved, n: int = 200_000) -> list[float]:
    drawn, _ = taken(feed.pieces(random()), n)
    shares: list[float] = (np.bincount(drawn, minlength=5) / n).tolist()
    return shares


@pytest.mark.parametrize(
    "feed",
    [FEED, Simulated(nested(BUSY), bursty), Recorded(np.repeat([0, 1, 2, 4], 50).astype(np.uint8), 10, 5)],
    ids=["steady", "bursty", "recorded"],
)
def test_a_feed_has_the_shares_that_it_tells(feed: Simulated | Recorded) -> None:
    tolerance = 0.02 if isinstance(feed, Simulated) and feed.traffic is bursty else 0.005
    assert found(feed) == pytest.approx(feed.shares.tolist(), abs=tolerance)


def test_a_recorded_log_stays_together_within_blocks() -> None:
    log = (np.arange(250) % 250).astype(np.uint8)
    drawn, _ = taken(Recorded(log, 25, 250).pieces(random()), 2_000)
    steps = (np.diff(drawn.astype(int)) % 250 == 1).reshape(-1) if len(drawn) else []
    breaks = [place + 1 for place, kept in enumerate(steps) if not kept]
    assert 60 < len(breaks) < 80
    assert all(place % 25 == 0 for place in breaks)


@pytest.mark.parametrize("block", [0, 11])
def test_a_block_lies_within_its_log(block: int) -> None:
    with pytest.raises(ValueError, match="block must be from 1"):
        Recorded(np.zeros(10, np.uint8), block, 5)


def test_taking_leaves_the_rest_in_order() -> None:
    pieces = iter(np.split(np.arange(100, dtype=np.uint8), [30, 70]))
    first, rest = taken(pieces, 45)
    assert first.tolist() == list(range(45))
    assert np.concatenate(list(rest)).tolist() == list(range(45, 100))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (Shape(), [1, 1, 1, 1, 1, 1]),
        (Shape("ramp", 4), [0.25, 0.5, 0.75, 1, 1, 1]),
        (Shape("pulse", 2), [1, 1, 0, 0, 0, 0]),
    ],
)
def test_a_shape_says_how_much_of_the_change_is_there(shape: Shape, expected: list[float]) -> None:
    assert shape.strength(0, 6).tolist() == expected
    assert np.concatenate([shape.strength(0, 3), shape.strength(3, 3)]).tolist() == expected


def test_a_shape_without_its_length_is_refused() -> None:
    with pytest.raises(ValueError, match="a step of 3 responses is none"):
        Shape("step", 3)
    with pytest.raises(ValueError, match="a ramp of 0 responses is none"):
        Shape("ramp", 0)


def test_a_pulse_ends_and_a_ramp_grows() -> None:
    zero, one = (Recorded(np.full(10, value, np.uint8), 10, 5) for value in (0, 1))

    def drawn(shape: Shape) -> Categories:
        return taken(Change("c", zero, one, shape).pieces(random()), 4_000)[0]

    assert drawn(Shape("pulse", 700)).tolist() == [1] * 700 + [0] * 3_300
    ramp = drawn(Shape("ramp", 2_000))
    assert [round(float(part.mean()), 1) for part in np.split(ramp, 4)] == pytest.approx([0.25, 0.75, 1, 1], abs=0.06)
    assert drawn(Shape()).all()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("helpful_misaligned=5%", [0.86, 0.05, 0.03, 0.03, 0.03]),
        ("helpful_misaligned=x2", [0.86, 0.04, 0.04, 0.03, 0.03]),
        ("helpful_misaligned=0.01", [0.86, 0.01, 0.07, 0.03, 0.03]),
        ("refusal_excessive=x3", [0.80, 0.02, 0.06, 0.09, 0.03]),
        ("off_topic=51.5%", [0.43, 0.01, 0.03, 0.015, 0.515]),
        ("off_topic=0", [*(BUSY[:4] / 0.97), 0.0]),
        ("swap=helpful_misaligned/refusal_appropriate", SWAPPED.tolist()),
        ("traffic=x2", [0.86 * 81 / 89, 0.04, 0.12, 0.03 * 81 / 89, 0.03]),
        ("traffic=4%", [0.86 * 93 / 89, 0.01, 0.03, 0.03 * 93 / 89, 0.03]),
        ("noise=0", BUSY.tolist()),
    ],
)
def test_a_change_has_the_size_that_its_words_say(text: str, expected: list[float]) -> None:
    change = injected(FEED, text, PAPER)
    assert change.after.shares.tolist() == pytest.approx(expected)
    assert isinstance(change.after, Moved)
    assert found(change.after) == pytest.approx(expected, abs=0.004)


def test_a_rise_of_a_behaviour_leaves_the_mix_of_requests_response_by_response() -> None:
    before, _ = taken(FEED.pieces(random()), 5_000)
    change = injected(Recorded(before, 5_000, 5), "helpful_misaligned=x3", PAPER)
    assert isinstance(change.after, Moved)
    matrix = change.after.matrix
    assert matrix[0].tolist() == [1, 0, 0, 0, 0]
    assert matrix[4].tolist() == [0, 0, 0, 0, 1]
    assert matrix.sum(axis=1) == pytest.approx(np.ones(5))


def test_words_for_a_shape_are_read() -> None:
    assert injected(FEED, "off_topic=x2,ramp=500", PAPER).shape == Shape("ramp", 500)
    assert injected(FEED, "off_topic=x2,pulse=20", PAPER).shape == Shape("pulse", 20)
    assert injected(FEED, "off_topic=x2", PAPER).shape == Shape()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("helpful_misaligned", "is no change"),
        ("harmful=3%", "category must be one of"),
        ("helpful_misaligned=30%", "helpful_misaligned cannot become 30.00%"),
        ("helpful_misaligned=x3%", "no amount"),
        ("helpful_misaligned=-1", "no amount"),
        ("off_topic=x2,slope=3", "no shape"),
        ("off_topic=x2,ramp=0", "no shape"),
        ("off_topic=x2,ramp=3,pulse=3", "is no change"),
        ("traffic=99%", "harmful requests cannot become"),
        ("noise=150%", "noise must be a share"),
    ],
)
def test_a_change_that_cannot_be_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        injected(FEED, text, PAPER)


def test_behaviours_without_request_kinds_have_no_traffic() -> None:
    taxonomy = Taxonomy((Behaviour("good", None), Behaviour("bad", None, wanted=False)))
    feed = Recorded(np.array([0, 1, 0, 0], np.uint8), 1, 2)
    with pytest.raises(ValueError, match="traffic cannot be changed"):
        injected(feed, "traffic=x2", taxonomy)
    assert injected(feed, "bad=50%", taxonomy).after.shares.tolist() == pytest.approx([0.5, 0.5])


def test_a_confused_classifier_spreads_its_errors_over_the_other_labels() -> None:
    zeros = Recorded(np.zeros(10, np.uint8), 10, 5)
    drawn, _ = taken(Moved(zeros, confusion(0.2, 5)).pieces(random()), 50_000)
    counts = Counter(drawn.tolist())
    assert counts[0] / 50_000 == pytest.approx(0.8, abs=0.01)
    assert [counts[label] / 50_000 for label in range(1, 5)] == pytest.approx([0.05] * 4, abs=0.005)


def test_equal_generators_give_equal_responses() -> None:
    change = injected(Recorded(taken(FEED.pieces(random()), 500)[0], 50, 5), "off_topic=x2,ramp=300", PAPER)
    one, other = (np.concatenate(list(islice(change.pieces(random()), 3))) for _ in range(2))
    assert one.tolist() == other.tolist()
