"""The engine keeps monitors apart, and their identities depend on nothing but the log."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from stream.core.engine import Engine
from stream.core.monitor import Monitor
from stream.core.settings import EngineSettings
from stream.errors import StateError
from tests.simulation.logs import BROKEN, BUSY, QUIET, draw, judged, scored

SETTINGS = EngineSettings(window=100, stride=50, learn_from=500)
LOG = np.concatenate([draw(QUIET, 1_500, 1), draw(BROKEN, 400, 2), draw(QUIET, 600, 3)])


def test_monitors_are_made_when_first_named_and_judged_apart() -> None:
    engine = Engine(SETTINGS)
    for place in range(0, len(LOG), 100):
        engine.observe(scored(LOG[place : place + 100], start=place, monitor="a"))
        engine.observe(scored(draw(BUSY, 100, place), start=place, monitor="b"))
    alone = Monitor("a", SETTINGS)
    alone.observe(scored(LOG, monitor="a"))
    assert list(engine.monitors) == ["a", "b"]
    assert engine.monitors["a"].seen == alone.seen
    assert engine.monitors["a"].snapshot() == alone.snapshot()


def test_ids_name_what_was_decided_and_not_where_it_was_read() -> None:
    drift, alerts = judged(LOG, SETTINGS)
    moved = replace(scored(LOG, topic="elsewhere"), offset=np.arange(len(LOG)) + 10_000)
    again = Monitor("m", SETTINGS).observe(moved)
    assert [event.drift_id for event in again.drift] == [event.drift_id for event in drift]
    assert [event.alert_id for event in again.alerts] == [event.alert_id for event in alerts]
    assert alerts


def test_ids_differ_between_monitors_and_between_events() -> None:
    names = [Monitor(name, SETTINGS).observe(scored(LOG, monitor=name)) for name in ("m", "n")]
    ids = [event.drift_id for observed in names for event in observed.drift]
    ids.extend(event.alert_id for observed in names for event in observed.alerts)
    assert len(set(ids)) == len(ids)
    assert all(len(name) == 32 and int(name, 16) >= 0 for name in ids)


def test_equal_ids_of_equal_texts_are_told_apart_by_seq() -> None:
    record = replace(scored(np.zeros(200, np.uint8)), event_id=("same",) * 200)
    drift = Monitor("m", SETTINGS).observe(record).drift
    assert len({event.drift_id for event in drift}) == 4


def test_a_snapshot_is_small_and_does_not_grow_with_the_log() -> None:
    settings = EngineSettings()
    monitor = Monitor("m", settings)
    sizes = []
    for place in range(0, 20_000, 500):
        record = scored(draw(BUSY, 500, place), start=place)
        monitor.observe(replace(record, event_id=tuple(f"{at:036d}" for at in range(place, place + 500))))
        sizes.append(len(monitor.snapshot()))
    assert max(sizes) <= 1_950
    assert np.median(sizes) <= 1_800
    assert sizes[-1] <= sizes[5] + 200


def test_state_of_other_settings_is_refused_with_what_to_do() -> None:
    state = Monitor("m", SETTINGS).snapshot()
    with pytest.raises(StateError, match=r"other settings.*start with an empty table"):
        Monitor.restore("m", replace(SETTINGS, window=200), state)


def test_state_of_another_version_is_refused_with_what_to_do() -> None:
    state = bytearray(Monitor("m", SETTINGS).snapshot())
    state[0] += 1
    with pytest.raises(StateError, match="layout 4 and this program reads 3"):
        Monitor.restore("m", SETTINGS, bytes(state))


@pytest.mark.parametrize(
    "damage", [lambda state: state[:0], lambda state: state[:-1], lambda state: state[:40], lambda state: state + b"x"]
)
def test_damaged_state_is_refused(damage: Callable[[bytes], bytes]) -> None:
    monitor = Monitor("m", SETTINGS)
    monitor.observe(scored(LOG))
    with pytest.raises(StateError, match="stored state"):
        Monitor.restore("m", SETTINGS, damage(monitor.snapshot()))
