"""Names of monitors are readable, unambiguous and bounded."""

import hashlib

import pytest

from stream.core.records import ResponseEvent
from stream.naming import LONGEST, monitor_name


def event(**attributes: str) -> ResponseEvent:
    return ResponseEvent(
        event_id="e",
        ts=0,
        model="meta-llama/Llama-3",
        prompt="p",
        response="r",
        provider="acme",
        environment=None,
        attributes=attributes,
    )


def test_by_default_a_monitor_is_a_model() -> None:
    assert monitor_name(event(), ("model",)) == "meta-llama/Llama-3"


def test_several_parts_stand_in_the_order_of_the_setting() -> None:
    name = monitor_name(event(prompt_version="v 3"), ("prompt_version", "model", "provider"))
    assert name == "v 3|meta-llama/Llama-3|acme"


def test_a_part_that_is_absent_is_empty() -> None:
    assert monitor_name(event(), ("environment", "tenant", "model")) == "||meta-llama/Llama-3"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": "x|y", "b": "z"}, {"a": "x", "b": "y|z"}),
        ({"a": "x\\", "b": "y"}, {"a": "x", "b": "\\y"}),
        ({"a": "x\n", "b": ""}, {"a": "x\\u00000a", "b": ""}),
        ({"a": "x\u202e", "b": ""}, {"a": "x", "b": ""}),
        ({"a": "x" * 300, "b": ""}, {"a": "x" * 301, "b": ""}),
    ],
)
def test_two_monitors_never_share_a_name(one: dict[str, str], other: dict[str, str]) -> None:
    names = [monitor_name(event(**parts), ("a", "b")) for parts in (one, other)]
    assert names[0] != names[1]
    assert all(name.isprintable() and len(name) <= LONGEST for name in names)


def test_a_long_name_keeps_its_head_and_a_hash_of_the_whole() -> None:
    name = monitor_name(event(a="ab" * 200), ("a",))
    assert name == ("ab" * 200)[:183] + "~" + hashlib.sha256(b"ab" * 200).hexdigest()[:16]
    assert len(name) == LONGEST
