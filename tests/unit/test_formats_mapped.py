"""Rows of any kind become response events by the names that a person gives."""

import json
from typing import Any

import pytest

from stream import times
from stream.core.records import Reject, RejectReason, ResponseEvent
from stream.formats.mapped import FieldMap, look_up
from tests.unit.log_records import event, found

ROW: dict[str, Any] = {
    "question": "How?",
    "answers": [{"text": "So.", "engine": "gpt-4"}],
    "when": 1741569952,
    "tenant.name": "acme",
    "id": 17,
}


def mapped(text: str, row: object = None) -> bytes:
    return FieldMap.parse(text).apply(json.dumps(ROW if row is None else row).encode())


def test_fields_constants_paths_and_attributes_are_taken() -> None:
    made = mapped(
        "prompt=question,response=answers.0.text,model=answers.0.engine,ts=when,event_id=id,environment=:eu, west,"
        "attributes.tenant=tenant.name"
    )
    assert event(made) == ResponseEvent(
        event_id="17",
        ts=times.parse("2025-03-10T01:25:52Z"),
        model="gpt-4",
        prompt="How?",
        response="So.",
        environment="eu, west",
        attributes={"tenant": "acme"},
    )


def test_fields_that_are_not_named_are_taken_under_their_own_names() -> None:
    row = {"prompt": "How?", "response": "So.", "ts": "2026-03-01T12:00:00Z", "model": None, "attributes": {"a": 1}}
    made = event(mapped("model=:gpt-4,attributes.b=:2", row))
    assert (made.model, made.prompt, made.attributes) == ("gpt-4", "How?", {"a": "1", "b": "2"})


def test_chats_are_read_by_their_last_turns() -> None:
    row = {
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "How?"}],
        "completion": {"choices": [{"message": {"refusal": "No."}}]},
    }
    made = event(mapped("prompt=messages,response=completion,model=:m,ts=:2026-03-01 12:00:00", row))
    assert (made.prompt, made.system, made.response, made.refusal_hint) == ("How?", "Be kind.", "No.", "refusal")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("prompt=question,model=:m,ts=when", RejectReason.MISSING_FIELD),
        ("prompt=nowhere,response=question,model=:m,ts=when", RejectReason.MISSING_FIELD),
        ("prompt=question,response=question,model=:m", RejectReason.NO_TIME),
        ("prompt=question,response=question,model=:m,ts=question", RejectReason.INVALID_TIME),
        ("prompt=question,response=answers.0,model=answers,ts=when", RejectReason.WRONG_TYPE),
    ],
)
def test_what_a_map_leaves_out_has_the_reason_that_it_has_anywhere(text: str, reason: RejectReason) -> None:
    (refused,) = found(mapped(text))
    assert isinstance(refused, Reject)
    assert refused.reason is reason


def test_what_is_no_object_is_left_as_it_is() -> None:
    assert FieldMap.parse("model=:m").apply(b"no JSON") == b"no JSON"


@pytest.mark.parametrize(
    "text", ["", "prompt", "prompt=", "prompt=:", "question=prompt", "attributes=x", "a=b,prompt=c"]
)
def test_a_map_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be FIELD=NAME|is no field of a response"):
        FieldMap.parse(text)


def test_a_path_leads_into_objects_and_arrays_and_a_name_with_dots_comes_first() -> None:
    row = {"a.b": 1, "a": {"b": 2, "c": [{"d": 3}]}}
    assert [look_up(row, path) for path in ("a.b", "a.c.0.d", "a.c.1", "a.c.x", "z")] == [1, 3, None, None, None]
